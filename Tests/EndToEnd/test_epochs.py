"""Drills: the database goes back to an earlier state, and connected clients neither miss nor mix up an entry."""

import asyncio

import pytest

from conftest import Platform
from hubclient import Client
from processes import hub_program, run, wait_until
from rig import Postgres, event, person, query

RESTORED = 4202


@pytest.fixture
def own():
    """A platform whose database one test takes back."""
    platform = Platform()
    try:
        yield platform
    finally:
        platform.wipe()


async def entries(client, count):
    found = {}
    while len(found) < count:
        entry = await client.next("entry", channel="inbox")
        found[entry["seq"]] = entry["id"]
    return found


async def publish(hub, user, *ids):
    await asyncio.to_thread(hub.kafka.produce, *[event(f"user:{user}", id=id) for id in ids], key=user)


async def connect(hub, token, **position):
    client = await Client.open(hub.socket_url)
    client.welcome = await client.ask("connect", token=token, channels=[{"channel": "inbox", **position}])
    return client


async def follow_to_five(hub, user, at_two):
    """Entries 1 to 5 for a connected client; `at_two` is called when 2 are stored. The client and its epoch."""
    token = hub.token(user)
    await publish(hub, user, "one", "two")
    client = await connect(hub, token, since=0)
    assert await entries(client, 2) == {1: "one", 2: "two"}
    await asyncio.to_thread(at_two)
    epoch = client.welcome["epoch"]
    client = await connect(hub, token, since=2, epoch=epoch)
    assert client.welcome["epoch"] == epoch and "refused" not in client.welcome, "a restart or a replica changes nothing"
    await publish(hub, user, "three", "four", "five")
    assert await entries(client, 3) == {3: "three", 4: "four", 5: "five"}
    return client, epoch


async def check_after(hub, user, client, epoch):
    """The client of before is told, and the numbers that are given again do not hide entries from it."""
    assert await client.closed(30) == RESTORED
    await publish(hub, user, "six", "seven", "eight", "nine")
    token = hub.token(user)
    fresh = await connect(hub, token, since=0)
    found = await entries(fresh, 9)
    ids = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    assert found == dict(enumerate(ids, 1)), "what the database had lost came from Kafka again"
    assert fresh.welcome["epoch"] != epoch
    back = await connect(hub, token, since=5, epoch=epoch)
    assert back.welcome["refused"] == [{"channel": "inbox", "code": "position_unknown"}]
    back = await connect(hub, token, since=2, epoch=fresh.welcome["epoch"])
    assert "refused" not in back.welcome and 3 in await entries(back, 7)


async def test_a_restore_under_a_running_hub(own):
    database = own.database
    async with own.running("restore") as hub:
        hub.keep_address()

        saved = []

        def back_up():
            database.stop()
            saved.append(database.save())
            database.start()

        user = person("ann")
        client, epoch = await follow_to_five(hub, user, back_up)
        await asyncio.to_thread(database.stop)
        await asyncio.to_thread(database.restore, saved[0])
        await asyncio.to_thread(database.start)
        await check_after(hub, user, client, epoch)
        assert query(database.url, "select count(*) from hub.epoch") == [(2,)]


async def test_the_promotion_of_a_replica_that_had_not_received_everything(own):
    primary = own.database
    standbys = []
    primary_url, primary.url = primary.url, None

    def stand_by():
        standbys.append(primary.standby())
        standbys[0].stop()

    # Both addresses are configured, as operators do; libpq takes the one that can be written to.
    try:
        stand_by()
        standby = standbys[0]
        primary.url = (
            f"postgresql://hub@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/hub?target_session_attrs=read-write")

        def catch_up():
            standby.start()
            reached = query(primary_url, "select pg_current_wal_lsn()::text")[0][0]
            wait = f"select pg_last_wal_replay_lsn() >= '{reached}'::pg_lsn"
            address = f"postgresql://hub@127.0.0.1:{standby.port}/hub"
            wait_until(lambda: query(address, wait) == [(True,)], "the standby has what the primary has")
            standby.stop()

        async with own.running("failover") as hub:
            hub.keep_address()
            user = person("ann")
            client, epoch = await follow_to_five(hub, user, catch_up)
            await asyncio.to_thread(primary.stop, "immediate")
            await asyncio.to_thread(standby.start)
            await asyncio.to_thread(standby.promote)
            await check_after(hub, user, client, epoch)
    finally:
        for standby in standbys:
            standby.wipe()


async def test_an_operator_tells_what_a_stopped_hub_could_not_see(own):
    database = own.database
    hub = own.hub("told")
    await asyncio.to_thread(hub.start)
    hub.keep_address()
    user = person("ann")
    token = hub.token(user)
    await publish(hub, user, "one")
    client = await connect(hub, token, since=0)
    await entries(client, 1)
    epoch = client.welcome["epoch"]
    assert run(hub_program(), "restored", env={**hub._environment}).startswith("epoch ")
    assert await client.closed(30) == RESTORED
    back = await connect(hub, token, since=1, epoch=epoch)
    assert back.welcome["refused"] == [{"channel": "inbox", "code": "position_unknown"}]
    await asyncio.to_thread(hub.stop)
    assert query(database.url, "select reason from hub.epoch order by number desc limit 1") == [("hub restored",)]
