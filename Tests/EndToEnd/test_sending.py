"""Sends to many sockets take one system call if the kernel has io_uring, otherwise one call per socket."""

import asyncio
import re
import urllib.request

import pytest

from httpclients import TRANSPORTS
from rig import event, person, without_io_uring

LOOPS = 2


def loops_together(hub):
    with urllib.request.urlopen(f"{hub.url.rstrip('/')}/metrics", timeout=10) as answer:
        return int(re.search(r"(?m)^hub_io_uring_loops (\S+)$", answer.read().decode())[1])


@pytest.mark.parametrize(
    "prepare, switch, loops, told",
    [(None, "true", LOOPS, False), (None, "false", 0, False), (without_io_uring, "true", 0, True)],
    ids=["together", "switched off", "refused by the kernel"])
async def test_a_broadcast_reaches_everyone_either_way(platform, prepare, switch, loops, told):
    extra = {"HUB_LOOPS_IO_URING": switch, "HUB_LOOPS_COUNT": str(LOOPS)}
    async with platform.running("sending", extra=extra, prepare=prepare) as hub:
        assert loops_together(hub) == loops
        assert ("no io_uring here" in hub.tail()) is told
        names = [person("reader") for _ in range(42)]
        kinds = [*TRANSPORTS.values()]
        clients = [
            await kinds[number % len(kinds)].connect(hub.socket_url, hub.token(name), {"inbox": 0}) for number, name in enumerate(names)]
        everyone = [f"user:{name}" for name in names]
        hub.kafka.produce(*[event(*everyone, title=f"number {number}") for number in range(30)], key="one after the other")
        for client in clients:
            entries = await client.entries("inbox", 30)
            assert [entry["title"] for entry in entries] == [f"number {number}" for number in range(30)]
        answers = await asyncio.gather(*[client.ask("history", channel="inbox") for client in clients])
        assert all(len(answer["entries"]) == 30 for answer in answers)
