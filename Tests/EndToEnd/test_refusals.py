"""Invalid input gets the documented code, loses no entry, and does not affect other users."""

import asyncio
import json

import pytest
import websockets

from hubclient import Client as WebSocketClient
from hubclient import Refused
from rig import event, person


@pytest.fixture
def bystander(hub):
    """Another user on the same hub, whose entries must arrive in spite of the test."""

    class Bystander:
        async def __aenter__(self):
            self.name = person("bystander")
            self.client = await WebSocketClient.connect(hub.socket_url, hub.token(self.name), {"inbox": 0})
            return self

        async def __aexit__(self, kind, *_):
            if kind is None:
                hub.kafka.produce(event(f"user:{self.name}"), key=self.name)
                entry = await self.client.next("entry")
                assert entry["seq"] == 1
                await self.client.ask("ack", channel="inbox", seq=1)
                assert [f["type"] for f in self.client.heard if f["type"] not in ("entry", "signal", "counters")] == []

    return Bystander()


UUID = "00000000-0000-4000-8000-000000000000"

REFUSED = [
    ("an unknown type", {"type": "dance"}, "unknown_type"),
    ("no type", {}, "bad_request"),
    ("a type that is no text", {"type": 7}, "bad_request"),
    ("an id that is no number", {"type": "ping", "id": "seven"}, None),
    ("subscribing to no channel", {"type": "subscribe"}, "bad_request"),
    ("subscribing to what is no channel", {"type": "subscribe", "channel": "kitchen"}, "unknown_channel"),
    ("somebody's inbox", {"type": "subscribe", "channel": "inbox:bob"}, "unknown_channel"),
    ("a broadcast without a kind", {"type": "subscribe", "channel": "broadcast:news"}, "unknown_channel"),
    ("a foreign institution", {"type": "subscribe", "channel": "broadcast:institution:x"}, "forbidden"),
    ("a role one does not have", {"type": "subscribe", "channel": "broadcast:category:admin"}, "forbidden"),
    ("a conversation that does not exist", {"type": "subscribe", "channel": f"conversation:{UUID}"}, "forbidden"),
    ("history of a conversation that does not exist", {"type": "history", "channel": f"conversation:{UUID}"}, "forbidden"),
    ("a position beyond the head", {"type": "subscribe", "channel": "inbox", "since": 99}, "position_unknown"),
    ("a negative position", {"type": "subscribe", "channel": "inbox", "since": -1}, "bad_request"),
    ("a position that is no integer", {"type": "subscribe", "channel": "inbox", "since": 1.5}, "bad_request"),
    ("a position beyond every reader", {"type": "subscribe", "channel": "inbox", "since": 2**53}, "bad_request"),
    ("an ack of a channel not followed", {"type": "ack", "channel": "inbox", "seq": 1}, "not_subscribed"),
    ("an ack without a seq", {"type": "ack", "channel": "inbox"}, "bad_request"),
    ("two selections", {"type": "mark-read", "channel": "inbox", "seq": 1, "all": True}, "bad_request"),
    ("no selection", {"type": "mark-read", "channel": "inbox"}, "bad_request"),
    ("all that is not true", {"type": "mark-read", "channel": "inbox", "all": False}, "bad_request"),
    ("an empty set", {"type": "mark-read", "channel": "inbox", "seqs": []}, "bad_request"),
    ("a set that is too large", {"type": "mark-read", "channel": "inbox", "seqs": list(range(1, 1002))}, "limit_exceeded"),
    ("a conversation with oneself", {"type": "open", "with": "SELF"}, "bad_request"),
    ("a conversation with nobody", {"type": "open", "with": ""}, "bad_request"),
    ("a name with a line break", {"type": "open", "with": "a\nb"}, "bad_request"),
    ("a blank message", {"type": "send", "to": "x", "key": "1", "body": " \u00a0\n "}, "bad_request"),
    ("a message without a key", {"type": "send", "to": "x", "body": "hey"}, "bad_request"),
    ("a key that is too long", {"type": "send", "to": "x", "key": "k" * 65, "body": "hey"}, "bad_request"),
    ("a message to nowhere", {"type": "send", "key": "1", "body": "hey"}, "bad_request"),
    ("a message to two places", {"type": "send", "key": "1", "body": "hey", "to": "x", "channel": "inbox"}, "bad_request"),
    ("writing into an inbox", {"type": "send", "key": "1", "body": "hey", "channel": "inbox"}, "forbidden"),
    ("writing into a broadcast", {"type": "send", "key": "1", "body": "hey", "channel": "broadcast:system"}, "forbidden"),
    ("writing into a foreign conversation", {"type": "send", "key": "1", "body": "hey", "channel": f"conversation:{UUID}"}, "forbidden"),
    ("a body that is too long", {"type": "send", "to": "x", "key": "1", "body": "é" * 10_000}, "too_large"),
    ("history both ways", {"type": "history", "channel": "inbox", "after": 1, "before": 9}, "bad_request"),
    ("history of nothing", {"type": "history", "channel": "inbox", "limit": 0}, "bad_request"),
    ("typing where nobody follows", {"type": "typing", "channel": f"conversation:{UUID}"}, "not_subscribed"),
    ("refreshing with rubbish", {"type": "refresh", "token": "rubbish"}, "invalid_token"),
]


@pytest.mark.parametrize(("command", "code"), [one[1:] for one in REFUSED], ids=[one[0] for one in REFUSED])
async def test_a_bad_command_gets_its_code_and_the_session_goes_on(hub, command, code, Client):
    name = person()
    client = await Client.connect(hub.socket_url, hub.token(name))
    command = {key: name if value == "SELF" else value for key, value in command.items()}
    answer = client.expect(500, command.get("type"))
    await client.say(json.dumps({"id": 500, **command}))
    if code is None:
        assert (await client.loose_error())["code"] == "bad_request"
    else:
        with pytest.raises(Refused) as refused:
            await asyncio.wait_for(answer, 10)
        assert refused.value.code == code, refused.value
    await client.quiet()
    assert not client.ended.is_set()


@pytest.mark.parametrize(
    "text",
    [
        "", "   \n\n", "hello", "[]", "7", "null", '{"id":1,"type":"ping"', '{"id":1,"type":"ping"}}', '{"id":1,"id":2,"type":"ping"}',
        '{"id":1,"type":"pi\u0000ng"}', '{"type":"open","with":"\\u0000"}', '{"type":"open","with":"\\ud800"}', "{'type':'ping'}",
        '{"type":"ping",}', '{"type":"ping","x":NaN}', '{"type":"ping","x":01}', '{"type":"ping"} // why', "\ufeff{}",
        '{"type":"ping","x":' + "[" * 60 + "]" * 60 + "}",
    ], ids=lambda text: repr(text)[:40])
async def test_what_is_not_json_is_answered_and_harms_nothing(hub, text, Client):
    client = await Client.connect(hub.socket_url, hub.token(person()))
    await client.say(text)
    error = await client.loose_error()
    assert (error["code"], error["temporary"]) == ("bad_json", False)
    await client.quiet()


@pytest.mark.only_over("websocket", reason="over HTTP a request without a session must begin with connect")
async def test_commands_before_connect_are_refused(hub, Client):
    client = await Client.open(hub.socket_url)
    for command in ("ping", "subscribe", "ack", "typing"):
        with pytest.raises(Refused, match="not_connected"):
            await client.ask(command, channel="inbox", seq=1)
    await client.ask("connect", token=hub.token(person()))


async def test_acknowledging_what_was_never_sent(hub, bystander, Client):
    async with bystander:
        name = person()
        client = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
        hub.kafka.produce(event(f"user:{name}"), event(f"user:{name}"), key=name)
        await client.entries("inbox", 2)
        for command, members in (
            ("ack", {"seq": 3}), ("mark-seen", {"seq": 3}), ("mark-read", {"seq": 3}), ("mark-read", {"upTo": 2**53 - 1}),
            ("mark-read", {"seqs": [1, 3]}), ("mark-unread", {"seq": 3}),
        ):
            with pytest.raises(Refused, match="not_sent"):
                await client.ask(command, channel="inbox", **members)
        assert (await client.ask("ack", channel="inbox", seq=2))["delivered"] == 2
        assert (await client.ask("ack", channel="inbox", seq=1))["delivered"] == 2, "a cursor never goes back"
        state = await client.ask("mark-read", channel="inbox", upTo=1)
        assert (state["read"], state["unread"]) == (1, 1)


async def test_a_conversation_of_others_is_forbidden(hub, bystander, Client):
    async with bystander:
        alice, bob, eve = person("alice"), person("bob"), person("eve")
        one = await Client.connect(hub.socket_url, hub.token(alice))
        spy = await Client.connect(hub.socket_url, hub.token(eve), {"inbox": 0})
        channel = (await one.ask("open", **{"with": bob}))["channel"]
        await one.ask("subscribe", channel=channel, since=0)
        await one.ask("send", channel=channel, key="1", body="entre nous")
        for command, members in (
            ("subscribe", {"since": 0}), ("subscribe", {}), ("history", {}), ("send", {"key": "1", "body": "coucou"}),
        ):
            with pytest.raises(Refused, match="forbidden"):
                await spy.ask(command, channel=channel, **members)
        for command, members in (("ack", {"seq": 1}), ("mark-read", {"upTo": 1}), ("typing", {}), ("unsubscribe", {})):
            with pytest.raises(Refused, match="not_subscribed"):
                await spy.ask(command, channel=channel, **members)
        late = await Client.connect(hub.socket_url, hub.token(eve), {channel: 0})
        assert late.welcome["refused"] == [{"channel": channel, "code": "forbidden"}]
        await one.ask("send", channel=channel, key="2", body="toujours entre nous")
        await spy.quiet()
        assert [f for f in spy.heard + late.heard if f.get("channel") == channel] == []


@pytest.mark.only_over("websocket", reason="a close code; over HTTP a body that is too large is refused with 413")
async def test_a_message_longer_than_announced_closes_with_1009(hub, bystander, Client):
    async with bystander:
        client = await Client.connect(hub.socket_url, hub.token(person()))
        most = client.welcome["limits"]["messageBytes"]
        await client.say('{"id":77,"type":"ping","x":"' + "x" * (most - 100) + '"}')
        await client.quiet()
        try:
            await client.say('{"type":"ping","x":"' + "x" * most + '"}')
        except websockets.ConnectionClosed:
            pass  # judged from the frame's head: it may be closed before everything is sent
        assert await client.closed() == 1009


@pytest.mark.only_over("websocket", reason="fragments")
async def test_a_message_longer_than_announced_in_fragments_closes_with_1009(hub, bystander, Client):
    async with bystander:
        client = await Client.connect(hub.socket_url, hub.token(person()))

        async def pieces():
            yield '{"type":"ping","x":"'
            for _ in range(40):
                yield "x" * 4096
            yield '"}'

        try:
            await client.socket.send(pieces())
        except websockets.ConnectionClosed:
            pass
        assert await client.closed() == 1009


@pytest.mark.only_over("websocket", reason="permessage-deflate")
async def test_a_compressed_bomb_closes_with_1009(hub, bystander, Client):
    async with bystander:
        client = await Client.connect(hub.socket_url, hub.token(person()), compression="deflate")
        assert client.socket.protocol.extensions, "the hub agreed to permessage-deflate"
        try:
            await client.say('{"type":"ping","x":"' + "x" * 8_000_000 + '"}')
        except websockets.ConnectionClosed:
            pass
        assert await client.closed() == 1009


@pytest.mark.only_over("websocket", reason="an opcode")
async def test_a_binary_message_closes_with_4000(hub, bystander, Client):
    async with bystander:
        client = await Client.connect(hub.socket_url, hub.token(person()))
        await client.say(b'{"type":"ping"}')
        bye = await client.next("bye")
        assert (bye["code"], bye["reconnect"]) == (4000, False)
        assert await client.closed() == 4000


async def test_more_commands_in_a_message_than_announced(hub, Client):
    client = await Client.connect(hub.socket_url, hub.token(person()))
    await client.say("\n".join(['{"type":"ping"}'] * 65))
    assert (await client.loose_error())["code"] == "limit_exceeded"
    await client.quiet()


async def test_a_client_that_asks_faster_than_the_store_answers_gets_every_answer(hub, bystander, Client):
    async with bystander:
        name = person()
        client = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
        hub.kafka.produce(event(f"user:{name}"), key=name)
        await client.next("entry")
        answers = [client.begin("mark-read" if i % 2 else "mark-unread", channel="inbox", seq=1) for i in range(1_000)]
        states = await asyncio.wait_for(asyncio.gather(*answers), 60)
        assert len(states) == 1_000


async def test_more_subscriptions_than_announced(hub, Client):
    name = person()
    client = await Client.connect(hub.socket_url, hub.token(name))
    most = client.welcome["limits"]["subscriptions"]
    states = [client.begin("open", **{"with": f"someone-{i}"}) for i in range(most + 1)]
    channels = [state["channel"] for state in await asyncio.gather(*states)]
    assert len(set(channels)) == most + 1
    answers = await asyncio.gather(*[client.begin("subscribe", channel=channel, since=0) for channel in channels], return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert [one.code for one in refused] == ["limit_exceeded"]
    await client.ask("unsubscribe", channel=channels[0])
    await client.ask("subscribe", channel=channels[-1], since=0)
