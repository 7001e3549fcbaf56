"""The database goes back to an earlier state, as after a restore from a backup: events that it lacks are read from Kafka again."""

import asyncio

from processes import wait_until
from rig import event, person, query
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
        await asyncio.to_thread(hub.stop)
        await asyncio.to_thread(platform.database.stop)
        platform.database.restore(saved)
        await asyncio.to_thread(platform.database.start)
        assert stored(platform, name) == ["1", "2"]
        await asyncio.to_thread(hub.start)
        await asyncio.to_thread(wait_until, lambda: stored(platform, name) == ["1", "2", "3", "4", "5"], "the three events", 30)
