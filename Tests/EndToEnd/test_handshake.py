"""The opening handshake, frames and closes, also in forms that a correct client does not send."""

import asyncio
import json
import socket
import struct

import pytest

import protocol
from hubclient import Client
from rawsocket import GUID, KEY, RawSocket, accept_of, frame, head
from rig import event, person


async def answer_to(hub, request):
    raw = await RawSocket.open(hub.address)
    raw.send(request)
    try:
        return await raw.response()
    finally:
        raw.close()


def test_the_example_of_the_rfc_holds():
    assert GUID and accept_of(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


async def test_a_correct_handshake(hub):
    status, headers, _ = await answer_to(hub, head())
    assert status == 101
    assert headers["upgrade"].lower() == "websocket" and headers["connection"].lower() == "upgrade"
    assert headers["sec-websocket-accept"] == accept_of(KEY)
    assert headers["sec-websocket-protocol"] == "hub.v1.json"
    assert "sec-websocket-extensions" not in headers


ACCEPTED = [
    ("names and tokens in any case", {"without": ("Upgrade", "Connection"), "UPGRADE": "WebSocket", "connection": "keep-alive, UPGRADE"}),
    ("several subprotocols", {"Sec_WebSocket_Protocol": "other, hub.v1.json"}),
    ("an unknown extension", {"Sec_WebSocket_Extensions": "x-webkit-deflate-frame"}),
    ("an own header", {"X_Request_Id": "1"}),
]


@pytest.mark.parametrize("change", [one[1] for one in ACCEPTED], ids=[one[0] for one in ACCEPTED])
async def test_a_handshake_that_is_well_formed_is_accepted(hub, change):
    status, headers, body = await answer_to(hub, head(**change))
    assert (status, body) == (101, "")
    assert headers["sec-websocket-protocol"] == "hub.v1.json"


REFUSED = [
    ("another method", {"method": "POST", "Content_Length": "0"}, 405),
    ("HTTP/1.0", {"version": "HTTP/1.0"}, None),
    ("no Host", {"without": ("Host",)}, 400),
    ("no Upgrade", {"without": ("Upgrade",)}, None),
    ("another Upgrade", {"Upgrade": "h2c"}, None),
    ("no Connection", {"without": ("Connection",)}, None),
    ("Connection without upgrade", {"Connection": "keep-alive"}, None),
    ("no version", {"without": ("Sec-WebSocket-Version",)}, None),
    ("an old version", {"Sec_WebSocket_Version": "8"}, 426),
    ("a version of the future", {"Sec_WebSocket_Version": "14"}, 426),
    ("no key", {"without": ("Sec-WebSocket-Key",)}, 400),
    ("an empty key", {"Sec_WebSocket_Key": ""}, 400),
    ("a key that is too short", {"Sec_WebSocket_Key": "c2hvcnQ="}, 400),
    ("a key that is no base64", {"Sec_WebSocket_Key": "*" * 24}, 400),
    ("a token in the query", {"path": "/v1/socket?token=abc"}, 400),
    ("an access token in the query", {"path": "/v1/socket?x=1&access_token=abc"}, 400),
    ("a page of somewhere else", {"Origin": "https://evil.example.org"}, 403),
    ("a head that is too large", {"X_Large": "x" * 40_000}, 431),
    ("a target that is too long", {"path": "/v1/socket?" + "x" * 40_000}, None),
    ("another version of HTTP", {"version": "HTTP/2.7"}, 505),
    ("a line break in a header", {"X_Bad": "a\rb"}, 400),
    ("a folded header", {"X_Bad": "a\r\n b"}, 400),
    ("a NUL in a header", {"X_Bad": "a\0b"}, 400),
    ("two lengths", {"Content_Length": "1\r\nContent-Length: 2"}, 400),
    ("a body in chunks", {"Transfer_Encoding": "chunked"}, None),
]


@pytest.mark.parametrize(("change", "status"), [one[1:] for one in REFUSED], ids=[one[0] for one in REFUSED])
async def test_a_handshake_that_breaks_a_rule_is_refused(hub, change, status):
    got, headers, body = await answer_to(hub, head(**change))
    assert 400 <= got < 600, got
    if status:
        assert got == status
    if got == 426:
        assert headers["sec-websocket-version"] == "13"
    if "token" in change.get("path", ""):
        assert "query_token" in body and "abc" not in body
    await (await Client.connect(hub.socket_url, hub.token(person()))).quiet()


@pytest.mark.parametrize("offered", [None, "graphql-ws"], ids=["none", "a foreign one"])
async def test_without_its_subprotocol_none_is_chosen(hub, offered):
    status, headers, _ = await answer_to(hub, head(Sec_WebSocket_Protocol=offered))
    assert status == 101 and "sec-websocket-protocol" not in headers


async def test_a_version_the_hub_does_not_speak_is_told_the_one_it_does(hub):
    status, headers, _ = await answer_to(hub, head(Sec_WebSocket_Version="25"))
    assert (status, headers["sec-websocket-version"]) == (426, "13")


async def test_the_key_twice_is_refused(hub):
    request = head().replace(b"Sec-WebSocket-Key", b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Key")
    assert (await answer_to(hub, request))[0] == 400


async def test_a_slow_head_ends_the_connection(hub):
    raw = await RawSocket.open(hub.address)
    raw.send(head()[:-4])
    await raw.ends(seconds=30)


async def test_frames_right_behind_the_head_are_not_lost(hub):
    raw = await RawSocket.open(hub.address)
    raw.send(head() + frame(1, '{"id":1,"type":"ping"}'))
    assert (await raw.response())[0] == 101
    _, text = await raw.receive()
    assert json.loads(text)["error"]["code"] == "not_connected"


async def test_a_head_may_arrive_byte_by_byte(hub):
    raw = await RawSocket.open(hub.address)
    for byte in head():
        raw.send(bytes([byte]))
        await asyncio.sleep(0)
    assert (await raw.response())[0] == 101
    for byte in frame(1, '{"id":1,"type":"ping"}'):
        raw.send(bytes([byte]))
        await asyncio.sleep(0.002)
    _, text = await raw.receive()
    assert json.loads(text)["re"] == 1


async def talk(hub, token):
    """A raw socket that is a connected session."""
    raw = await RawSocket.upgraded(hub.address)
    raw.send(frame(1, json.dumps({"id": 1, "type": "connect", "token": token, "channels": [{"channel": "inbox", "since": 0}]})))
    while True:
        _, text = await raw.receive()
        for line in protocol.lines(text.decode()):
            protocol.check(line)
            if line.get("re") == 1:
                assert "ok" in line, line
                return raw


VIOLATIONS = [
    ("an unmasked text frame", frame(1, '{"id":1,"type":"ping"}', masked=False), 1002),
    ("an unmasked empty frame", frame(1, b"", masked=False), 1002),
    ("an unmasked ping", frame(9, b"x", masked=False), 1002),
    ("an unmasked close", frame(8, struct.pack("!H", 1000), masked=False), 1002),
    ("a reserved bit", frame(1, b"{}", rsv=2), 1002),
    ("a compressed frame nobody agreed to", frame(1, b"{}", rsv=4), 1002),
    ("a reserved opcode", frame(3, b"{}"), 1002),
    ("a reserved control opcode", frame(11, b""), 1002),
    ("a ping in fragments", frame(9, b"x", fin=False), 1002),
    ("a ping that is too long", frame(9, b"x" * 126), 1002),
    ("a continuation of nothing", frame(0, b"{}"), 1002),
    ("a message within a message", frame(1, b"{", fin=False) + frame(1, b"}"), 1002),
    ("text that is no UTF-8", frame(1, b"\xc3\x28"), 1007),
    ("a surrogate in UTF-8", frame(1, b"\xed\xa0\x80"), 1007),
    ("a close with one byte", frame(8, b"\x03"), 1002),
    ("a close code that may not be sent", frame(8, struct.pack("!H", 1005)), 1002),
    ("a close code out of range", frame(8, struct.pack("!H", 999)), 1002),
    ("a close reason that is no UTF-8", frame(8, struct.pack("!H", 1000) + b"\xff"), 1007),
    ("a length nobody can send", frame(1, b"", length=2**63 - 1), 1009),
    ("a length with its highest bit set", b"\x81\xff" + b"\xff" * 8 + b"\0\0\0\0", 1002),
]


@pytest.mark.parametrize(("data", "code"), [one[1:] for one in VIOLATIONS], ids=[one[0] for one in VIOLATIONS])
async def test_a_frame_that_breaks_the_protocol_fails_the_connection(hub, data, code):
    raw = await talk(hub, hub.token(person()))
    raw.send(data)
    assert await raw.close_code() == code
    raw.send(frame(8, struct.pack("!H", code)))
    await raw.ends()


async def test_a_close_is_answered_and_ends(hub):
    raw = await talk(hub, hub.token(person()))
    raw.send(frame(8, struct.pack("!H", 1000) + b"done"))
    assert await raw.close_code() == 1000
    await raw.ends()


async def test_a_ping_between_fragments_is_answered(hub):
    raw = await talk(hub, hub.token(person()))
    raw.send(frame(1, b'{"id":2,"ty', fin=False) + frame(9, b"are you there") + frame(0, b'pe":"ping"}'))
    got = [await raw.receive() for _ in range(2)]
    assert (10, b"are you there") in got
    assert any(opcode == 1 and b'"re":2' in payload for opcode, payload in got)


@pytest.mark.parametrize("how", ["reset", "end of file", "in the middle of a frame"])
async def test_a_dropped_connection_loses_nothing(hub, how):
    name = person()
    token = hub.token(name)
    raw = await talk(hub, token)
    hub.kafka.produce(event(f"user:{name}"), key=name)
    while b'"seq":1' not in (await raw.receive())[1]:
        pass
    if how == "in the middle of a frame":
        raw.send(frame(1, b'{"id":2,"type":"ack"')[:9])
        await asyncio.sleep(0.05)
    if how == "end of file":
        raw.writer.write_eof()
        await raw.ends()
    else:
        raw.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()
    hub.kafka.produce(event(f"user:{name}"), key=name)
    client = await Client.connect(hub.socket_url, token, {"inbox": 0})
    assert [entry["seq"] for entry in await client.entries("inbox", 2)] == [1, 2]


async def test_a_silent_tcp_connection_is_closed(hub):
    raw = await RawSocket.open(hub.address)
    await raw.ends(seconds=30)
