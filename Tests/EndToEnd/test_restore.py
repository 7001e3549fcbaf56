"""The database goes back to an earlier state, as after a restore from a backup: events that it lacks are read from Kafka again."""

import asyncio
import subprocess

from hubclient import Client
from processes import hub_program, run, wait_until
from rig import Postgres, StandaloneHub, event, person, query
from test_recovery import metric


def stored(platform, name):
    return [row[0] for row in query(
        platform.database.url,
        "SELECT source_id FROM hub.entry JOIN hub.channel ON channel.id = channel_id WHERE name = %s ORDER BY seq", f"inbox:{name}")]


async def store(platform, name, *ids):
    """Publishes events and waits until the database has them."""
    await asyncio.to_thread(platform.broker.produce, *[event(f"user:{name}", id=id) for id in ids], key=name)
    await asyncio.to_thread(wait_until, lambda: set(ids) <= set(stored(platform, name)), f"{ids} in the database")


async def backup_between(platform, name):
    """Two events are in the backup that is returned, three are stored after it."""
    await store(platform, name, "1", "2")
    await asyncio.to_thread(platform.database.stop)
    saved = platform.database.save()
    await asyncio.to_thread(platform.database.start)
    await store(platform, name, "3", "4", "5")
    return saved


async def test_events_that_a_restored_database_lacks_are_stored_again_while_the_hub_runs(platform):
    async with platform.running("restored-below") as hub:
        name = person()
        saved = await backup_between(platform, name)
        await asyncio.to_thread(platform.database.stop, "immediate")
        platform.database.restore(saved)
        # Nothing new comes: the hub notices by itself.
        await asyncio.to_thread(platform.database.start)
        await asyncio.to_thread(wait_until, lambda: stored(platform, name) == ["1", "2", "3", "4", "5"], "the three events", 30)
        assert metric(hub, "hub_intake_rewinds_total") >= 1
        assert metric(hub, "hub_intake_rewound_records_total") >= 3
        assert "the database is behind what was stored" in hub.log.read_text()
        # New events wait in Kafka while the database is away and goes back again: they come after those that are missing.
        await asyncio.to_thread(platform.database.stop, "immediate")
        await asyncio.to_thread(platform.broker.produce, *[event(f"user:{name}", id=id) for id in ("6", "7")], key=name)
        platform.database.restore(saved)
        await asyncio.to_thread(platform.database.start)
        await asyncio.to_thread(
            wait_until, lambda: stored(platform, name) == ["1", "2", "3", "4", "5", "6", "7"], "all in their order", 30)


async def test_events_that_a_restored_database_lacks_are_stored_again_by_the_next_start(platform):
    async with platform.running("restored-between") as hub:
        name = person()
        saved = await backup_between(platform, name)
        await asyncio.to_thread(wait_until, lambda: metric(hub, "hub_kafka_lag_records") == 0, "everything to be stored")
        token = hub.token(name)
        epoch = (await Client.connect(hub.socket_url, token, {"inbox": 5})).welcome["epoch"]
        await asyncio.to_thread(hub.stop)
        await asyncio.to_thread(platform.database.stop)
        platform.database.restore(saved)
        await asyncio.to_thread(platform.database.start)
        assert stored(platform, name) == ["1", "2"]
        await asyncio.to_thread(hub.start)
        await asyncio.to_thread(wait_until, lambda: stored(platform, name) == ["1", "2", "3", "4", "5"], "the three events", 30)
        # The hub that starts has seen nothing of the numbers that are given again. Kafka tells it.
        await asyncio.to_thread(wait_until, lambda: metric(hub, "hub_store_epoch_changes_total") == 1, "a new epoch", 30)
        client = await Client.open(hub.socket_url)
        welcome = await client.ask("connect", token=token, channels=[{"channel": "inbox", "since": 5, "epoch": epoch}])
        assert welcome["epoch"] != epoch
        assert welcome["refused"] == [{"channel": "inbox", "code": "position_unknown"}]


def check(hub):
    """What `hub check` says of the database."""
    done = subprocess.run([hub_program(), "check"], env=hub._environment, capture_output=True, text=True, timeout=60)
    return [line for line in done.stdout.splitlines() if line[5:].startswith("database:")]


async def test_a_standby_that_no_commit_waits_for_is_a_warning(platform):
    database = Postgres("followed")
    try:
        hub = StandaloneHub(database, platform.broker, platform.issuer, name="followed")
        assert [line[:4] for line in check(hub)] == ["ok  "]
        standby = database.standby()
        try:
            wait_until(lambda: query(database.url, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")[0][0] == 1, "the standby")
            warned = check(hub)
            assert [line[:4] for line in warned] == ["warn", "ok  "] and "1 standby(s)" in warned[0]
            run("psql", "-qX", database.url, "-c", "ALTER SYSTEM SET synchronous_standby_names = '*'", "-c", "SELECT pg_reload_conf()")
            wait_until(lambda: query(database.url, "SHOW synchronous_standby_names")[0][0] == "*", "the setting")
            assert [line[:4] for line in check(hub)] == ["ok  "]
        finally:
            standby.wipe()
    finally:
        database.wipe()
