"""Operators switch features off: `hub off`, `hub on` and `hub switches`, and what clients of several hubs see of it."""

import asyncio
import json
import subprocess
import time
import uuid

import pytest

import protocol
from fallback import bearer, line, requests
from hubclient import Client, Refused
from processes import hub_program, run
from rig import event, person, query
from test_recovery import metric

# A hub obeys within this time, whatever reaches it.
WITHIN = 2


@pytest.fixture(scope="module")
def two(platform):
    group = {"HUB_KAFKA_GROUP": "switches", "HUB_PRESENCE": "true"}
    left, right = platform.hub("switch-left", extra=group), platform.hub("switch-right", extra={**group, "HUB_LOOPS_COUNT": "2"})
    left.start()
    right.start()
    yield left, right
    left.stop()
    right.stop()


@pytest.fixture(autouse=True)
def everything_on(two):
    yield
    query(two[0].database, "delete from hub.switch returning 1")


def hub_command(hub, *arguments, code=0):
    done = subprocess.run(
        [str(hub_program()), *arguments], capture_output=True, text=True, timeout=60, env={**hub._environment})
    assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
    return done.stdout if code == 0 else done.stderr


async def switch(hub, *arguments):
    return await asyncio.to_thread(hub_command, hub, *arguments)


async def off(hub, feature, *arguments):
    return await switch(hub, "off", feature, "--why", "a test", *arguments)


async def connected(hubs, *names, follow=None, **claims):
    """A client of each user, on alternating hubs."""
    return [
        await Client.connect(hubs[index % 2].socket_url, hubs[index % 2].token(name, **claims), follow or {"inbox": 0})
        for index, name in enumerate(names)
    ]


async def told(client, *features, seconds=WITHIN):
    """The client is told that these features are not on, and no others."""
    async with asyncio.timeout(seconds):
        while True:
            push = await client.next("control", seconds=seconds)
            if sorted(one["feature"] for one in push["switched"]) == sorted(features):
                return push["switched"]


async def refusal(client, command, **members):
    with pytest.raises(Refused) as refused:
        await client.ask(command, **members)
    return refused.value


async def test_direct_messages_off_on_both_hubs_and_after_a_restart(platform, two):
    clients = await connected(two, person(), person())
    channel = (await clients[0].ask("send", to=clients[1].welcome["user"], key="1", body="before"))["channel"]
    said = await off(two[0], "direct-messages", "--for-time", "1h")
    assert said.startswith("direct-messages for system: off, until 20")
    for client in clients:
        [one] = await told(client, "direct-messages")
        assert one["mode"] == "off" and set(one["text"]) == {"fr", "en"} and one["until"] > one["until"][:4]
        error = await refusal(client, "send", channel=channel, key=uuid.uuid4().hex, body="no")
        assert (error.code, error.temporary) == ("feature_off", True) and error.retry_after > 500
        assert (await refusal(client, "send", to=person(), key="k", body="no")).code == "feature_off"
        assert [entry["body"] for entry in (await client.ask("history", channel=channel))["entries"]] == ["before"]
    assert (await refusal(clients[0], "edit", channel=channel, seq=1, key="e", body="no")).code == "feature_off"
    assert (await refusal(clients[0], "open", **{"with": person()})).code == "feature_off"
    assert (await clients[0].ask("open", **{"with": clients[1].welcome["user"]}))["channel"] == channel
    # A hub that starts later knows it, and one without any bus hears of changes by the clock.
    async with platform.running("switch-later", extra={"HUB_BUS": "memory"}) as later:
        client = await Client.connect(later.socket_url, later.token(clients[0].welcome["user"]), {"inbox": 0})
        if not client.welcome.get("switched"):
            await told(client, "direct-messages")
        assert (await refusal(client, "send", channel=channel, key="x", body="no")).code == "feature_off"
        assert await switch(two[1], "on", "direct-messages") == "direct-messages for system: on\n"
        await told(client)
    for number, client in enumerate(clients):
        await told(client)
        await client.ask("send", channel=channel, key=f"after-{number}", body="after")
    assert metric(two[0], "hub_switches") == 0


async def test_a_group_is_no_private_conversation(two):
    names = [person() for _ in range(3)]
    number = uuid.uuid4()
    query(
        two[0].database,
        "with c as (insert into hub.channel (name, kind) values (%s, 'conversation') returning id) "
        "insert into hub.member (channel_id, user_id) select id, unnest(%s::text[]) from c returning 1", f"conversation:{number}", names)
    [client] = await connected(two, names[0])
    await off(two[0], "group-messages")
    await told(client, "group-messages")
    assert (await refusal(client, "send", channel=f"conversation:{number}", key="k", body="no")).code == "feature_off"
    await client.ask("send", to=person(), key="k", body="yes")


async def test_an_activity_is_off_also_in_its_conversations(two):
    [client] = await connected(two, person())
    about = (await client.ask("open", context="activity:7", **{"with": person()}))["channel"]
    other = (await client.ask("open", **{"with": person()}))["channel"]
    await client.ask("subscribe", channel=about)
    await off(two[0], "direct-messages", "--for", "activity:7")
    async with asyncio.timeout(WITHIN):
        while True:
            try:
                await client.ask("send", channel=about, key=uuid.uuid4().hex, body="perhaps")
                await asyncio.sleep(0.05)
            except Refused as refused:
                assert refused.code == "feature_off"
                break
    await client.ask("send", channel=other, key="k", body="yes")


async def test_everything_off_for_an_institution(two):
    name, other = person(), person()
    clients = await connected(two, name, name, institution="lyon")
    [stays] = await connected(two, other, institution="paris")
    preview = await off(two[0], "realtime", "--for", "institution:lyon", "--preview")
    assert "in all: 2 people, 2 sessions; who is on two nodes counts twice" in preview, preview
    assert "everything is on" in await switch(two[0], "switches")
    await off(two[0], "realtime", "--for", "institution:lyon")
    for client in clients:
        await told(client, "realtime")
        bye = await client.next("bye", seconds=WITHIN)
        assert (bye["code"], bye["reason"], bye["reconnect"]) == (4010, "feature_off", False)
        assert await client.closed() == 4010
    await stays.quiet()
    for hub in two:
        with pytest.raises(Refused) as refused:
            await Client.connect(hub.socket_url, hub.token(name, institution="lyon"))
        assert refused.value.code == "feature_off"
        # The inbox stays readable over HTTP.
        hub.kafka.produce(event(f"user:{name}", title="Kept"))
        async with requests(hub) as http:
            async with asyncio.timeout(20):
                while True:
                    body = "\n".join([line(1, "history", channel="inbox"), line(2, "mark-read", channel="inbox", upTo=0)])
                    response = await http.post("/v1/commands", content=body, headers=bearer(hub.token(name, institution="lyon")))
                    replies = {reply["re"]: reply for reply in protocol.lines(response.text)}
                    assert response.status_code == 200 and "ok" in replies[1]
                    if "Kept" in [entry["title"] for entry in replies[1]["ok"]["entries"]]:
                        break
                    await asyncio.sleep(0.1)
            # Nothing else is: neither a stream, nor a poll, nor a session.
            headers = bearer(hub.token(name, institution="lyon"))
            for response in (
                await http.get("/v1/events", headers=headers),
                await http.post("/v1/poll", content='{"channels":[{"channel":"inbox"}]}', headers=headers),
                await http.post("/v1/commands", content=line(1, "connect"), headers=headers),
            ):
                assert response.status_code == 403 and "feature_off" in response.text, response.text
    await switch(two[0], "on", "realtime", "--for", "institution:lyon")
    async with asyncio.timeout(WITHIN):
        while True:
            try:
                await connected(two, name, name, institution="lyon")
                break
            except Refused:
                await asyncio.sleep(0.1)


async def test_notifications_that_are_stored_come_later_and_none_is_lost(two):
    name = person()
    clients = await connected(two, name, name, follow={"inbox": 0, "broadcast:system": 0})
    await off(two[0], "user-notifications", "--mode", "store")
    for client in clients:
        await told(client, "user-notifications")
    two[0].kafka.produce(*[event(f"user:{name}", title=f"{number}") for number in range(30)])
    async with asyncio.timeout(60):
        while (await clients[0].ask("history", channel="inbox", limit=50))["head"] < 30:
            await asyncio.sleep(0.1)
    await asyncio.sleep(1)
    for client in clients:
        await client.quiet()
        assert client.entries_of("inbox") == []
    # A client that comes meanwhile is told the counters, and no entries.
    [late] = await connected(two, name)
    [inbox] = [one for one in late.welcome["channels"] if one["channel"] == "inbox"]
    assert inbox["unread"] == 30
    await switch(two[0], "on", "user-notifications")
    for client in [*clients, late]:
        entries = await client.entries("inbox", 30)
        assert [entry["seq"] for entry in entries] == list(range(1, 31))
        await client.ask("ack", channel="inbox", seq=30)
    two[0].kafka.produce(event(f"user:{name}", title="live"))
    for client in [*clients, late]:
        assert [entry["seq"] for entry in await client.entries("inbox", 31)] == list(range(1, 32))


async def test_what_is_held_outlives_the_hub(platform, two):
    """The hub is killed while it holds entries back; another one sends them."""
    name = person()
    async with platform.running("switch-killed") as hub:
        client = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
        hub.kafka.produce(event(f"user:{name}", title="first"))
        await client.entries("inbox", 1)
        await client.ask("ack", channel="inbox", seq=1)
        await off(hub, "user-notifications")
        await told(client, "user-notifications")
        hub.kafka.produce(*[event(f"user:{name}", title=f"held {number}") for number in range(5)])
        async with asyncio.timeout(60):
            while (await client.ask("history", channel="inbox"))["head"] < 6:
                await asyncio.sleep(0.1)
        assert len(client.entries_of("inbox")) == 1
        hub.kill()
    later = await Client.connect(two[1].socket_url, two[1].token(name), {"inbox": 1})
    assert [one["feature"] for one in later.welcome["switched"]] == ["user-notifications"]
    await later.quiet()
    assert later.entries_of("inbox") == []
    await switch(two[0], "on", "user-notifications")
    assert [entry["seq"] for entry in await later.entries("inbox", 5)] == [2, 3, 4, 5, 6]


async def test_slow_notifications_come_together(two):
    name = person()
    [client] = await connected(two, name)
    await off(two[0], "user-notifications", "--mode", "slow", "--every", "5s", "--for", f"user:{name}")
    [one] = await told(client, "user-notifications")
    assert one["everyMs"] == 5000
    arrivals = []
    for number in range(20):
        two[0].kafka.produce(event(f"user:{name}", title=f"{number}"))
        await asyncio.sleep(0.4)
        arrivals.append(len(client.entries_of("inbox")))
    assert [entry["seq"] for entry in await client.entries("inbox", 20, seconds=15)] == list(range(1, 21))
    # 8 seconds have at most two turns: the number of entries grows in at most two steps, each of two readings.
    steps = sum(1 for before, after in zip(arrivals, arrivals[1:]) if after > before)
    assert 1 <= steps <= 4, arrivals


async def test_typing_and_presence_are_not_passed_on(two):
    names = [person(), person()]
    hub = two[0]
    clients = [await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0}) for name in names]
    channel = (await clients[0].ask("send", to=names[1], key="1", body="hello"))["channel"]
    for client in clients:
        await client.ask("subscribe", channel=channel)
        await client.ask("presence", state="online")
    await clients[0].next("signal", signal="presence", user=names[1], state="online")
    await off(hub, "presence")
    await off(hub, "signals")
    for client in clients:
        await told(client, "presence", "signals")
    await clients[0].ask("typing", channel=channel)
    assert (await refusal(clients[0], "presence", state="online")).code == "feature_off"
    await asyncio.sleep(1)
    await clients[1].quiet()
    assert [frame for frame in clients[1].heard if frame.get("signal") == "typing"] == []


def test_who_why_and_when_are_kept(two):
    name = person()
    hub_command(two[0], "off", "presence", "--for", f"user:{name}", "--why", "asked by the dean", "--until", "2999-01-01T00:00:00Z")
    [row] = [json.loads(text) for text in hub_command(two[0], "switches", "--json").splitlines()]
    assert (row["feature"], row["scope"], row["mode"], row["until"], row["why"]) == (
        "presence", f"user:{name}", "off", "2999-01-01T00:00:00Z", "asked by the dean")
    assert f"user:{name}" in hub_command(two[0], "switches").splitlines()[1]
    [(person_, role, action, why)] = query(
        two[0].database, "select person, role, action, why from hub.audit where subject = %s", f"presence for user:{name}")
    assert (role, action, why) == ("hub", "switch off", "asked by the dean") and person_ == row["by"] and "@" in person_


def test_wrong_flags_change_nothing(two):
    for arguments, words in (
        (("off", "mail", "--why", "w"), "there is no feature mail"), (("off", "realtime", "--mode", "store", "--why", "w"), "realtime can be off"),
        (("off", "signals", "--for", "ann", "--why", "w"), "--for ann"), (("off", "signals"), "--why"), (("on", "nothing"), "there is no feature"),
    ):
        assert words in hub_command(two[0], *arguments, code=64)
    assert hub_command(two[0], "switches") == "everything is on\n"


async def test_it_works_while_kafka_is_down_and_ends_by_itself(platform, two):
    """The last one: the mock broker may take half a minute until it divides the partitions anew."""
    clients = await connected(two, person(), person())
    platform.broker.down()
    try:
        began = time.monotonic()
        await off(two[0], "signals", "--for-time", "3s")
        for client in clients:
            await told(client, "signals")
    finally:
        platform.broker.up()
    for client in clients:
        await told(client, seconds=3 + WITHIN)
    assert time.monotonic() - began > 2.5
    assert "everything is on" in await switch(two[0], "switches")
