"""Measures how long a committed row takes to the socket of the person whom it concerns, and the share of each hop. bench/CAPTURE.md has the figures.

  Tests/EndToEnd/run --capture-latency [ROWS]
"""

import asyncio
import json
import random
import statistics
import subprocess
import sys
import time

from conftest import Platform
from debezium import FETCH_WAIT, REVIEWS, RULES, CapturedDatabase, create_topics
from hubclient import Client
from rig import person

WARM_UP = 50


class TimedClient(Client):
    """Keeps the time at which the entry of each review arrived."""

    def __init__(self, *arguments, **how):
        self.arrived = {}
        super().__init__(*arguments, **how)

    def _hear(self, frame):
        if frame.get("type") == "entry" and frame["kind"] == "notification":
            self.arrived[frame["data"]["id"]] = time.time()
        super()._hear(frame)


async def measure(hub, rows, count):
    name = person()
    client = await TimedClient.connect(hub.socket_url, hub.token(name), {"inbox": 0}, validate=False)
    committed = {}
    for number in range(WARM_UP + count):
        # Random, so that no interval of a poll fits to it.
        await asyncio.sleep(random.uniform(0.03, 0.07))
        review = await asyncio.to_thread(rows.review, name)
        if number >= WARM_UP:
            committed[review] = time.time()
    await client.entries("inbox", WARM_UP + count)
    client.drop()
    return committed, client.arrived


def written(broker):
    """When Debezium wrote the record of each inserted review."""
    said = subprocess.run(["kcat", "-C", "-b", broker.brokers, "-t", REVIEWS, "-o", "beginning", "-e", "-J"], capture_output=True, text=True, check=True)
    times = {}
    for line in said.stdout.splitlines():
        record = json.loads(line)
        change = json.loads(record["payload"]) if record["payload"] else None
        if change and change.get("op") == "c":
            times[change["after"]["id"]] = record["ts"] / 1000
    return times


def show(name, seconds):
    ordered = sorted(one * 1000 for one in seconds)
    p99 = ordered[max(0, round(len(ordered) * 0.99) - 1)]
    print(f"{name:32} p50 {statistics.median(ordered):6.1f} ms   p99 {p99:6.1f} ms   max {ordered[-1]:6.1f} ms")


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    platform = Platform()
    rows = None
    try:
        rows = CapturedDatabase(platform.broker.brokers, name="debezium-latency")
        create_topics(platform.broker.brokers)
        hub = platform.hub("latency", extra={**RULES, "HUB_KAFKA_FETCH_WAIT": FETCH_WAIT}).start()
        rows.debezium.start()
        committed, arrived = asyncio.run(measure(hub, rows, count))
        records = written(platform.broker)
        print(f"{count} rows, one transaction each")
        show("commit -> record of Debezium", [records[review] - at for review, at in committed.items()])
        show("record of Debezium -> socket", [arrived[review] - records[review] for review in committed])
        show("commit -> socket", [arrived[review] - at for review, at in committed.items()])
        hub.stop()
    finally:
        if rows:
            rows.wipe()
        platform.wipe()


if __name__ == "__main__":
    main()
