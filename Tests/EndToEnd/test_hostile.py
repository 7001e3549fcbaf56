"""Attacks on a running hub that once succeeded, one per test."""

import asyncio
import json
import random
import signal
import subprocess

import pytest

from hubclient import Client as WebSocketClient
from rawsocket import RawSocket, frame
from processes import hub_program
from rig import event, person


@pytest.mark.parametrize("mark", ["\u0301", "\u20dd", "\U0001f3fd", "\ufe0f"], ids=["acute", "circle", "skin tone", "variation"])
async def test_a_name_that_begins_with_a_combining_mark_is_a_name(hub, mark, Client):
    name = mark + person()
    client = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    hub.kafka.produce(event(f"user:{name}"), key="any")
    assert (await client.next("entry"))["seq"] == 1
    other = await Client.connect(hub.socket_url, hub.token(person()))
    sent = await other.ask("send", to=name, key="1", body="bonjour")
    assert (await client.next("signal", signal="conversation"))["channel"] == sent["channel"]


async def settled(client, channel, head):
    await client.next("signal", signal="live", channel=channel, seq=head)
    await client.quiet()


def in_order(client, channel):
    """How far a client that starts at 0 has come without a gap."""
    position = 0
    for entry in client.entries_of(channel):
        position += entry["seq"] == position + 1
    return position


async def inbox_of(Client, hub, count):
    """A person with an inbox of so many entries, and their token."""
    name = person()
    token = hub.token(name)
    hub.kafka.produce(*[event(f"user:{name}") for _ in range(count)], key=name)
    client = await Client.connect(hub.socket_url, token, {"inbox": 0})
    await client.entries("inbox", count)
    await client.close()
    return token


async def test_a_repeated_subscribe_begins_at_the_position_of_the_last_one(hub, Client):
    token = await inbox_of(Client, hub, 250)
    for seed in range(20):
        chance = random.Random(seed)
        client = await Client.connect(hub.socket_url, token)
        answers = []
        for _ in range(chance.randint(1, 8)):
            answers.append(client.begin("subscribe", channel="inbox", since=chance.choice([0, 100, 200, 250])))
            answers.append(client.begin("unsubscribe", channel="inbox"))
        last = client.begin("subscribe", channel="inbox", since=0)
        # Each is answered, also the one whose subscription was gone by then.
        for answer in await asyncio.wait_for(asyncio.gather(*answers, return_exceptions=True), 20):
            assert isinstance(answer, dict) or answer.code == "not_subscribed", answer
        assert (await last)["since"] == 0
        # An answer to an earlier one may have begun nearer to the end; the last goes back.
        await client._until(lambda: True if in_order(client, "inbox") == 250 else None, f"seed {seed}: all of them", 20)
        await client.close()


async def test_a_rewind_during_a_replay_skips_no_entry(hub, Client):
    token = await inbox_of(Client, hub, 250)
    client = await Client.connect(hub.socket_url, token)
    answers = [client.begin("subscribe", channel="inbox", since=since) for since in (240, 120, 0)]
    assert [answer["since"] for answer in await asyncio.gather(*answers)][-1] == 0
    await client._until(
        lambda: True if {entry["seq"] for entry in client.entries_of("inbox")} == set(range(1, 251)) else None, "all of them", 20)
    heard = [entry["seq"] for entry in client.entries_of("inbox")]
    back = heard.index(1)
    assert heard[back:][:250] == list(range(1, 251)), "from where it went back to, without a gap"


async def test_a_hub_that_was_stopped_for_a_while_gives_its_clients_time_to_answer(platform):
    extra = {"HUB_WEBSOCKET_PING_EVERY": "1s", "HUB_WEBSOCKET_PONG_WITHIN": "2s"}
    async with platform.running("stopped", extra=extra) as hub:
        raw = await RawSocket.upgraded(hub.address)
        raw.send(frame(1, json.dumps({"id": 1, "type": "connect", "token": hub.token(person())})))
        assert (await raw.receive())[0] == 1
        hub.process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(4)
        finally:
            hub.process.send_signal(signal.SIGCONT)
        opcode, payload = await raw.receive()
        assert opcode == 9
        await asyncio.sleep(0.5)  # a client on a real network
        raw.send(frame(10, payload) + frame(1, '{"id":2,"type":"ping"}'))
        opcode, payload = await raw.receive()
        assert opcode == 1 and b'"re":2' in payload, (opcode, payload)


async def test_a_client_that_answers_no_ping_is_disconnected(platform):
    extra = {"HUB_WEBSOCKET_PING_EVERY": "1s", "HUB_WEBSOCKET_PONG_WITHIN": "1s"}
    async with platform.running("silent", extra=extra) as hub:
        raw = await RawSocket.upgraded(hub.address)
        assert (await raw.receive())[0] == 9
        assert await raw.close_code() == 4201


@pytest.fixture(scope="module")
def unknown_keys(platform):
    hub = platform.hub("unknown-keys", extra={"HUB_LIMITS_REFRESH_FAILURES_PER_SECOND": "0"})
    try:
        yield hub.start()
    finally:
        hub.stop()


async def test_a_flood_of_refreshes_with_an_unknown_key_is_answered_one_by_one(unknown_keys, Client):
    client = await Client.connect(unknown_keys.socket_url, unknown_keys.token(person()))
    stranger = unknown_keys.token("somebody", headers={"kid": "nobody-knows"})
    answers = [client.begin("refresh", token=stranger) for _ in range(500)]
    refused = await asyncio.wait_for(asyncio.gather(*answers, return_exceptions=True), 60)
    assert {answer.code for answer in refused} == {"invalid_token"}
    # None of them stays counted as waiting: the socket is read on.
    pings = [client.begin("ping") for _ in range(200)]
    await asyncio.wait_for(asyncio.gather(*pings), 20)


async def test_a_page_of_the_largest_messages_is_cut_and_nothing_is_missing(hub, Client):
    alice, bob = person("alice"), person("bob")
    one = await Client.connect(hub.socket_url, hub.token(alice))
    two = await Client.connect(hub.socket_url, hub.token(bob))
    channel = (await one.ask("open", **{"with": bob}))["channel"]
    # A control character takes one byte of the limit and six on the wire.
    large = {"body": "x" + "\u0001" * 7_999, "data": "\u0001" * 2_600}
    await two.ask("send", channel=channel, key="answer", body="I answer, so that any number may follow.")
    await asyncio.gather(*[one.begin("send", channel=channel, key=str(i), **large) for i in range(60)])
    seen, before = [], None
    while True:
        page = await two.ask("history", channel=channel, **({"before": before} if before else {}))
        assert len(json.dumps(page["entries"])) < 1_200_000
        seen[:0] = [entry["seq"] for entry in page["entries"]]
        if not page["more"]:
            break
        before = seen[0]
    assert seen == list(range(1, 62))
    await two.ask("subscribe", channel=channel, since=0)
    await settled(two, channel, 61)
    assert [entry["seq"] for entry in two.entries_of(channel)] == list(range(1, 62))


# The fields that differ from those of the hub's own page; None: not sent.
ELSEWHERE = [
    # Without an Origin, or with one of the same name, only the rule for the Host can refuse them.
    ("a name that points to this machine", {"Host": "rebound.example", "Origin": None}),
    ("a page of such a name", {"Host": "rebound.example", "Origin": "http://rebound.example"}),
    ("another origin", {"Origin": "http://elsewhere.example"}),
    ("another port's page", {"Origin": "http://127.0.0.1:1"}),
    ("an origin that is not told", {"Origin": "null"}),
]


@pytest.mark.parametrize("changed", [one[1] for one in ELSEWHERE], ids=[one[0] for one in ELSEWHERE])
@pytest.mark.parametrize("request_line", ["GET /demo/token?subject=alice", "POST /demo/publish"])
async def test_pages_of_other_origins_cannot_read_the_demo(hub, request_line, changed):
    async def status(fields):
        raw = await RawSocket.open(hub.address)
        lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
        raw.send("\r\n".join([f"{request_line} HTTP/1.1", *lines, "", ""]).encode() + b"{}")
        got = (await raw.response())[0]
        raw.close()
        return got

    own = {"Host": "{}:{}".format(*hub.address), "Origin": hub.url.rstrip("/"), "Content-Length": "2"}
    assert await status(own) in (200, 202)
    assert await status({**own, "Origin": None}) in (200, 202)
    assert await status({**own, **changed}) == 403


async def test_who_waits_for_leave_to_send_a_body_gets_it(hub):
    raw = await RawSocket.open(hub.address)
    host = "{}:{}".format(*hub.address)
    raw.send(f"POST /demo/publish HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n".encode())
    assert (await raw.response())[0] == 100
    raw.send(b"[1,2]")
    assert (await raw.response())[0] == 400


@pytest.mark.parametrize("command", ["serve", "echo"])
async def test_a_second_hub_does_not_share_the_first_ones_port(platform, command):
    async with platform.running("first") as first:
        second = platform.hub("second", port=first.address[1])
        done = await asyncio.to_thread(
            subprocess.run, [str(hub_program()), command, *(["--listen", "{}:{}".format(*first.address)] if command == "echo" else [])],
            env=second._environment, capture_output=True, text=True, timeout=30)
        assert done.returncode not in (0, None) and "ready" not in done.stdout
        assert "in use" in done.stderr
        await (await WebSocketClient.connect(first.socket_url, first.token(person()))).quiet()
