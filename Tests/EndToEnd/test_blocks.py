"""Users who block users: what the one who has blocked gets, and that the blocked one cannot tell."""

import re

import pytest

from hubclient import Refused
from rig import person
from test_commands import meet


def kinds(client, channel):
    return {entry["seq"]: entry["kind"] for entry in client.entries_of(channel)}


async def test_what_a_blocked_user_writes_is_hidden_live_and_counts_for_nothing(hub, Client):
    alice, bob, one, two, channel = await meet(Client, hub)
    await one.ask("send", channel=channel, key="1", body="before")
    await two.next("counters", totals={"unread": 1, "unseen": 1, "urgent": 0})
    for _ in range(2):
        await two.ask("block", user=alice)
    assert (await two.ask("blocks"))["users"] == [alice] and (await one.ask("blocks"))["users"] == []
    await one.ask("typing", channel=channel)
    for n in (2, 3):
        assert (await one.ask("send", channel=channel, key=str(n), body="an insult"))["seq"] == n
    await two.entries(channel, 3)
    assert kinds(two, channel) == {1: "message", 2: "hidden", 3: "hidden"}
    assert not any(word in str(two.heard[-20:]) for word in ("an insult", "'typing'"))
    # The other direction goes on.
    sent = await two.ask("send", channel=channel, key="answer", body="I do not read you.")
    heard = await one.next("entry", channel=channel, seq=sent["seq"])
    assert heard["sender"] == bob
    state = await two.ask("subscribe", channel=channel)
    assert (state["unread"], state["unseen"], state["head"]) == (1, 1, 4)
    read = await two.ask("mark-read", channel=channel, seq=1)
    assert (read["read"], read["readAlso"], read["unread"]) == (1, [], 0)
    read = await two.ask("mark-read", channel=channel, seq=4)
    assert (read["read"], read["readAlso"], read["unread"]) == (4, [], 0), "what is hidden is as good as read between two that are read"

    for _ in range(2):
        await two.ask("unblock", user=alice)
    assert (await two.ask("blocks"))["users"] == []
    # Typing signals of a session in one conversation are three seconds apart.
    elsewhere = await Client.connect(hub.socket_url, hub.token(alice), {channel: 4})
    await elsewhere.ask("typing", channel=channel)
    await two.next("signal", signal="typing", user=alice)
    await one.ask("send", channel=channel, key="5", body="better")
    await two.entries(channel, 5)
    assert kinds(two, channel) == {1: "message", 2: "hidden", 3: "hidden", 4: "message", 5: "message"}
    await two.next("counters", totals={"unread": 1, "unseen": 1, "urgent": 0})


async def test_a_replay_and_history_hide_the_same_and_both_sides_have_the_same_numbers(hub, Client):
    alice, bob, one, two, channel = await meet(Client, hub)
    await one.ask("send", channel=channel, key="1", body="before")
    await two.ask("block", user=alice)
    await one.ask("send", channel=channel, key="2", body="an insult")
    await one.ask("edit", channel=channel, seq=1, key="e", body="another insult")
    await two.ask("send", channel=channel, key="4", body="still here")
    await two.ask("unblock", user=alice)
    await one.ask("send", channel=channel, key="5", body="after")
    expected = {1: "hidden", 2: "hidden", 3: "hidden", 4: "message", 5: "message"}
    again = await Client.connect(hub.socket_url, hub.token(bob), {channel: 0})
    await again.next("signal", signal="live", channel=channel)
    assert kinds(again, channel) == expected
    page = await two.ask("history", channel=channel)
    assert {entry["seq"]: entry["kind"] for entry in page["entries"]} == expected
    assert "insult" not in str(page) + str(again.heard)
    assert next(state for state in again.welcome["channels"] if state["channel"] == channel)["unread"] == 1
    mine = await Client.connect(hub.socket_url, hub.token(alice), {channel: 0})
    await mine.next("signal", signal="live", channel=channel)
    assert kinds(mine, channel) == {1: "message", 2: "message", 3: "change", 4: "message", 5: "message"}


async def test_a_conversation_of_a_blocked_user_is_silent(hub, Client):
    alice, bob, one, two, _ = await meet(Client, hub, conversation=False)
    known = (await one.ask("open", **{"with": bob}))["channel"]
    await two.next("signal", signal="conversation", channel=known)
    await two.ask("block", user=alice)
    await one.ask("send", channel=known, key="1", body="an insult")
    new = (await one.ask("send", to=bob, key="1", body="an insult", context="new"))["channel"]
    # What comes later of somebody else comes behind what would have been told of her.
    third = await Client.connect(hub.socket_url, hub.token(person("carol")))
    friendly = (await third.ask("send", to=bob, key="1", body="Bonjour"))["channel"]
    await two.next("activity", channel=friendly)
    told = {frame["channel"] for frame in two.heard if frame.get("type") in ("activity", "signal") and frame.get("channel") != known}
    assert told == {friendly} and not any(frame.get("type") == "activity" and frame["channel"] == known for frame in two.heard)
    assert [state["channel"] for state in (await two.ask("conversations"))["channels"]] == [friendly, known]
    await two.ask("unblock", user=alice)
    await one.ask("send", channel=new, key="2", body="after")
    assert (await two.next("activity", channel=new))["unread"] == 1
    listed = (await two.ask("conversations"))["channels"]
    assert listed[0]["channel"] == new and listed[0]["unread"] == 1 and listed[0]["head"] == 2


async def as_told_to(Client, hub, reader, prepare):
    """What Alice gets when she writes to a reader; without what differs between any two runs."""
    alice, other = person("alice"), person("other")
    two = await Client.connect(hub.socket_url, hub.token(other)) if reader else None
    if two:
        await prepare(two, alice)
    one = await Client.connect(hub.socket_url, hub.token(alice))
    channel = (await one.ask("open", **{"with": other}))["channel"]
    await one.ask("subscribe", channel=channel, since=0)
    await one.next("signal", signal="live", channel=channel)
    if two:
        await two.ask("subscribe", channel=channel, since=0)
    answers = []
    for n in range(1, 4):
        answers.append(await one.ask("send", to=other, key=str(n), body=f"message {n}"))
    answers.append(await one.ask("send", channel=channel, key="3", body="message 3"))
    answers.append(await one.ask("typing", channel=channel))
    answers.append(await one.ask("edit", channel=channel, seq=1, key="e", body="changed"))
    answers.append(await one.ask("delete", channel=channel, seq=2, key="d"))
    if two:
        await two.entries(channel, 5)
        await two.ask("ack", channel=channel, seq=5)
        await two.ask("mark-read", channel=channel, upTo=5)
    answers.append(await one.ask("open", **{"with": other, "context": "another"}))
    answers.append(await one.ask("conversations"))
    answers.append(await one.ask("history", channel=channel))
    await one.quiet()
    again = await Client.connect(hub.socket_url, hub.token(alice), {channel: 0})
    await again.next("signal", signal="live", channel=channel)
    answers.append(again.welcome["channels"][-2:])
    text = str(answers) + str(one.heard) + str(again.heard)
    names = {name: f"conversation {number}" for number, name in enumerate(dict.fromkeys(re.findall(r"conversation:[0-9a-f-]{36}", text)))}
    for name, plain in [*names.items(), (alice, "alice"), (other, "other")]:
        text = text.replace(name, plain)
    return re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "time", text)


@pytest.mark.only_over("websocket", reason="the credential differs, and the times at which polls are answered")
async def test_the_blocked_user_gets_what_an_absent_reader_gives(hub, Client):
    async def block(client, name):
        await client.ask("block", user=name)

    async def nothing(client, name):
        pass

    absent = await as_told_to(Client, hub, False, nothing)
    assert await as_told_to(Client, hub, True, block) == absent
    assert await as_told_to(Client, hub, True, nothing) != absent, "a reader who has not blocked gives receipts"


async def test_blocks_are_refused_where_they_make_no_sense(hub, Client):
    name = person()
    client = await Client.connect(hub.socket_url, hub.token(name))
    with pytest.raises(Refused, match="bad_request.*another user"):
        await client.ask("block", user=name)
    with pytest.raises(Refused, match="bad_request.*user: "):
        await client.ask("block", lawful=False)
    assert await client.ask("unblock", user="nobody") == {}
    assert "blocks" in client.welcome["features"]
