"""A client that does not read loses its connection, but never an entry."""

import asyncio
import json
import re
import socket
import urllib.request

import pytest

from fallback import poll, requests, seqs
from hubclient import Client
from rawsocket import RawSocket, frame, head
from rig import event, person


@pytest.fixture
def narrow(platform):
    """A hub with a small backlog per socket. One at a time: hubs on one database do not hear each other."""
    hub = platform.hub("narrow", extra={
        "HUB_OUTBOUND_HIGH_WATERMARK_BYTES": "64KiB", "HUB_OUTBOUND_LOW_WATERMARK_BYTES": "16KiB",
        "HUB_OUTBOUND_BACKLOG_BYTES": "128KiB"})
    try:
        yield hub.start()
    finally:
        hub.stop()


async def reluctant(hub, name):
    """A session whose client reads nothing after the reply to `connect`."""
    raw = await RawSocket.upgraded(hub.address)
    raw.send(frame(1, json.dumps({"id": 1, "type": "connect", "token": hub.token(name), "channels": [{"channel": "inbox", "since": 0}]})))
    assert b'{"re":1,"ok":' in (await raw.receive())[1]
    return raw


def metric(hub, name):
    with urllib.request.urlopen(f"{hub.url.rstrip('/')}/metrics", timeout=10) as answer:
        return float(re.search(rf"(?m)^{name} (\S+)$", answer.read().decode())[1])


async def test_a_client_that_never_reads_its_replies_is_held_little_for_and_cut_as_dead(platform):
    times = {"HUB_WEBSOCKET_PING_EVERY": "1s", "HUB_WEBSOCKET_PONG_WITHIN": "2s"}
    async with platform.running("impatient", extra=times) as impatient:
        name = person()
        client = await Client.connect(impatient.socket_url, impatient.token(name), {"inbox": 0})
        impatient.kafka.produce(*[event(f"user:{name}", body="x" * 3_000) for _ in range(40)], key=name)
        await client.entries("inbox", 40)
        before, pages = metric(impatient, "hub_pong_timeouts_total"), metric(impatient, "hub_commands_total")
        raw = await reluctant(impatient, name)
        for number in range(2, 2_000):
            raw.send(frame(1, json.dumps({"id": number, "type": "history", "channel": "inbox", "limit": 40, "padding": "x" * 100})))
        async with asyncio.timeout(30):
            while metric(impatient, "hub_pong_timeouts_total") == before:
                await asyncio.sleep(0.1)
        assert metric(impatient, "hub_commands_total") - pages < 1_500, "the rest of its commands was never read"
        await raw.ends()
        again = await Client.connect(impatient.socket_url, impatient.token(name), {"inbox": 0})
        assert [entry["seq"] for entry in await again.entries("inbox", 40)] == list(range(1, 41))


async def holding(hub, receive_bytes):
    """A session whose kernel may hold so many bytes, with 600 KB on their way to it."""
    name = person()
    hub.kafka.produce(*[event(f"user:{name}", body="x" * 6_000) for _ in range(100)], key=name)
    ready = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    await ready.entries("inbox", 100)
    await ready.close()
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock.connect(hub.address)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, head())
    connect = {"id": 1, "type": "connect", "token": hub.token(name), "channels": [{"channel": "inbox", "since": 0}]}
    await loop.sock_sendall(sock, frame(1, json.dumps(connect)))
    return sock


# The kernel of the first holds a second of reading, that of the second all of it: there everything is acknowledged at once.
@pytest.mark.parametrize("receive_bytes", [32 << 10, 2 << 20])
async def test_a_slow_but_steady_reader_is_alive(platform, receive_bytes):
    """It reads 40 KB/s, so the answer to a ping comes many seconds late: behind what was sent before the ping."""
    times = {"HUB_WEBSOCKET_PING_EVERY": "1s", "HUB_WEBSOCKET_PONG_WITHIN": "2s"}
    async with platform.running("impatient", extra=times) as impatient:
        before = metric(impatient, "hub_pong_timeouts_total")
        sock, heard = await holding(impatient, receive_bytes), b""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(60):
            while b'"type":"signal","signal":"live"' not in heard:
                part = await loop.sock_recv(sock, 4_500)
                assert part, f"cut after {loop.time() - began:.1f} s and {len(heard)} bytes"
                heard += part
                await asyncio.sleep(0.1)
        assert loop.time() - began > 10, "it was slow enough for five pings to be late"
        assert heard.count(b'"type":"entry"') == 100
        # What its kernel holds it reads in any case.
        assert metric(impatient, "hub_pong_timeouts_total") == before, "nobody was cut"
        sock.close()


async def test_a_reader_that_stops_is_cut_although_its_kernel_takes_everything(platform):
    times = {"HUB_WEBSOCKET_PING_EVERY": "1s", "HUB_WEBSOCKET_PONG_WITHIN": "2s"}
    async with platform.running("impatient", extra=times) as impatient:
        before = metric(impatient, "hub_pong_timeouts_total")
        sock = await holding(impatient, 2 << 20)
        loop = asyncio.get_running_loop()
        for _ in range(50):
            assert await loop.sock_recv(sock, 4_000)
            await asyncio.sleep(0.1)
        assert metric(impatient, "hub_pong_timeouts_total") == before, "alive as long as it reads"
        # Nothing shows that it stopped: it gets the time in which a slow client reads all that it was sent.
        async with asyncio.timeout(30):
            while metric(impatient, "hub_pong_timeouts_total") == before:
                await asyncio.sleep(0.1)
        sock.close()


async def test_a_waiting_poll_for_which_much_comes_at_once_goes_on(narrow):
    name, seen = person(), []
    async with requests(narrow) as http:
        after, frames = await poll(http, token=narrow.token(name), channels=[{"channel": "inbox", "since": 0}])
        credential = frames[0]["ok"]["credential"]
        waiting = asyncio.create_task(poll(http, credential, 5, after=after))
        await asyncio.sleep(0.5)
        # Some fit below the watermark, one lies across it, and the others are read later.
        narrow.kafka.produce(*[event(f"user:{name}", body="x" * 31_000) for _ in range(12)], key=name)
        async with asyncio.timeout(30):
            while len(seen) < 12:
                after, frames = await (waiting or poll(http, credential, 1, after=after))
                waiting = None
                seen.extend(seqs(frames))
                assert not [frame for frame in frames if frame["type"] == "bye"]
    assert seen == list(range(1, 13))
