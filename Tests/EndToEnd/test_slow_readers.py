"""A client that does not read loses its connection, but never an entry."""

import asyncio
import json
import re
import urllib.request

import pytest

from fallback import poll, requests, seqs
from hubclient import Client
from rawsocket import RawSocket, frame
from rig import event, person


@pytest.fixture(scope="module")
def narrow(platform):
    """A hub with a small backlog per socket."""
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


async def test_a_client_that_never_reads_its_replies_is_cut_and_resumes(narrow):
    name = person()
    client = await Client.connect(narrow.socket_url, narrow.token(name), {"inbox": 0})
    narrow.kafka.produce(*[event(f"user:{name}", body="x" * 3_000) for _ in range(40)], key=name)
    await client.entries("inbox", 40)
    before = metric(narrow, "hub_slow_consumers_total")
    raw = await reluctant(narrow, name)
    for number in range(2, 200):
        raw.send(frame(1, json.dumps({"id": number, "type": "history", "channel": "inbox", "limit": 40})))
    async with asyncio.timeout(30):
        while metric(narrow, "hub_slow_consumers_total") == before:
            await asyncio.sleep(0.1)
    assert await raw.close_code() is None, "a close frame would wait behind what is not read"
    again = await Client.connect(narrow.socket_url, narrow.token(name), {"inbox": 0})
    assert [entry["seq"] for entry in await again.entries("inbox", 40)] == list(range(1, 41))


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
