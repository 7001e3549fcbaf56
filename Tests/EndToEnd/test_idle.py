"""`limits.idle`: a page whose user is idle is disconnected on every transport; programs are not."""

import asyncio

from conftest import ALLOWED_ORIGIN
from httpclients import TRANSPORTS
from hubclient import Client, Lost
from rig import event, person


async def test_a_page_without_activity_is_disconnected(brisk):
    """All transports in one test, because each waits some seconds."""

    async def one(kind, *, origin=None, does=None):
        client = await kind.connect(brisk.socket_url, brisk.token(person()), {"inbox": 0}, origin=origin)
        try:
            for _ in range(9):
                await asyncio.sleep(1)
                if does:
                    await client.ask(does)
        except Lost:
            pass
        return client

    async def all_of(**how):
        return await asyncio.gather(*[one(kind, **how) for kind in TRANSPORTS.values()])

    page, pinging, active, program = await asyncio.gather(
        all_of(origin=ALLOWED_ORIGIN), all_of(origin=ALLOWED_ORIGIN, does="ping"), all_of(origin=ALLOWED_ORIGIN, does="activity"), all_of())
    for client in page + pinging:
        bye = await client.next("bye")
        assert (bye["code"], bye["reason"], bye["reconnect"]) == (4104, "idle", True), client.transport
        assert await client.closed() == 4104
    for client in active + program:
        assert not client.ended.is_set(), client.transport
        await client.quiet()


async def test_pushes_to_a_user_do_not_count_as_activity(brisk):
    name = person()
    program = await Client.connect(brisk.socket_url, brisk.token(name), {"inbox": 0})
    await asyncio.to_thread(brisk.kafka.produce, event(f"user:{name}"), key=name)
    await program.next("entry", seconds=30)  # Kafka is ready
    how = {"origin": ALLOWED_ORIGIN}
    clients = [await kind.connect(brisk.socket_url, brisk.token(name), {"inbox": 0}, **how) for kind in TRANSPORTS.values()]
    for _ in range(3):
        await asyncio.sleep(1)
        await asyncio.to_thread(brisk.kafka.produce, event(f"user:{name}"), key=name)
    for client in clients:
        assert (await client.next("bye", seconds=6))["code"] == 4104
        assert [entry["seq"] for entry in client.entries_of("inbox")] == [1, 2, 3, 4]
    # Back in one frame, with all that has come meanwhile.
    await asyncio.to_thread(brisk.kafka.produce, event(f"user:{name}"), key=name)
    for kind in TRANSPORTS.values():
        back = await kind.connect(brisk.socket_url, brisk.token(name), {"inbox": 4}, **how)
        assert [entry["seq"] for entry in await back.entries("inbox", 1)] == [5]
