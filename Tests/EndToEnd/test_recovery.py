"""Nothing is lost: resuming, slow readers, a killed hub, a stopped database, a broker that goes away."""

import asyncio
import json
import time
import urllib.request

from fallback import requests
from httpclients import TRANSPORTS, refusal_of
from hubclient import Client, Lost, Refused
from rig import event, person, query


async def test_resuming_brings_what_is_missing_once_and_in_order(hub, Client):
    name = person()
    token = hub.token(name)
    client = await Client.connect(hub.socket_url, token, {"inbox": 0})
    hub.kafka.produce(*[event(f"user:{name}") for _ in range(10)], key=name)
    await client.entries("inbox", 10)
    client.drop()
    hub.kafka.produce(*[event(f"user:{name}") for _ in range(250)], key=name)
    client = await Client.connect(hub.socket_url, token, {"inbox": 10})
    entries = await client.entries("inbox", 250)
    assert [entry["seq"] for entry in entries] == list(range(11, 261))
    live = await client.next("signal", signal="live")
    assert 10 <= live["seq"] <= 260
    replayed = [entry["seq"] for entry in entries if entry.get("replay")]
    assert replayed == list(range(11, live["seq"] + 1)), "replay, the marker, then live"


async def test_no_entry_is_lost_between_history_and_live(hub, Client):
    """Users subscribe again and again while many entries arrive."""
    name = person()
    token = hub.token(name)
    total = 1_500

    async def pour():
        for start in range(0, total, 50):
            await asyncio.to_thread(hub.kafka.produce, *[event(f"user:{name}", id=str(start + i)) for i in range(50)], key=name)

    async def follow():
        seen = []
        while len(seen) < total:
            client = await Client.connect(hub.socket_url, token, {"inbox": len(seen)})
            want = min(total, len(seen) + 40)
            try:
                entries = await client.entries("inbox", want - len(seen), seconds=60)
            finally:
                client.drop()
            for entry in entries:
                assert entry["seq"] == len(seen) + 1
                seen.append(entry["id"])
        return seen

    pouring = asyncio.create_task(pour())
    results = await asyncio.gather(*[follow() for _ in range(4)])
    await pouring
    assert all(result == [str(i) for i in range(total)] for result in results)


async def test_a_slow_reader_gets_everything_and_holds_nobody_up(hub, Client):
    name, other = person("slow"), person("quick")
    slow = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    quick = await Client.connect(hub.socket_url, hub.token(other), {"inbox": 0})
    slow.pause()
    body = "x" * 4_000
    for start in range(0, 1_200, 200):
        records = [event(f"user:{name}", f"user:{other}", id=str(start + i), body=body) for i in range(200)]
        await asyncio.to_thread(hub.kafka.produce, *records, key=name)
    began = time.monotonic()
    assert len(await quick.entries("inbox", 1_200, seconds=60)) == 1_200
    assert time.monotonic() - began < 60
    slow.resume()
    entries = await slow.entries("inbox", 1_200, seconds=60)
    assert [entry["seq"] for entry in entries] == list(range(1, 1_201))


class Persistent:
    """A device of a user: it reconnects after each lost connection, and keeps its entries."""

    def __init__(self, hub, name, Client):
        self.hub, self.name, self.Client = hub, name, Client
        self.has, self.acked = [], 0

    async def run(self, until):
        while len(self.has) < until:
            try:
                client = await self.Client.connect(self.hub.socket_url, self.hub.token(self.name), {"inbox": len(self.has)})
                await self._follow(client, until)
            except (OSError, Lost, Refused, asyncio.TimeoutError, AssertionError, EOFError):
                await asyncio.sleep(0.1)
            except Exception as error:
                if type(error).__module__.partition(".")[0] not in ("websockets", "httpx"):
                    raise
                await asyncio.sleep(0.1)

    async def _follow(self, client, until):
        index = 0
        while len(self.has) < until:
            await client._until(lambda: len(client.heard) > index or None, "news", 60)
            for frame in client.heard[index:]:
                index += 1
                if frame["type"] == "entry" and frame["seq"] == len(self.has) + 1:
                    self.has.append(frame["id"])
            if len(self.has) > self.acked:
                self.acked = max(self.acked, (await client.ask("ack", channel="inbox", seq=len(self.has)))["delivered"])


async def test_a_killed_hub_loses_nothing_that_was_answered(platform):
    async with platform.running("killed") as hub:
        hub.keep_address()
        names = [person("k") for _ in range(6)]
        devices = [Persistent(hub, name, Client) for name, Client in zip(names, [*TRANSPORTS.values()] * 2)]
        total = 600
        running = [asyncio.create_task(device.run(total)) for device in devices]
        try:
            for start in range(0, total, 100):
                records = [event(*[f"user:{name}" for name in names], id=str(start + i)) for i in range(100)]
                await asyncio.to_thread(platform.broker.produce, *records, key="k")
                if start % 200 == 100:
                    await asyncio.sleep(0.2)
                    hub.kill()
                    await asyncio.to_thread(hub.start)
            await asyncio.wait_for(asyncio.gather(*running), 90)
        finally:
            for task in running:
                task.cancel()
        for device in devices:
            assert device.has == [str(i) for i in range(total)]
            rows = query(
                platform.database.url,
                "SELECT delivered, last_seq FROM hub.cursor JOIN hub.channel ON channel.id = channel_id WHERE name = %s AND user_id = %s",
                f"inbox:{device.name}", device.name)
            assert rows[0][0] >= device.acked and rows[0][1] == total


async def test_while_postgres_hangs_a_session_cannot_be_opened_for_now(platform):
    async with platform.running("postgres-hangs") as hub:
        bearer = {"Authorization": f"Bearer {hub.token(person())}"}
        async with requests(hub) as http:
            with platform.database.frozen():
                answers = await asyncio.gather(
                    http.post("/v1/commands", content='{"id":1,"type":"connect"}', headers=bearer),
                    http.post("/v1/poll", headers=bearer), http.get("/v1/events", headers=bearer))
            # The commands are answered with the reply to `connect`, the others with its error.
            codes = [json.loads(answers[0].text)["error"]["code"]] + [refusal_of(answer)["code"] for answer in answers[1:]]
            assert codes == ["unavailable"] * 3
            assert [(answer.status_code, answer.headers["Retry-After"]) for answer in answers] == [(503, "1")] * 3
            async with asyncio.timeout(40):
                while (await http.post("/v1/poll", headers=bearer)).status_code == 503:
                    await asyncio.sleep(0.5)


async def test_while_postgres_is_away_commands_are_unavailable_and_then_succeed(platform):
    """All transports in one test, because stopping the database takes longer than the test."""
    async with platform.running("postgres-away", extra={"HUB_LIMITS_CONNECT_WITHIN": "60s"}) as hub:
        name = person()
        clients = [await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0}) for Client in TRANSPORTS.values()]
        platform.broker.produce(event(f"user:{name}"), key=name)
        for client in clients:
            await client.next("entry")
        await asyncio.to_thread(platform.database.stop, "immediate")
        try:
            late = []

            async def all_refused(*answers):
                refused = await asyncio.gather(*answers, return_exceptions=True)
                assert [(one.code, one.temporary) for one in refused] == [("unavailable", True)] * len(refused), refused

            await all_refused(*[client.ask("ack", channel="inbox", seq=1, seconds=40) for client in clients])
            late += [await Client.open(hub.socket_url) for Client in TRANSPORTS.values()]
            connect = {"token": hub.token(name), "channels": [{"channel": "inbox", "since": 0}], "seconds": 40}
            await all_refused(*[one.ask("connect", **connect) for one in late])
            assert [one.status for one in late if one.transport != "websocket"] == [503, 503]
            for client in clients:
                await client.quiet()
            platform.broker.produce(event(f"user:{name}"), key=name)
        finally:
            await asyncio.to_thread(platform.database.start)

        async def try_again(one):
            # The hub's connections to PostgreSQL come back one by one: what is told to be temporary is tried again.
            while True:
                try:
                    await one.ask("connect", **connect)
                    break
                except Refused as refused:
                    assert refused.temporary
                    await asyncio.sleep(0.05)
            assert [entry["seq"] for entry in await one.entries("inbox", 2, seconds=40)] == [1, 2], "the same connection may try again"

        async def go_on(client):
            assert (await client.next("entry", seconds=40))["seq"] == 2, "the event waited in Kafka"
            assert (await client.ask("ack", channel="inbox", seq=2))["delivered"] == 2

        await asyncio.gather(*[try_again(one) for one in late], *[go_on(client) for client in clients])


async def test_a_broker_that_goes_away_comes_back_without_a_restart(platform):
    async with platform.running("broker-away") as hub:
        name = person()
        clients = [await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0}) for Client in TRANSPORTS.values()]
        platform.broker.down()
        try:
            for client in clients:
                sent = await client.ask("send", to=f"someone-{client.transport}", key="1", body="sans Kafka")
                assert sent["seq"] == 1, "messages do not need Kafka"
        finally:
            platform.broker.up()
        platform.broker.produce(event(f"user:{name}"), key=name)
        for client in clients:
            assert (await client.next("entry", seconds=40))["seq"] == 1


async def test_stopping_sends_bye_and_is_quick(platform):
    async with platform.running("goodbye") as hub:
        clients = [await Client.connect(hub.socket_url, hub.token(person()), {"inbox": 0}) for Client in TRANSPORTS.values()]
        for client in clients:
            await client.quiet()
        await asyncio.sleep(0.2)  # the poll waits again
        began = time.monotonic()
        stopping = asyncio.create_task(asyncio.to_thread(hub.interrupt))
        for client in clients:
            bye = await client.next("bye")
            assert (bye["code"], bye["reason"], bye["reconnect"]) == (4200, "draining", True)
            assert await client.closed() == 4200
        assert await stopping == 0
        assert time.monotonic() - began < 6, "nobody is left to wait for"


def metric(hub, name):
    with urllib.request.urlopen(f"{hub.url}/metrics") as answer:
        assert answer.headers["Date"].endswith(" GMT")
        return next(float(line.split()[1]) for line in answer.read().decode().splitlines() if line.startswith(name + " "))


async def test_a_second_hub_on_one_database_reports_it_and_serves(platform):
    async with platform.running("alone") as first:
        assert metric(first, "hub_other_hub") == 0
        async with platform.running("second", extra={"HUB_KAFKA_GROUP": "second"}) as second:
            async with asyncio.timeout(30):
                while metric(second, "hub_other_hub") == 0:
                    await asyncio.sleep(0.1)
            assert "another hub works on this database" in second.log.read_text()
            async with asyncio.timeout(30):
                while metric(first, "hub_other_hub") == 0:
                    await asyncio.sleep(0.1)
            client = await Client.connect(second.socket_url, second.token(person()))
            await client.quiet()
            await asyncio.to_thread(first.stop)
            async with asyncio.timeout(30):
                while metric(second, "hub_other_hub") == 1:
                    await asyncio.sleep(0.1)
