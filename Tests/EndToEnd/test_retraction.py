"""The platform takes back what it has told: on every screen, on every hub, and after a while away."""

import asyncio
import json
import subprocess

import pytest

from fallback import opened, poll, requests
from hubclient import Client
from processes import hub_program, run
from rig import event, person


@pytest.fixture(scope="module")
def two(platform):
    group = {"HUB_KAFKA_GROUP": "retraction"}
    left, right = platform.hub("left", extra=group), platform.hub("right", extra=group)
    left.start()
    right.start()
    yield left, right
    left.stop()
    right.stop()


def retraction(*to, **what):
    return {"to": list(to), "retract": what}


async def unread(client, number):
    """Waits until the last counters of the inbox that the client was told say so, and returns the totals with them."""

    def found():
        told = [frame for frame in client.heard if frame["type"] == "counters" and any(one["channel"] == "inbox" for one in frame["channels"])]
        if not told:
            return None
        [inbox] = [one for one in told[-1]["channels"] if one["channel"] == "inbox"]
        return told[-1]["totals"] if inbox["unread"] == number else None

    return await client._until(found, f"{number} unread", 20)


async def test_an_entry_goes_from_all_devices_on_both_hubs(two):
    name = person()
    to = f"user:{name}"
    devices = [await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0}) for hub in (two[0], two[0], two[1])]
    two[0].kafka.produce(event(to, id=f"{name}-1"), event(to, id=f"{name}-2"), key=name)
    for device in devices:
        await device.entries("inbox", 2)
        await unread(device, 2)
    async with requests(two[0]) as http:
        first = (await opened(http, two[0].token(name), {"inbox": 2}))["credential"]
        position, _ = await poll(http, first, 0)
        two[0].kafka.produce(retraction(to, id=f"{name}-1"), key=name)
        for device in devices:
            heard = await device.entries("inbox", 3)
            told = heard[2]
            assert (told["seq"], told["kind"], told["refers"]) == (3, "retraction", 1)
            assert "sender" not in told
            assert (await unread(device, 1))["unread"] == 1
        frames = []
        async with asyncio.timeout(20):
            while not any(frame.get("kind") == "retraction" for frame in frames):
                position, more = await poll(http, first, 1, after=position)
                frames += more
    # Who comes later, or resumes behind the entry, sees the same.
    late = await Client.connect(two[1].socket_url, two[1].token(name), {"inbox": 0})
    entries = await late.entries("inbox", 3)
    assert [(entry["kind"], entry.get("retracted"), "title" in entry) for entry in entries] == [
        ("notification", True, False), ("notification", None, True), ("retraction", None, False)]
    resumed = await Client.connect(two[1].socket_url, two[1].token(name), {"inbox": 2})
    [told] = await resumed.entries("inbox", 1)
    assert (told["kind"], told["refers"]) == ("retraction", 1)
    page = await late.ask("history", channel="inbox", limit=10)
    assert [entry.get("retracted") for entry in page["entries"]] == [True, None, None]
    for client in (late, resumed):
        marked = await client.ask("mark-read", channel="inbox", all=True)
        assert (marked["unread"], marked["read"]) == (0, 3)


async def test_what_is_not_known_is_left_and_a_repeat_does_nothing(two):
    name = person()
    to = f"user:{name}"
    client = await Client.connect(two[0].socket_url, two[0].token(name), {"inbox": 0})
    two[0].kafka.produce(
        retraction(to, id=f"{name}-1"), event(to, id=f"{name}-1"), key=name)
    assert [entry["kind"] for entry in await client.entries("inbox", 1)] == ["notification"]
    two[0].kafka.produce(
        retraction(to, id=f"{name}-1"), retraction(to, id=f"{name}-1"), event(to, id=f"{name}-1"), event(to, id=f"{name}-2"), key=name)
    heard = await client.entries("inbox", 3)
    assert [(entry["seq"], entry["id"]) for entry in heard] == [(1, f"{name}-1"), (2, "retraction:1"), (3, f"{name}-2")]
    await unread(client, 1)


async def test_a_group_goes_and_what_it_gets_later_stays(two):
    name = person()
    to = f"user:{name}"
    client = await Client.connect(two[1].socket_url, two[1].token(name), {"inbox": 0})
    grouped = [event(to, id=f"{name}-{number}", group="reviews") for number in (1, 2)]
    two[0].kafka.produce(*grouped, event(to, id=f"{name}-3"), key=name)
    await client.entries("inbox", 3)
    gone = {"id": f"{name}-gone", **retraction(to, group="reviews")}
    two[0].kafka.produce(gone, event(to, id=f"{name}-4", group="reviews"), gone, key=name)
    heard = await client.entries("inbox", 6)
    assert [entry.get("refers") for entry in heard[3:]] == [1, 2, None]
    await unread(client, 2)
    await client.quiet()
    assert len(client.entries_of("inbox")) == 6


async def test_an_operator_takes_an_entry_back_by_command(two):
    name = person()
    environment = {**two[0]._environment}
    client = await Client.connect(two[0].socket_url, two[0].token(name), {"inbox": 0})

    async def publish(*arguments):
        said = await asyncio.to_thread(run, hub_program(), "publish", "--to", f"user:{name}", *arguments, env=environment)
        return json.loads(said)

    told = await publish("--type", "grade", "--title", "New grade")
    await client.entries("inbox", 1)
    await publish("--retract", told["id"])
    assert (await client.entries("inbox", 2))[1]["refers"] == 1
    await unread(client, 0)


async def test_one_entry_or_an_event_in_all_its_channels_is_taken_back_by_hub_retract(two):
    name, other, third = person(), person(), person()
    clients = [await Client.connect(two[index].socket_url, two[index].token(who), {"inbox": 0}) for index, who in ((0, name), (1, other))]
    two[0].kafka.produce(
        event(f"user:{name}", f"user:{other}", id=f"{name}-1"), event(f"user:{name}", id=f"{name}-2", group="g"),
        {"specversion": "1.0", "id": f"{name}-3", "source": "/grades", "type": "grade", "data": {"to": f"user:{third}", "title": "x"}},
        key=name)
    await clients[0].entries("inbox", 2)
    await clients[1].entries("inbox", 1)

    def retract(*arguments, code=0):
        done = subprocess.run(
            [hub_program(), "retract", *arguments], env=two[0]._environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == code, (done.stdout, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()] if code == 0 else done.stderr

    found = await asyncio.to_thread(retract, "--id", f"{name}-1", "--dry-run")
    # In the order in which the channels were made, which is that of the random names.
    shown = sorted((one["channel"], one["seq"], one["retracted"]) for one in found)
    assert shown == sorted([(f"inbox:{name}", 1, False), (f"inbox:{other}", 1, False)])
    [told] = await asyncio.to_thread(retract, "--id", f"{name}-1")
    assert told["topic"] == "hub.events"
    for client in clients:
        assert (await client.next("entry", channel="inbox", kind="retraction"))["refers"] == 1
    await unread(clients[0], 1)
    await unread(clients[1], 0)
    assert await asyncio.to_thread(retract, "--id", f"{name}-1") == [], "it is taken back already"
    await asyncio.to_thread(retract, "--entry", f"user:{name}/2")
    await unread(clients[0], 0)
    await asyncio.to_thread(retract, "--source", "/grades", "--id", f"{name}-3")
    late = await Client.connect(two[1].socket_url, two[1].token(third), {"inbox": 0})
    assert [entry.get("retracted") for entry in await late.entries("inbox", 2)] == [True, None]
    # With recipients only Kafka is needed.
    two[0].kafka.produce(event(f"user:{name}", id=f"{name}-4", group="h"), key=name)
    await unread(clients[0], 1)
    await asyncio.to_thread(retract, "--group", "h", "--to", f"user:{name}")
    await unread(clients[0], 0)
    for arguments, code, text in (
            (["--entry", f"user:{name}/99"], 1, "there is no entry"), (["--entry", "nobody"], 64, "expected a channel and a number"),
            (["--id", "unknown"], 1, "no channel has an entry"), (["--group", "g"], 64, "--group needs --to"), ([], 64, "expected one of")):
        assert text in await asyncio.to_thread(retract, *arguments, code=code)


async def test_hub_retract_says_when_no_hub_carries_it_out(platform):
    name = person()
    async with platform.running("retracting") as hub:
        client = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
        hub.kafka.produce(event(f"user:{name}", id=name), key=name)
        await client.entries("inbox", 1)
        environment = {**hub._environment, "HUB_KAFKA_TOPICS": "retracted.elsewhere"}
    command = [hub_program(), "retract", "--entry", f"user:{name}/1", "--within", "2s"]
    done = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 69 and "is one running?" in done.stderr
