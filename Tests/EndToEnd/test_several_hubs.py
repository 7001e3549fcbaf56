"""Two hubs on one database: what one of them stores, the clients of the other see."""

import asyncio
import contextlib
import json
import re
import signal
import subprocess

import pytest
from websockets.exceptions import InvalidStatus

import protocol
import proxies
from hubclient import Client, Lost, Refused
from processes import hub_program, run
from redisserver import Redis
from rig import event, person
from test_operation import answer_of
from test_recovery import metric


@pytest.fixture(scope="module")
def redis():
    server = Redis()
    yield server
    server.wipe()


def over(engine, redis):
    """The settings of a bus with this engine. The mock broker answers a fetch only when its wait is over."""
    return {
        "HUB_BUS": engine, **({"HUB_REDIS_URL": redis.url} if engine == "redis" else {}),
        **({"HUB_KAFKA_FETCH_WAIT": "5ms"} if engine == "kafka" else {})}


ENGINES = ["postgres", "kafka", "redis"]


@pytest.fixture(scope="module", params=ENGINES)
def two(platform, redis, request):
    """Two hubs of one consumer group: the partitions are read by either."""
    group = {"HUB_KAFKA_GROUP": f"two-{request.param}", "HUB_PRESENCE": "true", **over(request.param, redis)}
    left, right = platform.hub("left", extra=group), platform.hub("right", extra=group)
    left.start()
    right.start()
    yield left, right
    left.stop()
    right.stop()


async def together(hubs, *names, follow=None):
    """A client of each user, on alternating hubs."""
    return [
        await Client.connect(hubs[index % 2].socket_url, hubs[index % 2].token(name), follow or {"inbox": 0}) for index, name in enumerate(names)
    ]


async def test_each_hub_knows_the_other(two):
    for hub in two:
        async with asyncio.timeout(20):
            while await asyncio.to_thread(metric, hub, "hub_nodes") < 2:
                await asyncio.sleep(0.1)
    heads, *lines = run(hub_program(), "nodes", env={**two[0]._environment}).splitlines()
    assert heads.split() == ["NAME", "VERSION", "SINCE", "STATE", "SESSIONS", "LAG", "JOURNAL", "BUS", "SCHEMA"]
    bus = two[0]._environment.get("HUB_BUS", "postgres")
    assert len([line for line in lines if " serving " in line and f" {bus}" in line]) >= 2, lines
    async with asyncio.timeout(20):
        listed = nodes(two[0])
        while any(node["here"] and (node["journal_ms"] is None or not node["hears"]) for node in listed):
            await asyncio.sleep(0.1)
            listed = nodes(two[0])
    for hub in two:
        [own] = [node for node in listed if node["name"].endswith(f"-{hub.address[1]}")]
        assert (own["here"], own["stage"], own["bus"], own["hears"]) == (True, "serving", bus, True)
        assert own["journal_ms"] < 10_000 and own["lag"] is not None and own["schema"] > 12


def nodes(hub):
    return [json.loads(line) for line in run(hub_program(), "nodes", "--json", env={**hub._environment}).splitlines()]


async def name_of(hub):
    """Its name, once it is listed: a moment after its start."""
    async with asyncio.timeout(20):
        while True:
            for node in await asyncio.to_thread(nodes, hub):
                if node["here"] and node["name"].endswith(f"-{hub.address[1]}"):
                    return node["name"]
            await asyncio.sleep(0.1)


async def test_an_operator_sees_who_is_connected_anywhere(two):
    name = person()
    await together(two, name, name)
    names = sorted([await name_of(hub) for hub in two])
    said = json.loads(await asyncio.to_thread(run, hub_program(), "sessions", name, "--json", env={**two[0]._environment}))
    assert said["silent"] == [] and said["asked"] == said["answered"] >= 2
    assert sorted(one["node"] for one in said["sessions"]) == names
    assert {one["transport"] for one in said["sessions"]} == {"websocket"}
    text = await asyncio.to_thread(run, hub_program(), "sessions", name, env={**two[0]._environment})
    assert text.splitlines()[-1] == f"{said['asked']} of {said['asked']} nodes answered"


async def test_a_question_reaches_every_hub_at_once_whatever_their_bus_is(two):
    for hub in two:
        await name_of(hub)
    before = [await asyncio.to_thread(metric, hub, "hub_bus_heard_total") for hub in two]
    said = json.loads(await asyncio.to_thread(run, hub_program(), "sessions", person(), "--json", env={**two[0]._environment}))
    assert said["silent"] == []
    for hub, heard in zip(two, before):
        assert await asyncio.to_thread(metric, hub, "hub_bus_heard_total") > heard, "told, and not found with the next beat"


async def test_a_drained_hub_sends_its_clients_away_and_comes_back(platform):
    extra = {"HUB_KAFKA_GROUP": "drained", "HUB_DRAIN_SPREAD": "1s"}
    left, right = platform.hub("drained", extra=extra), platform.hub("taker", extra=extra)
    await asyncio.to_thread(left.start)
    await asyncio.to_thread(right.start)
    environment = {**left._environment}
    try:
        name, there = await name_of(left), await name_of(right)
        clients = [await Client.connect(left.socket_url, left.token(person()), {"inbox": 0}) for _ in range(10)]
        said = await asyncio.to_thread(run, hub_program(), "drain", name, "--window", "2s", env=environment)
        assert said.startswith(f"{name} drains: 10 sessions are told within 2s")
        for client in clients:
            bye = await client.next("bye", seconds=10)
            assert (bye["code"], bye["reason"]) == (4200, "draining")
        status, text = answer_of(left, "/readyz")
        assert status == 503 and "not ready: draining or starting" in text
        assert metric(left, "hub_draining") == 1
        with pytest.raises(InvalidStatus, match="503"):
            await Client.connect(left.socket_url, left.token(person()), {"inbox": 0})
        protocol.violations[:] = [line for line in protocol.violations if "503" not in line]
        async with asyncio.timeout(20):
            while next(node for node in nodes(left) if node["name"] == name)["stage"] != "drained":
                await asyncio.sleep(0.2)
        assert next(node for node in nodes(left) if node["name"] == there)["stage"] == "serving"
        # It goes on with its part of Kafka, and with its place among the hubs.
        client = await Client.connect(right.socket_url, right.token("everyone"), {"inbox": 0})
        left.kafka.produce(*[event("user:everyone") for _ in range(20)])
        assert len(await client.entries("inbox", 20, seconds=30)) == 20
        said = await asyncio.to_thread(run, hub_program(), "drain", name, "--undo", env=environment)
        assert said.strip() == f"{name} takes sessions again"
        assert answer_of(left, "/readyz")[0] == 200
        await Client.connect(left.socket_url, left.token(person()), {"inbox": 0})
        # A clean end takes the row away at once; a killed hub's stays until it is forgotten.
        await asyncio.to_thread(left.stop)
        assert [node["name"] for node in nodes(right) if node["name"] == name] == []
        for wrong, words in (("nobody", f"no hub is called nobody; there are: "), (name, f"no hub is called {name}")):
            ended = subprocess.run([hub_program(), "drain", wrong], env=environment, capture_output=True, text=True)
            assert ended.returncode == 64 and words in ended.stderr, ended.stderr
        right.kill()
        async with asyncio.timeout(20):
            while next(node for node in nodes(right) if node["name"] == there)["here"]:
                await asyncio.sleep(0.3)
        ended = subprocess.run([hub_program(), "drain", there], env=environment, capture_output=True, text=True)
        assert ended.returncode == 69 and "it has ended or cannot reach the database" in ended.stderr
    finally:
        left.kill()
        right.kill()


async def test_an_event_reaches_the_sessions_of_a_user_on_both_hubs(two):
    name = person()
    clients = await together(two, name, name)
    for number in range(20):
        two[0].kafka.produce(event(f"user:{name}", title=f"{number}"), key=name)
    for client in clients:
        assert [entry["seq"] for entry in await client.entries("inbox", 20)] == list(range(1, 21))


async def test_a_broadcast_reaches_everyone_on_both_hubs_once_and_in_order(two):
    one = person("u")
    channel = f"broadcast:institution:{one}"
    clients = []
    for index in range(20):
        hub = two[index % 2]
        clients.append(await Client.connect(hub.socket_url, hub.token(person(), institution=one), {channel: 0}))
    # Without a key: the records go to all partitions, so both hubs store entries of the channel.
    two[0].kafka.produce(*[event(channel, title=f"{number}") for number in range(200)])
    for client in clients:
        assert [entry["seq"] for entry in await client.entries(channel, 200, seconds=40)] == list(range(1, 201))


async def test_people_on_two_hubs_write_to_each_other(two):
    ann, bob = person("ann"), person("bob")
    at_left, at_right = await together(two, ann, bob)
    opened = await at_left.ask("open", **{"with": bob})
    channel = opened["channel"]
    assert (await at_right.next("signal", signal="conversation"))["channel"] == channel
    await at_right.ask("subscribe", channel=channel, since=0)
    await at_left.ask("subscribe", channel=channel, since=0)
    for number in range(10):
        writer = (at_left, at_right)[number % 2]
        await writer.ask("send", channel=channel, key=f"k{number}", body=f"{number}")
    for client in (at_left, at_right):
        assert [entry["data"]["body"] if "data" in entry else entry["body"] for entry in await client.entries(channel, 10)] == [
            str(number) for number in range(10)]
    await at_right.ask("mark-read", channel=channel, all=True)
    receipt = await at_left.next("receipt", channel=channel, read=10)
    assert receipt["user"] == bob


async def test_progress_on_one_hub_shows_on_the_other(two):
    name = person()
    here, there = await together(two, name, name)
    two[0].kafka.produce(*[event(f"user:{name}") for _ in range(3)], key=name)
    await here.entries("inbox", 3)
    await there.entries("inbox", 3)
    await here.ask("mark-read", channel="inbox", all=True)
    cursor = await there.next("cursor", channel="inbox")
    while cursor["read"] != 3:
        cursor = await there.next("cursor", channel="inbox")


async def test_activity_in_a_conversation_that_is_not_followed_crosses(two):
    ann, bob = person("ann"), person("bob")
    at_left, at_right = await together(two, ann, bob)
    channel = (await at_left.ask("open", **{"with": bob}))["channel"]
    await at_right.next("signal", signal="conversation")
    await at_left.ask("send", channel=channel, key="k", body="hello")
    activity = await at_right.next("activity", channel=channel)
    assert activity["head"] == 1


async def test_typing_crosses(two):
    ann, bob = person("ann"), person("bob")
    at_left, at_right = await together(two, ann, bob)
    channel = (await at_left.ask("open", **{"with": bob}))["channel"]
    await at_left.ask("subscribe", channel=channel)
    await at_right.ask("subscribe", channel=channel)
    await at_left.ask("typing", channel=channel)
    assert (await at_right.next("signal", signal="typing", channel=channel))["user"] == ann


async def test_presence_crosses(two):
    ann, bob = person("ann"), person("bob")
    at_left, at_right = await together(two, ann, bob)
    channel = (await at_left.ask("open", **{"with": bob}))["channel"]
    for client in (at_left, at_right):
        await client.ask("subscribe", channel=channel)
        await client.ask("presence", state="online")
    assert (await at_left.next("signal", signal="presence", user=bob, state="online"))["user"] == bob
    await at_left.ask("presence", state="away")
    assert (await at_right.next("signal", signal="presence", user=ann, state="away"))["user"] == ann


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_killed_hub_leaves_nothing_untold(platform, redis, engine):
    """It is killed between a commit and its bell: the other one finds the entries in the journal."""
    group = {"HUB_KAFKA_GROUP": f"killed-{engine}", **over(engine, redis)}
    left, right = platform.hub("doomed", extra=group), platform.hub("heir", extra=group)
    await asyncio.to_thread(left.start)
    await asyncio.to_thread(right.start)
    try:
        names = [person() for _ in range(10)]
        clients = [await Client.connect(right.socket_url, right.token(name), {"inbox": 0}) for name in names]
        for round in range(30):
            left.kafka.produce(*[event(f"user:{name}") for name in names])
            await asyncio.sleep(0.02)
        left.kill()
        for client in clients:
            assert [entry["seq"] for entry in await client.entries("inbox", 30, seconds=60)] == list(range(1, 31))
    finally:
        with contextlib.suppress(Exception):
            left.kill()
        await asyncio.to_thread(right.stop)


@pytest.mark.parametrize("proxy", [proxies.example_nginx, proxies.example_haproxy], ids=["nginx", "haproxy"])
async def test_behind_a_proxy_the_clients_of_a_killed_hub_go_on_at_the_other(platform, Client, proxy):
    group = {"HUB_KAFKA_GROUP": person("proxied")}
    hubs = [platform.hub(name, extra=group) for name in ("first", "other")]
    for hub in hubs:
        await asyncio.to_thread(hub.start)
    try:
        with proxy(*hubs) as front:
            name = person()
            # With the token in each request, any hub answers it.
            token = front.token(name)
            client = await Client.connect(front.socket_url, token, {"inbox": 0}, headers={"Authorization": f"Bearer {token}"})
            front.kafka.produce(*[event(f"user:{name}", title="before") for _ in range(3)], key=name)
            await client.entries("inbox", 3)
            serving = next(hub for hub in hubs if metric(hub, "hub_deliveries_total") + metric(hub, "hub_replayed_total") > 0)
            serving.kill()
            if client.transport == "poll":
                # It notices nothing, and follows the inbox on.
                front.kafka.produce(*[event(f"user:{name}", title="after") for _ in range(3)], key=name)
                assert [entry["seq"] for entry in await client.entries("inbox", 6, seconds=60)] == [1, 2, 3, 4, 5, 6]
                return
            await asyncio.wait_for(client.ended.wait(), 30)
            front.kafka.produce(*[event(f"user:{name}", title="after") for _ in range(3)], key=name)
            async with asyncio.timeout(60):
                while True:
                    try:
                        again = await Client.connect(front.socket_url, front.token(name), {"inbox": 3})
                        break
                    except (Refused, Lost, OSError):
                        await asyncio.sleep(0.2)
            # The proxy's own refusals, while it had not noticed yet.
            protocol.violations[:] = [line for line in protocol.violations if not re.match("a refusal 50[234], text/html", line)]
            assert [entry["seq"] for entry in await again.entries("inbox", 3, seconds=60)] == [4, 5, 6]
    finally:
        for hub in hubs:
            hub.kill()


async def test_a_frozen_hub_writes_nothing_stale_when_it_wakes(platform):
    """It is stopped for longer than the group waits, the other one takes its partitions, and then it goes on."""
    extra = {"HUB_KAFKA_GROUP": "frozen", "HUB_KAFKA_PROPERTIES": "session.timeout.ms=6000"}
    left, right = platform.hub("frozen", extra=extra), platform.hub("awake", extra=extra)
    await asyncio.to_thread(left.start)
    await asyncio.to_thread(right.start)
    try:
        names = [person() for _ in range(12)]
        clients = [await Client.connect(right.socket_url, right.token(name), {"inbox": 0}) for name in names]
        forgotten = await Client.connect(left.socket_url, left.token(names[0]), {"inbox": 0})
        rounds = 0

        async def publish(seconds):
            nonlocal rounds
            for _ in range(int(seconds / 0.1)):
                left.kafka.produce(*[event(f"user:{name}", title=f"{rounds}") for name in names])
                rounds += 1
                await asyncio.sleep(0.1)

        await publish(3)
        left.process.send_signal(signal.SIGSTOP)
        try:
            # Longer than a hub may stand still.
            await publish(11)
            for client in clients:
                await client.entries("inbox", rounds, seconds=60)
        finally:
            left.process.send_signal(signal.SIGCONT)
        async with asyncio.timeout(20):
            await forgotten.ended.wait()
        assert forgotten.close_code == 4200
        await publish(4)
        for client in clients:
            entries = await client.entries("inbox", rounds, seconds=60)
            assert [entry["seq"] for entry in entries] == list(range(1, rounds + 1))
            assert sorted(int(entry["title"]) for entry in entries) == list(range(rounds))
        for hub in (left, right):
            assert await asyncio.to_thread(metric, hub, "hub_store_epoch_changes_total") == 0
    finally:
        left.kill()
        await asyncio.to_thread(right.stop)
