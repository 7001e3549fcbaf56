"""What an engine of the bus carries, and what its faults cost: time, and never an entry."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import time

import pytest

from hubclient import Client, Refused
from processes import hub_program, run
from redisserver import FaultyRedis, Redis, older_redis
from rig import event, person
from test_recovery import metric
from test_several_hubs import over


@pytest.fixture(scope="module")
def redis():
    server = Redis()
    yield server
    server.wipe()


@contextlib.asynccontextmanager
async def hubs(platform, settings, count=2):
    group = {"HUB_KAFKA_GROUP": person("group"), **settings}
    made = [platform.hub(f"engine-{index}", extra=group) for index in range(count)]
    try:
        for hub in made:
            await asyncio.to_thread(hub.start)
        await until_metric(made, "hub_nodes", lambda value: value >= count)
        yield made
    finally:
        for hub in made:
            await asyncio.to_thread(hub.stop)


async def until_metric(made, name, holds, seconds=30):
    async with asyncio.timeout(seconds):
        for hub in made:
            while not holds(await asyncio.to_thread(metric, hub, name)):
                await asyncio.sleep(0.1)


async def conversation(left, right):
    """Two people on two hubs who follow their conversation: (client, client, channel)."""
    ann, bob = person("ann"), person("bob")
    at_left = await Client.connect(left.socket_url, left.token(ann), {"inbox": 0})
    at_right = await Client.connect(right.socket_url, right.token(bob), {"inbox": 0})
    at_left.user, at_right.user = ann, bob
    channel = (await at_left.ask("open", **{"with": bob}))["channel"]
    for client in (at_left, at_right):
        await client.ask("subscribe", channel=channel, since=0)
    return at_left, at_right, channel


async def crossing(writer, reader, channel, key):
    """Seconds from sending a message to its entry at the other hub."""
    start = time.monotonic()
    await writer.ask("send", channel=channel, key=key, body=key)
    await reader.next("entry", channel=channel, body=key)
    return time.monotonic() - start


@pytest.mark.parametrize("engine", ["kafka", "redis"])
async def test_entries_and_cursors_come_over_the_engine_and_are_not_read_again(platform, redis, engine):
    async with hubs(platform, over(engine, redis)) as (left, right):
        await until_metric([left, right], "hub_bus_up", lambda value: value == 1)
        at_left, at_right, channel = await conversation(left, right)
        await crossing(at_left, at_right, channel, "first")
        read = await asyncio.to_thread(metric, right, "hub_read_for_all_total")
        for number in range(30):
            await (crossing(at_left, at_right, channel, f"{number}") if number % 2 else crossing(at_right, at_left, channel, f"{number}"))
        await at_right.ask("mark-read", channel=channel, all=True)
        assert (await at_left.next("receipt", channel=channel, read=31))["user"] == at_right.user
        # The journal was read meanwhile, and has nothing that was not known.
        await asyncio.sleep(1.2)
        assert await asyncio.to_thread(metric, right, "hub_read_for_all_total") - read <= 3
        assert await asyncio.to_thread(metric, right, "hub_bus_received_total") >= 15


async def test_without_redis_entries_come_from_the_database_and_the_bus_comes_back(platform):
    redis = Redis()
    async with hubs(platform, over("redis", redis)) as (left, right):
        await until_metric([left, right], "hub_bus_up", lambda value: value == 1)
        at_left, at_right, channel = await conversation(left, right)
        await asyncio.to_thread(redis.kill)
        times = [await crossing(at_left, at_right, channel, f"{number}") for number in range(8)]
        # Looks twice a second, and a busy machine.
        assert max(times) < 3, times
        await until_metric([left, right], "hub_bus_up", lambda value: value == 0)
        assert "the bus is not heard" in right.tail()
        await asyncio.to_thread(redis.start)
        await until_metric([left, right], "hub_bus_up", lambda value: value == 1)
        assert right.tail().rfind("the bus is heard") > right.tail().rfind("the bus is not heard")
        for number in range(5):
            await crossing(at_right, at_left, channel, f"again-{number}")
    redis.wipe()


async def test_a_redis_that_hangs_is_noticed(platform):
    """Its connections stay as they are, and carry nothing."""
    redis = Redis()
    async with hubs(platform, over("redis", redis)) as (left, right):
        await until_metric([left, right], "hub_bus_up", lambda value: value == 1)
        at_left, at_right, channel = await conversation(left, right)
        os.kill(redis._process.pid, signal.SIGSTOP)
        try:
            for number in range(4):
                await crossing(at_left, at_right, channel, f"{number}")
            await until_metric([left, right], "hub_bus_up", lambda value: value == 0)
        finally:
            os.kill(redis._process.pid, signal.SIGCONT)
        await until_metric([left, right], "hub_bus_up", lambda value: value == 1)
    redis.wipe()


async def test_without_a_broker_people_go_on_writing_to_each_other(platform):
    async with hubs(platform, over("kafka", None)) as (left, right):
        await until_metric([left, right], "hub_bus_up", lambda value: value == 1)
        at_left, at_right, channel = await conversation(left, right)
        await asyncio.to_thread(platform.broker.down)
        try:
            for number in range(6):
                await crossing(at_left, at_right, channel, f"{number}")
            await until_metric([left, right], "hub_bus_up", lambda value: value == 0)
        finally:
            await asyncio.to_thread(platform.broker.up)
        await until_metric([left, right], "hub_bus_up", lambda value: value == 1, seconds=60)
        await crossing(at_right, at_left, channel, "again")


async def test_lost_repeated_late_and_reordered_messages_change_nothing_in_the_end(platform, redis):
    async with FaultyRedis(redis, seed=7) as faulty:
        async with hubs(platform, over("redis", faulty)) as (left, right):
            at_left, at_right, channel = await conversation(left, right)
            # A second session of each, on the other hub: it must see the same.
            twins = [
                await Client.connect(right.socket_url, right.token(at_left.user), {channel: 0, "inbox": 0}),
                await Client.connect(left.socket_url, left.token(at_right.user), {channel: 0, "inbox": 0})]
            for number in range(60):
                writer = (at_left, at_right)[number % 2]
                await writer.ask("send", channel=channel, key=f"k{number}", body=f"{number}")
                if number % 10 == 9:
                    await writer.ask("mark-read", channel=channel, all=True)
                left.kafka.produce(event(f"user:{at_left.user}", title=f"{number}"), key=at_left.user)
            for client in (at_left, at_right, *twins):
                entries = await client.entries(channel, 60, seconds=40)
                assert [entry["seq"] for entry in entries] == list(range(1, 61))
            for client in (at_left, twins[0]):
                assert [entry["seq"] for entry in await client.entries("inbox", 60, seconds=40)] == list(range(1, 61))
            await at_right.ask("mark-read", channel=channel, all=True)
            await at_left.next("receipt", channel=channel, read=60)
            await twins[1].next("cursor", channel=channel, read=60)
        assert faulty.lost > 10 and faulty.repeated > 10 and faulty.delayed > 10, vars(faulty)


async def test_a_right_ends_on_every_hub_while_the_bus_is_cut(platform):
    redis = Redis()
    async with hubs(platform, over("redis", redis)) as (left, right):
        await until_metric([left, right], "hub_bus_up", lambda value: value == 1)
        at_left, at_right, channel = await conversation(left, right)
        twin = await Client.connect(left.socket_url, left.token(at_right.user), {channel: 0})
        await asyncio.to_thread(redis.kill)
        await until_metric([left, right], "hub_bus_up", lambda value: value == 0)
        run("psql", "-qX", platform.database.url, "-c", f"DELETE FROM hub.member WHERE user_id = '{at_right.user}'")
        start = time.monotonic()
        for client in (at_right, twin):
            await client.next("signal", signal="unsubscribed", channel=channel)
        # Two seconds are promised; a busy machine takes longer.
        assert time.monotonic() - start < 4
        with pytest.raises(Refused):
            await at_right.ask("send", channel=channel, key="late", body="late")
    redis.wipe()


async def test_a_stranger_on_the_bus_shows_nobody_anything(platform, redis):
    """Whoever can write to Redis, another database's hub or somebody's mistake: what is not of this database is left out."""
    async with hubs(platform, over("redis", redis)) as (left, right):
        await until_metric([left, right], "hub_bus_up", lambda value: value == 1)
        at_left, at_right, channel = await conversation(left, right)
        before = await asyncio.to_thread(metric, right, "hub_bus_refused_total")
        foreign = bytes([0x68, 0x62, 1, *range(8), 9, 3, 1, 1, 4])
        for payload in (b"noise", b"\x00" * 100, foreign):
            run("redis-cli", "-p", redis.port, "-x", "publish", "hub.bus.3", text=payload.decode("latin-1"))
        await until_metric([right], "hub_bus_refused_total", lambda value: value >= before + 2)
        assert await asyncio.to_thread(metric, right, "hub_bus_up") == 1
        await crossing(at_left, at_right, channel, "still")


def test_hub_check_sends_a_message_over_the_bus(platform, redis):
    hub = platform.hub("checked", extra=over("redis", redis))
    assert re.search(r"bus: redis: a message that was sent came back", run(hub_program(), "check", env=hub._environment))
    hub = platform.hub("checked", extra=over("kafka", redis))
    assert re.search(r"bus: kafka: a message that was sent came back", run(hub_program(), "check", env=hub._environment))


@pytest.mark.parametrize(
    "url, reason", [
        (None, "redis.url is not set"), ("rediss://cache", "TLS"), ("cache:6379", "expected redis://"), ("redis://cache/1", "names a database")])
def test_a_wrong_address_of_redis_is_refused_at_the_start(platform, url, reason):
    hub = platform.hub("refused", extra={"HUB_BUS": "redis", **({"HUB_REDIS_URL": url} if url else {})})
    with pytest.raises(AssertionError):
        hub.start(seconds=20)
    assert reason in hub.tail()
    assert "preparing the bus" in hub.tail()


def test_an_older_redis_is_refused_by_the_check_and_at_the_start(platform, redis):
    with older_redis(redis) as url:
        hub = platform.hub("older", extra={"HUB_BUS": "redis", "HUB_REDIS_URL": url})
        told = f"redis {url}: the server is Redis 6.2.15; the hub needs Redis 7 or newer, or Valkey"
        with pytest.raises(AssertionError):
            hub.start(seconds=20)
        assert f"preparing the bus: {told}" in hub.tail()
        check = subprocess.run([hub_program(), "check"], env=hub._environment, capture_output=True, text=True, timeout=60)
        assert check.returncode != 0 and told in check.stdout + check.stderr
