"""What a session follows and is told about it: starts, totals, limits, dialogues and expiry, over every transport."""

from datetime import UTC, datetime, timedelta

import pytest

from hubclient import Refused
from rig import event, person
from test_commands import meet


async def notified(Client, hub, count):
    """A person with so many notifications, and a session of theirs that was sent all of them."""
    name = person()
    watcher = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    hub.kafka.produce(*[event(f"user:{name}", title=f"n° {n}") for n in range(count)], key=name)
    await watcher.entries("inbox", count)
    return name, watcher


async def test_the_newest_entries_then_live(hub, Client):
    name, watcher = await notified(Client, hub, 7)
    client = await Client.connect(hub.socket_url, hub.token(name))
    state = await client.ask("subscribe", channel="inbox", tail=3)
    assert (state["head"], state["since"]) == (7, 4)
    await client.next("signal", signal="live", channel="inbox", seq=7)
    hub.kafka.produce(event(f"user:{name}", title="live"), key=name)
    assert [entry["seq"] for entry in await client.entries("inbox", 4)] == [5, 6, 7, 8]
    again = await client.ask("subscribe", channel="inbox", tail=100)
    assert again["since"] == 0
    assert [entry["seq"] for entry in await client.entries("inbox", 12)][4:] == list(range(1, 9))
    with pytest.raises(Refused, match="bad_request"):
        await client.ask("subscribe", lawful=False, channel="inbox", tail=3, since=1)
    with pytest.raises(Refused, match="position_unknown"):
        await client.ask("subscribe", channel="inbox", since=9)
    assert (await client.ask("ack", channel="inbox", seq=8))["delivered"] == 8, "it is followed as before"


async def test_totals_are_told_by_connect_and_when_the_set_of_channels_changes(hub, Client):
    name, watcher = await notified(Client, hub, 2)
    client = await Client.connect(hub.socket_url, hub.token(name))
    assert client.welcome["totals"] == {"unread": 0, "unseen": 0, "urgent": 0}
    await client.ask("subscribe", channel="inbox")
    counters = await client.next("counters")
    assert (counters["channels"], counters["totals"]["unread"]) == ([], 2)
    await client.ask("unsubscribe", channel="inbox")
    later = await client.next("counters")
    assert later["totals"]["unread"] == 0 and later["version"] > counters["version"]
    other = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 2})
    assert other.welcome["totals"] == {"unread": 2, "unseen": 2, "urgent": 0}


@pytest.mark.only_over("websocket", reason="a request line is too short for so many channels")
async def test_too_many_channels_do_not_fail_connect(hub, Client):
    name = person()
    roles = [f"r{n}" for n in range(300)]
    channels = {"inbox": 0} | {f"broadcast:category:{role}": 0 for role in roles}
    client = await Client.connect(hub.socket_url, hub.token(name, roles=roles), channels)
    assert {one["code"] for one in client.welcome["refused"]} == {"limit_exceeded"}
    followed = [state["channel"] for state in client.welcome["channels"] if state["subscribed"]]
    assert set(followed) == set(list(channels)[:256])
    assert client.welcome["more"] is True


@pytest.mark.only_over("websocket", reason="over HTTP the refused request is not the client's to repeat")
async def test_a_required_feature_must_exist(hub, Client):
    client = await Client.open(hub.socket_url)
    with pytest.raises(Refused, match="unsupported"):
        await client.ask("connect", token=hub.token(person()), requires=["tail", "telepathy"])
    welcome = await client.ask("connect", token=hub.token(person()), requires=["tail", "totals"])
    assert {"tail", "totals"} <= set(welcome["features"])


async def test_a_dialogue_read_message_by_message(hub, Client):
    alice, bob, one, two, channel = await meet(Client, hub)
    for n in range(6):
        sender, reader = (one, two) if n % 2 == 0 else (two, one)
        sent = await sender.ask("send", channel=channel, key=f"k{n}", body=f"{n}")
        await reader.next("entry", channel=channel, seq=sent["seq"])
        state = await reader.ask("mark-read", channel=channel, seq=sent["seq"])
        assert (state["read"], state["readAlso"], state["unread"]) == (n + 1, [], 0)
        receipt = await sender.next("receipt", channel=channel, read=n + 1)
        assert receipt["user"] == (bob if n % 2 == 0 else alice)
    state = await one.ask("mark-unread", channel=channel, seq=3)
    assert (state["read"], state["unread"]) == (6, 0), "one's own message cannot be unread"


async def test_blank_messages_and_empty_pages(hub, Client):
    alice, bob, one, two, channel = await meet(Client, hub)
    for body in ("\u2800", "\u2800\n\u200b", "\u202e\u3164"):
        with pytest.raises(Refused, match="bad_request"):
            await one.ask("send", channel=channel, key="k", body=body)
    await one.ask("send", channel=channel, key="k", body="\u2800x")
    page = await one.ask("history", channel=channel, before=0)
    assert (page["entries"], page["more"], page["head"]) == ([], False, 1)


async def test_the_version_grows_when_an_entry_expires_or_comes_too_late(hub, Client):
    name, watcher = await notified(Client, hub, 1)
    first = await watcher.next("counters", totals={"unread": 1, "unseen": 1, "urgent": 0})
    expires = (datetime.now(UTC) + timedelta(seconds=4)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    late = "2020-01-01T00:00:00.000Z"
    hub.kafka.produce(event(f"user:{name}", expiresAt=expires), event(f"user:{name}", expiresAt=late), key=name)
    await watcher.entries("inbox", 3)
    both = await watcher.next("counters", totals={"unread": 2, "unseen": 2, "urgent": 0})
    gone = await watcher.next("counters", seconds=20, totals={"unread": 1, "unseen": 1, "urgent": 0})
    versions = [push["channels"][0]["version"] for push in (first, both, gone)]
    assert versions == sorted(set(versions))
    other = await Client.connect(hub.socket_url, hub.token(name))
    state = next(state for state in other.welcome["channels"] if state["channel"] == "inbox")
    assert (state["unread"], state["version"] >= versions[-1]) == (1, True)


async def test_conversations_that_are_not_followed_are_live(hub, Client):
    alice, bob, one, two, _ = await meet(Client, hub, conversation=False)
    channel = (await one.ask("open", **{"with": bob}))["channel"]
    await two.next("signal", signal="conversation")
    for n in range(3):
        await one.ask("send", channel=channel, key=f"k{n}", body=f"{n}")
    told = await two.next("activity", channel=channel, head=3)
    assert (told["unread"], told["unseen"]) == (3, 3)
    assert not any(frame["type"] == "entry" for frame in two.heard)
    phone = await Client.connect(hub.socket_url, hub.token(bob), {channel: 0})
    await phone.next("signal", signal="live", channel=channel)
    await phone.ask("mark-read", channel=channel, upTo=3)
    read = await two.next("activity", channel=channel, unread=0)
    assert read["version"] > told["version"] and read["head"] == 3
    assert not any(frame["type"] == "activity" for frame in phone.heard), "it follows the conversation"
    state = (await two.ask("conversations"))["channels"][0]
    assert {name: state[name] for name in ("head", "unread", "version")} == {name: read[name] for name in ("head", "unread", "version")}


async def test_messages_are_edited_and_deleted_and_everybody_ends_with_the_same(hub, Client):
    alice, bob, one, two, channel = await meet(Client, hub)
    for n in range(1, 4):
        await one.ask("send", channel=channel, key=f"k{n}", body=f"{n}")
    await two.entries(channel, 3)
    assert (await one.ask("edit", channel=channel, seq=2, key="e1", body="zwei"))["seq"] == 4
    assert (await one.ask("edit", channel=channel, seq=2, key="e1", body="zwei"))["duplicate"] is True
    await one.ask("edit", channel=channel, seq=2, key="e2", body="two", data={"n": 2})
    await one.ask("delete", channel=channel, seq=3, key="d1")
    heard = await two.entries(channel, 6)
    assert [(entry["kind"], entry.get("refers"), entry.get("body")) for entry in heard[3:]] == [
        ("change", 2, "zwei"), ("change", 2, "two"), ("retraction", 3, None)]
    for command, members in (("edit", {"body": "x"}), ("delete", {})):
        with pytest.raises(Refused, match="bad_request"):
            await two.ask(command, channel=channel, seq=1, key="b", **members)
        with pytest.raises(Refused, match="bad_request"):
            await one.ask(command, channel=channel, seq=3, key="later", **members)

    def shown(entries):
        """What a client shows that applies all entries in their order."""
        messages = {}
        for entry in entries:
            if entry["kind"] == "message":
                messages[entry["seq"]] = None if entry.get("retracted") else (entry["body"], entry.get("data"))
            elif entry["kind"] == "retraction":
                messages[entry["refers"]] = None
            elif "body" in entry:
                messages[entry["refers"]] = (entry["body"], entry.get("data"))
        return messages

    late = await Client.connect(hub.socket_url, hub.token(bob), {channel: 0})
    replayed = await late.entries(channel, 6)
    page = (await late.ask("history", channel=channel))["entries"]
    assert shown(heard) == shown(replayed) == shown(page) == {1: ("1", None), 2: ("two", {"n": 2}), 3: None}
    assert (page[1]["edited"], page[2]["retracted"]) == (5, True)
    counters = await two.next("counters", seconds=20, totals={"unread": 2, "unseen": 2, "urgent": 0})
    assert counters["channels"][0]["unread"] == 2
