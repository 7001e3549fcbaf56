"""One user, one position, three transports: each continues at the position of the one before."""

import asyncio
import itertools
import random

import pytest

from fallback import Talk, command, poll, requests, seqs, session, stream
from httpclients import TRANSPORTS, EventStreamClient, PollClient, ShortPollClient
from hubclient import Client
from rig import event, person


class Keeper:
    """The state of a careful client: its position, and each entry once."""

    def __init__(self):
        self.position, self.kept, self.doubles = 0, [], 0

    def take(self, entries):
        for entry in entries:
            if entry["seq"] <= self.position:
                self.doubles += 1
                continue
            assert entry["seq"] == self.position + 1, f"a gap before {entry['seq']}, at {self.position}"
            self.position += 1
            self.kept.append(entry["id"])


async def pour(hub, name, total):
    for start in range(0, total, 20):
        await asyncio.to_thread(hub.kafka.produce, *[event(f"user:{name}", id=str(start + i)) for i in range(20)], key=name)
        await asyncio.sleep(0.02)


async def test_from_websocket_by_stream_to_polling_every_entry_once(hub):
    name, total = person(), 400
    keeper, pouring = Keeper(), None
    for number, kind in enumerate((Client, EventStreamClient, PollClient, ShortPollClient)):
        client = await kind.connect(hub.socket_url, hub.token(name), {"inbox": keeper.position})
        pouring = pouring or asyncio.create_task(pour(hub, name, total))
        want = (number + 1) * total // 4
        keeper.take(await client.entries("inbox", want - keeper.position, seconds=40))
        client.drop()
    await pouring
    assert keeper.kept == [str(i) for i in range(total)]


async def test_any_order_of_transports_at_random_moments(hub):
    name, total, chance = person(), 400, random.Random(7)
    keeper = Keeper()
    pouring = asyncio.create_task(pour(hub, name, total))
    async with asyncio.timeout(100):
        while keeper.position < total:
            kind = chance.choice([*TRANSPORTS.values(), ShortPollClient])
            client = await kind.connect(hub.socket_url, hub.token(name), {"inbox": keeper.position})
            await asyncio.sleep(chance.uniform(0.02, 0.4))
            client.drop()
            keeper.take(client.entries_of("inbox"))
    await pouring
    assert keeper.kept == [str(i) for i in range(total)]


async def test_one_session_between_stream_and_polling_every_entry_once(hub):
    """The same session, whose transports change while entries pour in: the position is what carries over."""
    name, total, chance = person(), 400, random.Random(11)
    client = await EventStreamClient.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    credential, keeper = client.credential, Keeper()
    pouring = asyncio.create_task(pour(hub, name, total))
    async with asyncio.timeout(100):
        while True:
            await asyncio.sleep(chance.uniform(0.02, 0.4))
            client.drop()
            keeper.take(client.entries_of("inbox"))
            if keeper.position == total:
                break
            position = client.position if isinstance(client, EventStreamClient) else client.after
            kind = chance.choice([EventStreamClient, PollClient, ShortPollClient])
            client = await kind.resumed(hub.socket_url, credential, position)
    await pouring
    assert keeper.kept == [str(i) for i in range(total)]


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(TRANSPORTS, 2)))
async def test_an_entry_of_one_transport_is_acknowledged_on_another(hub, first, second):
    name = person()
    one = await TRANSPORTS[first].connect(hub.socket_url, hub.token(name), {"inbox": 0})
    await asyncio.to_thread(hub.kafka.produce, *[event(f"user:{name}") for _ in range(5)], key=name)
    await one.entries("inbox", 5)
    await one.ask("ack", channel="inbox", seq=2)
    one.drop()
    # It says what it has, and so may acknowledge it.
    two = await TRANSPORTS[second].connect(hub.socket_url, hub.token(name), {"inbox": 5})
    assert next(state for state in two.welcome["channels"] if state["channel"] == "inbox")["delivered"] == 2
    assert (await two.ask("ack", channel="inbox", seq=5))["delivered"] == 5
    assert (await two.ask("mark-read", channel="inbox", all=True))["unread"] == 0


async def test_within_a_session_an_entry_of_the_stream_is_acknowledged_while_polling(brisk):
    talk = await Talk.begin(brisk)
    async with requests(brisk) as http:
        async with stream(http, talk.query, Authorization=f"Bearer {talk.token}") as events:
            credential = (await events.frame("reply"))["ok"]["credential"]
            await talk.write(2)
            position = await events.id_behind(2, talk.channel)
        await talk.write(1)
        # The state is told again, perhaps before the entry comes.
        seen = []
        async with asyncio.timeout(10):
            while not seen:
                position, frames = await poll(http, credential, 2, after=position)
                seen = seqs(frames)
        assert seen == [3]
        assert (await command(http, credential, "ack", channel=talk.channel, seq=2))["delivered"] == 2
        assert (await command(http, credential, "ack", channel=talk.channel, seq=3))["delivered"] == 3
        async with stream(http, **session(credential), Last_Event_ID=position) as events:
            await talk.write(1)
            await events.frame("entry", seq=4)
            assert seqs(events.heard) == [4]


async def test_a_position_says_what_a_new_session_may_acknowledge(brisk):
    talk = await Talk.begin(brisk)
    async with requests(brisk) as http:
        async with stream(http, talk.query, Authorization=f"Bearer {talk.token}") as events:
            await events.frame("reply")
            await talk.write(3)
            position = await events.id_behind(3, talk.channel)
        position, frames = await poll(http, token=talk.token, after=position)
        credential = frames[0]["ok"]["credential"]
        assert (await command(http, credential, "ack", channel=talk.channel, seq=3))["delivered"] == 3
