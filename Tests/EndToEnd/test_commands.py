"""Every command and every push between users, over every transport."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from hubclient import Refused
from rig import event, person, query


async def meet(Client, hub, *, conversation=True):
    """Two people and the conversation both follow."""
    alice, bob = person("alice"), person("bob")
    one = await Client.connect(hub.socket_url, hub.token(alice))
    two = await Client.connect(hub.socket_url, hub.token(bob))
    if not conversation:
        return alice, bob, one, two, None
    channel = (await one.ask("open", **{"with": bob}))["channel"]
    signal = await two.next("signal", signal="conversation")
    assert signal["channel"] == channel and signal["user"] == alice
    for client in (one, two):
        await client.ask("subscribe", channel=channel, since=0)
        await client.next("signal", signal="live", channel=channel)
    return alice, bob, one, two, channel


async def test_connect_tells_who_and_where_one_stands(hub, Client):
    name = person()
    client = await Client.connect(hub.socket_url, hub.token(name, institution="u-lille", roles=["tutor"]))
    welcome = client.welcome
    assert welcome["user"] == name
    assert 0 < welcome["tokenTtlMs"] <= 24 * 3_600_000
    states = {state["channel"]: state for state in welcome["channels"]}
    assert set(states) >= {"inbox", "broadcast:system", "broadcast:institution:u-lille", "broadcast:category:tutor"}
    assert states["inbox"]["head"] == 0 and not states["inbox"]["subscribed"]


async def test_connect_subscribes_in_the_same_round_trip(hub, Client):
    name = person()
    hub.kafka.produce(*[event(f"user:{name}", title=f"n° {i}") for i in range(3)], key=name)
    watcher = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    await watcher.entries("inbox", 3)
    client = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 1, "broadcast:institution:nowhere": 0, "nonsense": 0}, lawful=False)
    assert {state["channel"] for state in client.welcome["channels"] if state["subscribed"]} == {"inbox"}
    refused = {one["channel"]: one["code"] for one in client.welcome["refused"]}
    assert refused == {"broadcast:institution:nowhere": "forbidden", "nonsense": "unknown_channel"}
    await client.next("signal", signal="live", channel="inbox", seq=3)
    entries = client.entries_of("inbox")
    assert [entry["seq"] for entry in entries] == [2, 3]
    assert all(entry["replay"] for entry in entries)


async def test_a_second_connect_is_refused(hub, Client):
    client = await Client.connect(hub.socket_url, hub.token(person()))
    with pytest.raises(Refused, match="already_connected"):
        await client.ask("connect", token=hub.token(person()))
    await client.quiet()


async def test_a_notification_arrives_is_acknowledged_and_read(hub, Client):
    name = person()
    client = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    hub.kafka.produce(
        event(
            f"user:{name}", id="e-1", type="activity.deadline", title={"fr": "Échéance", "en": "Deadline"}, body="Demain",
            priority="high", context="activity:3", link="https://portfolio.example.org/a/3", data={"days": [1, None]},
            group="deadlines", collapse="a3", expiresAt="2031-01-01T00:00:00.000Z"), key=name)
    entry = await client.next("entry")
    assert "replay" not in entry
    expected = {
        "channel": "inbox", "seq": 1, "id": "e-1", "kind": "notification", "event": "activity.deadline", "priority": "high",
        "title": {"fr": "Échéance", "en": "Deadline"}, "body": "Demain", "context": "activity:3",
        "link": "https://portfolio.example.org/a/3", "data": {"days": [1, None]}, "group": "deadlines", "collapse": "a3",
        "expiresAt": "2031-01-01T00:00:00.000Z", "form": "full"}
    assert {key: entry.get(key) for key in expected} == expected

    counters = await client.next("counters")
    assert counters["totals"] == {"unread": 1, "unseen": 1, "urgent": 1}
    assert (await client.ask("ack", channel="inbox", seq=1)) == {"channel": "inbox", "delivered": 1}
    seen = await client.ask("mark-seen", channel="inbox", seq=1)
    assert (seen["seen"], seen["unseen"], seen["unread"]) == (1, 0, 1)
    read = await client.ask("mark-read", channel="inbox", seq=1)
    assert (read["read"], read["unread"], read["urgent"]) == (1, 0, 0)
    unread = await client.ask("mark-unread", channel="inbox", seq=1)
    assert (unread["read"], unread["unread"], unread["urgent"]) == (0, 1, 1)
    rows = query(
        hub.database,
        "SELECT delivered, seen, read FROM hub.cursor JOIN hub.channel ON channel.id = channel_id WHERE user_id = %s AND name = %s",
        name, f"inbox:{name}")
    assert rows == [(1, 1, 0)]


async def test_reading_out_of_order(hub, Client):
    name = person()
    client = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    hub.kafka.produce(*[event(f"user:{name}") for _ in range(9)], key=name)
    await client.entries("inbox", 9)
    read = await client.ask("mark-read", channel="inbox", seqs=[3, 5, 6, 3])
    assert (read["read"], read["readAlso"], read["unread"]) == (0, [[3, 3], [5, 6]], 6)
    read = await client.ask("mark-read", channel="inbox", upTo=2)
    assert (read["read"], read["readAlso"], read["unread"]) == (3, [[5, 6]], 4)
    read = await client.ask("mark-unread", channel="inbox", seqs=[2, 6])
    assert (read["read"], read["readAlso"], read["unread"]) == (1, [[3, 3], [5, 5]], 6)
    read = await client.ask("mark-read", channel="inbox", all=True)
    assert (read["read"], read["readAlso"], read["unread"], read["unseen"]) == (9, [], 0, 0)


async def test_messages_both_ways_with_marks(hub, Client):
    alice, bob, one, two, channel = await meet(Client, hub)
    sent = await one.ask("send", channel=channel, key="k-1", body="Bonjour Bob ✍️", data={"n": 1})
    assert sent["seq"] == 1 and not sent["duplicate"]
    heard = await two.next("entry", channel=channel)
    assert (heard["sender"], heard["body"], heard["id"], heard["kind"], heard["data"]) == (alice, "Bonjour Bob ✍️", "k-1", "message", {"n": 1})
    assert heard["createdAt"] == sent["createdAt"]
    assert (await one.next("entry", channel=channel))["seq"] == 1

    await two.ask("ack", channel=channel, seq=1)
    receipt = await one.next("receipt", channel=channel)
    assert (receipt["user"], receipt["delivered"], receipt["read"]) == (bob, 1, 0)
    state = await two.ask("mark-read", channel=channel, upTo=1)
    assert state["unread"] == 0
    receipt = await one.next("receipt", channel=channel)
    assert (receipt["user"], receipt["read"]) == (bob, 1)

    back = await two.ask("send", to=alice, key="k-1", body="Bonjour Alice", replyTo=1)
    assert (back["channel"], back["seq"]) == (channel, 2)
    heard = await one.next("entry", channel=channel)
    assert (heard["sender"], heard["body"], heard["replyTo"]) == (bob, "Bonjour Alice", 1)
    own = {state["channel"]: state for state in (await Client.connect(hub.socket_url, hub.token(bob))).welcome["channels"]}[channel]
    assert own["unread"] == 0 and sorted(own["members"]) == sorted([alice, bob])


async def test_who_comes_back_learns_how_far_the_others_are(hub, Client):
    alice, bob, one, two, channel = await meet(Client, hub)
    for n in range(3):
        await one.ask("send", channel=channel, key=f"k-{n}", body="Bonjour")
    await two.ask("ack", channel=channel, seq=3)
    await two.ask("mark-read", channel=channel, upTo=2)
    far = {"type": "receipt", "channel": channel, "user": bob, "delivered": 3, "read": 2}

    async def heard_before_live(client):
        await client.next("signal", signal="live", channel=channel)
        kinds = [f for f in client.heard if f["type"] == "receipt" or f.get("signal") == "live"]
        assert kinds[0] == far and len([f for f in kinds if f["type"] == "receipt"]) == 1

    await heard_before_live(await Client.connect(hub.socket_url, hub.token(alice), {channel: 3}))
    late = await Client.connect(hub.socket_url, hub.token(alice))
    await late.ask("subscribe", channel=channel, since=0)
    await heard_before_live(late)
    await late.ask("subscribe", channel=channel)
    assert await late.next("receipt") == far and await late.next("receipt") == far, "asking again tells it again"
    back = await Client.connect(hub.socket_url, hub.token(bob), {channel: 3})
    await back.quiet()
    assert [f for f in back.heard if f["type"] == "receipt"] == [], "she has acknowledged nothing, and one's own way is no receipt"


async def test_sending_again_under_the_same_key_stores_nothing(hub, Client):
    alice, bob, one, two, channel = await meet(Client, hub)
    first = await one.ask("send", channel=channel, key="only-once", body="Une fois")
    again = await one.ask("send", channel=channel, key="only-once", body="Une fois")
    elsewhere = await Client.connect(hub.socket_url, hub.token(alice))
    third = await elsewhere.ask("send", channel=channel, key="only-once", body="Une fois")
    assert not first["duplicate"] and again["duplicate"] and third["duplicate"]
    assert {(sent["seq"], sent["createdAt"]) for sent in (first, again, third)} == {(1, first["createdAt"])}
    await two.ask("send", channel=channel, key="only-once", body="La clé d’un autre est une autre clé")
    entries = await two.entries(channel, 2)
    assert [(entry["seq"], entry["sender"]) for entry in entries] == [(1, alice), (2, bob)]


async def test_open_finds_the_same_conversation_from_both_sides(hub, Client):
    alice, bob, one, two, channel = await meet(Client, hub)
    assert (await two.ask("open", **{"with": alice}))["channel"] == channel
    review = (await one.ask("open", context="review:1", **{"with": bob}))["channel"]
    assert review != channel
    assert (await two.ask("open", context="review:1", **{"with": alice}))["channel"] == review


async def test_opening_at_the_same_time_makes_one_conversation(hub, Client):
    alice, bob, one, two, _ = await meet(Client, hub, conversation=False)
    states = await asyncio.gather(
        *[one.ask("open", **{"with": bob}) for _ in range(4)], *[two.ask("open", **{"with": alice}) for _ in range(4)])
    assert len({state["channel"] for state in states}) == 1


async def test_typing_reaches_the_other_member_only(hub, Client):
    alice, bob, one, two, channel = await meet(Client, hub)
    assert await one.ask("typing", channel=channel) == {}
    assert (await two.next("signal", signal="typing"))["user"] == alice
    for _ in range(3):
        assert await one.ask("typing", channel=channel) == {}
    await one.quiet()
    await two.quiet()
    for client in (one, two):
        assert not [f for f in client.heard if f["type"] == "signal" and f["signal"] == "typing" and client is one]
    assert len([f for f in two.heard if f["type"] == "signal" and f["signal"] == "typing"]) == 1


async def test_activity_is_answered_with_nothing(hub, Client):
    alice, bob, one, two, channel = await meet(Client, hub)
    assert await one.ask("activity") == {}
    await two.quiet()


async def test_a_rewind_takes_nothing_back(hub, Client):
    alice, bob, one, two, channel = await meet(Client, hub)
    sent = await two.ask("send", channel=channel, key="k-1", body="one")
    await one.next("entry", seq=sent["seq"])
    await one.ask("subscribe", channel=channel, since=0)
    assert (await one.ask("ack", channel=channel, seq=sent["seq"]))["delivered"] == sent["seq"]


async def test_history_in_pages_both_ways(hub, Client):
    name = person()
    client = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    hub.kafka.produce(*[event(f"user:{name}", title=str(i)) for i in range(7)], key=name)
    await client.entries("inbox", 7)

    async def page(**bounds):
        page = await client.ask("history", channel="inbox", **bounds)
        assert page["head"] == 7
        return [entry["seq"] for entry in page["entries"]], page["more"]

    assert await page(limit=3) == ([5, 6, 7], True)
    assert await page(before=5, limit=3) == ([2, 3, 4], True)
    assert await page(before=2, limit=3) == ([1], False)
    assert await page(after=0, limit=4) == ([1, 2, 3, 4], True)
    assert await page(after=4, limit=4) == ([5, 6, 7], False)
    assert await page() == ([1, 2, 3, 4, 5, 6, 7], False)
    stranger = await Client.connect(hub.socket_url, hub.token(name))
    assert len((await stranger.ask("history", channel="inbox"))["entries"]) == 7, "history needs no subscription"


async def test_history_is_cut_at_the_announced_page(hub, Client):
    name = person()
    client = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    most = client.welcome["limits"]["historyPage"]
    hub.kafka.produce(*[event(f"user:{name}") for _ in range(most + 20)], key=name)
    await client.entries("inbox", most + 20)
    page = await client.ask("history", channel="inbox", limit=10 * most)
    assert len(page["entries"]) == most and page["more"]


async def test_what_expires_no_longer_counts_and_keeps_its_number(hub, Client):
    name = person()
    client = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    soon = datetime.now(UTC) + timedelta(seconds=2)
    hub.kafka.produce(event(f"user:{name}", expiresAt=soon.isoformat()), event(f"user:{name}"), key=name)
    await client.entries("inbox", 2)

    async def unread(number):
        def told():
            return [f for f in client.heard if f["type"] == "counters"][-1:] or None

        return await client._until(lambda: (c := told()) and c[0]["totals"]["unread"] == number or None, f"{number} unread", 15)

    await unread(2)
    await unread(1)
    assert datetime.now(UTC) >= soon
    late = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    assert next(s for s in late.welcome["channels"] if s["channel"] == "inbox")["unread"] == 1
    replayed = await late.entries("inbox", 2)
    assert [entry["seq"] for entry in replayed] == [1, 2], "no gap"
    assert "expiresAt" in replayed[0] and "expiresAt" not in replayed[1]



async def test_what_a_collapse_key_replaces_leaves_the_counters(hub, Client):
    name = person()
    client = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    hub.kafka.produce(event(f"user:{name}", id="one", collapse="task"), event(f"user:{name}", id="other"), key=name)
    await client.entries("inbox", 2)
    hub.kafka.produce(event(f"user:{name}", id="two", collapse="task"), key=name)
    await client.entries("inbox", 3)
    await client._until(
        lambda: [f for f in client.heard if f["type"] == "counters"][-1]["totals"]["unread"] == 2 or None, "two that count", 15)
    tab = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    assert tab.welcome["totals"]["unread"] == 2
    assert [entry["id"] for entry in await tab.entries("inbox", 3)] == ["one", "other", "two"]


async def test_who_leaves_a_conversation_neither_hears_nor_reads_nor_writes_it(hub, Client):
    alice, bob, one, two, channel = await meet(Client, hub)
    other = await Client.connect(hub.socket_url, hub.token(bob), {channel: 0})
    assert await two.ask("leave", channel=channel) == {"channel": channel}
    for client in (two, other):
        await client.next("signal", signal="unsubscribed", channel=channel)
    await one.ask("send", channel=channel, key="after", body="are you there?")
    await one.entries(channel, 1)
    for kind, members in (("subscribe", {"since": 0}), ("history", {}), ("send", {"key": "back", "body": "no"}), ("leave", {})):
        with pytest.raises(Refused, match="forbidden"):
            await two.ask(kind, channel=channel, **members)
    assert channel not in [state["channel"] for state in (await Client.connect(hub.socket_url, hub.token(bob))).welcome["channels"]]
    with pytest.raises(Refused, match="bad_request"):
        await one.ask("leave", channel="inbox")


async def test_unsubscribed_hears_no_more(hub, Client):
    name = person()
    client = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    assert await client.ask("unsubscribe", channel="inbox") == {"channel": "inbox"}
    witness = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    hub.kafka.produce(event(f"user:{name}"), key=name)
    await witness.next("entry")
    await client.quiet()
    assert client.entries_of("inbox") == []
    with pytest.raises(Refused, match="not_subscribed"):
        await client.ask("ack", channel="inbox", seq=1)
    state = await client.ask("subscribe", channel="inbox", since=0)
    assert state["since"] == 0 and state["head"] == 1
    assert (await client.next("entry"))["replay"]


async def test_subscribing_without_since_starts_at_the_head(hub, Client):
    name = person()
    witness = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    hub.kafka.produce(event(f"user:{name}"), event(f"user:{name}"), key=name)
    await witness.entries("inbox", 2)
    client = await Client.connect(hub.socket_url, hub.token(name))
    assert (await client.ask("subscribe", channel="inbox"))["since"] == 2
    await client.next("signal", signal="live", seq=2)
    hub.kafka.produce(event(f"user:{name}"), key=name)
    assert [entry["seq"] for entry in await client.entries("inbox", 1)] == [3]


async def test_subscribing_again_from_an_earlier_position_replays(hub, Client):
    name = person()
    client = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    hub.kafka.produce(*[event(f"user:{name}") for _ in range(4)], key=name)
    await client.entries("inbox", 4)
    await client.ask("subscribe", channel="inbox")
    await client.quiet()
    assert len(client.entries_of("inbox")) == 4, "restarts nothing"
    await client.ask("subscribe", channel="inbox", since=2)
    entries = await client.entries("inbox", 6)
    assert [entry["seq"] for entry in entries] == [1, 2, 3, 4, 3, 4]


async def test_commands_of_one_message_are_judged_one_by_one(hub, Client):
    client = await Client.connect(hub.socket_url, hub.token(person()))
    answers = [client.expect(100 + number, command) for number, command in enumerate(("ping", "subscribe", "ping"))]
    await client.say('{"id":100,"type":"ping"}\n{"id":101,"type":"subscribe","channel":7}\n\n{"id":102,"type":"ping","more":[1]}\n')
    await answers[0]
    with pytest.raises(Refused, match="bad_request"):
        await answers[1]
    await answers[2]


async def test_a_command_without_an_id_gets_no_reply(hub, Client):
    client = await Client.connect(hub.socket_url, hub.token(person()))
    await client.say('{"type":"ping"}')
    await client.quiet()
    assert client.loose_errors == [] and [f["type"] for f in client.heard] == []


async def test_a_broadcast_reaches_those_entitled_and_nobody_else(hub, Client):
    institution = f"u-{uuid.uuid4().hex[:6]}"
    channel = f"broadcast:institution:{institution}"
    inside = await Client.connect(hub.socket_url, hub.token(person(), institution=institution), {channel: 0})
    outside = await Client.connect(hub.socket_url, hub.token(person(), institution="elsewhere"), {"inbox": 0})
    with pytest.raises(Refused, match="forbidden"):
        await outside.ask("subscribe", channel=channel, since=0)
    with pytest.raises(Refused, match="forbidden"):
        await outside.ask("history", channel=channel)
    hub.kafka.produce(event(channel))
    assert (await inside.next("entry"))["channel"] == channel
    await outside.quiet()
    assert [f for f in outside.heard if f["type"] == "entry"] == []


async def test_tabs_and_devices_of_one_user_agree(hub, Client):
    name = person()
    token = hub.token(name)
    tabs = [await Client.connect(hub.socket_url, token, {"inbox": 0}) for _ in range(3)]
    hub.kafka.produce(*[event(f"user:{name}") for _ in range(3)], key=name)
    for tab in tabs:
        assert [entry["seq"] for entry in await tab.entries("inbox", 3)] == [1, 2, 3]
    await tabs[0].ask("ack", channel="inbox", seq=3)
    read = await tabs[0].ask("mark-read", channel="inbox", upTo=2)
    for tab in tabs[1:]:
        cursor = await tab.next("cursor", read=2)
        assert (cursor["delivered"], cursor["version"]) == (3, read["version"])
    for tab in tabs:
        await tab._until(lambda: [f for f in tab.heard if f["type"] == "counters" and f["totals"]["unread"] == 1] or None, "one unread", 10)
    assert not [f for f in tabs[0].heard if f["type"] == "cursor"], "who moved it knows by the reply"
    late = await Client.connect(hub.socket_url, token)
    inbox = next(state for state in late.welcome["channels"] if state["channel"] == "inbox")
    assert (inbox["unread"], inbox["read"], inbox["version"]) == (1, 2, read["version"])


async def test_formal_notices_leave_a_receipt(hub, Client):
    name = person()
    client = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    hub.kafka.produce(event(f"user:{name}", receipt="required"), event(f"user:{name}"), key=name)
    entries = await client.entries("inbox", 2)
    assert entries[0]["receipt"] == "required" and "receipt" not in entries[1]
    await client.ask("ack", channel="inbox", seq=2)
    await client.ask("mark-read", channel="inbox", seq=1)
    rows = query(
        hub.database, "SELECT seq, session, read_session IS NOT NULL, delivered_at <= read_at FROM hub.receipt WHERE user_id = %s", name)
    assert rows == [(1, client.welcome["session"], True, True)]
