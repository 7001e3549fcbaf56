"""A source of changes that goes silent is told, on every hub of the group, and nothing else raises the alarm."""

import asyncio
import json
import subprocess
import time
import urllib.request

from processes import wait_until
from rig import query


def metric(hub, name, source):
    text = urllib.request.urlopen(hub.url + "/metrics").read().decode()
    values = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(f'{name}{{source="{source}"}}')]
    return values[0] if values else None


def readiness(hub):
    with urllib.request.urlopen(hub.url + "/readyz") as answer:
        return answer.status, answer.read().decode().strip()


def is_silent(hub, source):
    return metric(hub, "hub_source_silent", source) == 1


class Connector:
    """Writes the heartbeats of a connector, while it beats."""

    def __init__(self, brokers, name):
        self.brokers, self.name, self.task = brokers, name, None

    def write(self):
        record = json.dumps({"serverName": self.name}) + "\t" + json.dumps({"ts_ms": int(time.time() * 1000)}) + "\n"
        subprocess.run(
            ["kcat", "-P", "-b", self.brokers, "-t", f"__debezium-heartbeat.{self.name}", "-K", "\t"], input=record, text=True, check=True,
            timeout=60)

    def start(self):
        async def beat():
            while True:
                await asyncio.to_thread(self.write)
                await asyncio.sleep(0.5)

        self.task = asyncio.create_task(beat())
        return self

    async def stop(self):
        if self.task:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            self.task = None


def settings(*names, group, after="4s"):
    return {
        "HUB_KAFKA_GROUP": group, "HUB_SOURCE_SILENT_AFTER": after,
        "HUB_RULES_TOPICS": ",".join(f"__debezium-heartbeat.{name}" for name in names)}


async def until(condition, what, seconds=30):
    await asyncio.to_thread(wait_until, condition, what, seconds)


async def quiet(hub, source, seconds):
    """No alarm for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert not await asyncio.to_thread(is_silent, hub, source)
        await asyncio.sleep(0.3)


async def test_a_source_that_stops_is_told_and_comes_back_and_a_restart_meanwhile_keeps_the_alarm(platform):
    connector = Connector(platform.broker.brokers, "stopping")
    connector.write()
    hub = platform.hub("watching", extra=settings("stopping", group="sources-one"))
    await asyncio.to_thread(hub.start)
    try:
        connector.start()
        await until(lambda: metric(hub, "hub_source_age_seconds", "stopping") is not None, "the source is heard")
        await quiet(hub, "stopping", 6)
        assert readiness(hub) == (200, "ready")
        await connector.stop()
        await until(lambda: is_silent(hub, "stopping"), "the source is silent")
        assert metric(hub, "hub_source_age_seconds", "stopping") >= 4
        assert readiness(hub) == (200, "ready\nmissing: source stopping is silent: neither a change nor a heartbeat comes")
        assert "source silent" in hub.tail() and "source=stopping" in hub.tail()
        # It is down while the source is silent, and knows it after its start without waiting for so long again.
        age = metric(hub, "hub_source_age_seconds", "stopping")
        await asyncio.to_thread(hub.stop)
        await asyncio.to_thread(hub.start)
        await until(lambda: is_silent(hub, "stopping"), "the alarm is known again", seconds=10)
        assert metric(hub, "hub_source_age_seconds", "stopping") > age
        connector.start()
        await until(lambda: metric(hub, "hub_source_silent", "stopping") == 0, "the source is heard again")
        assert readiness(hub) == (200, "ready")
        await until(lambda: "source heard again" in hub.tail(), "the end is in the log")
    finally:
        await connector.stop()
        await asyncio.to_thread(hub.stop)


async def test_neither_a_hub_that_was_away_nor_a_paused_intake_raises_an_alarm(platform):
    connector = Connector(platform.broker.brokers, "living")
    connector.write()
    hub = platform.hub("away", extra=settings("living", after="3s", group="sources-two"))
    await asyncio.to_thread(hub.start)
    try:
        connector.start()
        await until(lambda: metric(hub, "hub_source_age_seconds", "living") is not None, "the source is heard")
        # For longer than the source may be silent, while records come and wait in Kafka.
        await asyncio.to_thread(hub.kill)
        await asyncio.sleep(5)
        await asyncio.to_thread(hub.start)
        await quiet(hub, "living", 10)
        # The whole process stands still for longer than that.
        with hub.frozen():
            await asyncio.sleep(5)
        await quiet(hub, "living", 8)
        # The intake cannot store anything, and pauses.
        with platform.database.frozen():
            await asyncio.sleep(8)
        await quiet(hub, "living", 12)
        assert "source silent" not in hub.log.read_text()
    finally:
        await connector.stop()
        await asyncio.to_thread(hub.stop)


async def test_two_hubs_of_a_group_agree_and_a_rebalance_raises_no_alarm(platform):
    connector = Connector(platform.broker.brokers, "shared")
    connector.write()
    extra = settings("shared", after="4s", group="sources-three")
    one, two = platform.hub("first", extra=extra), platform.hub("second", extra=extra)
    await asyncio.to_thread(one.start)
    try:
        connector.start()
        await until(lambda: metric(one, "hub_source_age_seconds", "shared") is not None, "the source is heard")
        await asyncio.to_thread(two.start)
        # Only one of them has the partition of the heartbeats.
        await until(lambda: metric(two, "hub_source_age_seconds", "shared") is not None, "the other one knows it")
        for hub in (one, two):
            await quiet(hub, "shared", 3)
        # A hub that is killed keeps its partitions until its session times out.
        await asyncio.to_thread(one.kill)
        await quiet(two, "shared", 14)
        await asyncio.to_thread(one.start)
        await quiet(two, "shared", 8)
        await connector.stop()
        for hub in (one, two):
            await until(lambda hub=hub: is_silent(hub, "shared"), "both say so")
        connector.start()
        for hub in (one, two):
            await until(lambda hub=hub: metric(hub, "hub_source_silent", "shared") == 0, "both heard of it")
        assert [hub.log.read_text().count("source silent") for hub in (one, two)] == [1, 1]
    finally:
        await connector.stop()
        await asyncio.to_thread(one.stop)
        await asyncio.to_thread(two.stop)


async def test_nothing_is_watched_unless_it_is_set(platform):
    Connector(platform.broker.brokers, "unwatched").write()
    hub = platform.hub("unwatching", extra={
        "HUB_RULES_TOPICS": "__debezium-heartbeat.unwatched", "HUB_KAFKA_GROUP": "sources-four"})
    await asyncio.to_thread(hub.start)
    try:
        await asyncio.sleep(3)
        assert metric(hub, "hub_source_silent", "unwatched") is None
        assert query(platform.database.url, "select count(*) from hub.source where name = 'unwatched'") == [(0,)]
    finally:
        await asyncio.to_thread(hub.stop)
