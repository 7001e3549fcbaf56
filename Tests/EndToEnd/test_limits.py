"""Limits on the harm that one user can do to another."""

import asyncio
import contextlib
import json
import re
import socket
import urllib.request

import pytest

from httpclients import TRANSPORTS
from hubclient import Lost, Refused
from rawsocket import RawSocket
from rig import person, query
from test_operation import answer_of, metric


@pytest.fixture(scope="module")
def flooded(platform):
    hub = platform.hub("flooded", extra={"HUB_LIMITS_CONVERSATIONS_OF_PAIR": "5", "HUB_LIMITS_SUBSCRIPTIONS": "6"})
    try:
        yield hub.start()
    finally:
        hub.stop()


async def test_conversations_of_two_are_bounded_and_their_target_can_still_connect(flooded, Client):
    hub = flooded
    victim, friend = person("victim"), person("friend")
    first = await Client.connect(hub.socket_url, hub.token(friend))
    talk = (await first.ask("open", **{"with": victim}))["channel"]
    for flooder in (person("flooder"), person("flooder")):
        eve = await Client.connect(hub.socket_url, hub.token(flooder))
        made = [(await eve.ask("open", context=str(number), **{"with": victim}))["channel"] for number in range(5)]
        for command in ("open", "send"):
            members = {"with": victim} if command == "open" else {"to": victim, "key": "k", "body": "x"}
            with pytest.raises(Refused, match="limit_exceeded"):
                await eve.ask(command, context="one more", **members)
        assert (await eve.ask("open", context="0", **{"with": victim}))["channel"] == made[0], "those they have go on"
    # Written in last, so listed; the oldest of the flood are not, and can be followed all the same.
    await first.ask("send", channel=talk, key="1", body="Are you there?")
    client = await Client.connect(hub.socket_url, hub.token(victim), {made[0]: 0})
    listed = [state["channel"] for state in client.welcome["channels"]]
    assert client.welcome["more"] is True
    assert talk in listed and made[0] in listed and "refused" not in client.welcome
    assert sum(channel.startswith("conversation:") for channel in listed) in (6, 7)
    assert len(set(listed)) == len(listed)
    assert "more" not in first.welcome
    pages, before = [], {}
    while True:
        page = await client.ask("conversations", limit=4, **before)
        pages += [state["channel"] for state in page["channels"]]
        if not page["more"]:
            break
        before = {"before": pages[-1]}
    assert len(pages) == len(set(pages)) == 11 and pages[0] == talk


async def test_a_key_is_one_message_in_each_conversation(hub, Client):
    one = await Client.connect(hub.socket_url, hub.token(person("alice")))
    others = [person("bob"), person("carol")]
    sent = [await one.ask("send", to=other, key="same", body="Bonjour") for other in others * 2]
    assert [answer["duplicate"] for answer in sent] == [False, False, True, True]
    assert sent[0]["channel"] != sent[1]["channel"]
    assert [answer["seq"] for answer in sent] == [1, 1, 1, 1]


async def test_commands_before_the_reply_to_connect_are_refused(hub, Client):
    alice, bob = person("alice"), person("bob")
    client = await Client.open(hub.socket_url)
    # In one message: of three, the last could come after the reply.
    answers = client.begin_together(
        ("connect", {"token": hub.token(alice)}), ("send", {"to": bob, "key": "1", "body": "too early"}),
        ("subscribe", {"channel": "inbox"}))
    assert (await answers[0])["user"] == alice
    for answer in answers[1:]:
        with pytest.raises(Refused, match="not_connected"):
            await answer
    assert query(hub.database, "SELECT count(*) FROM hub.conversation WHERE %s IN (first, second)", alice) == [(0,)]
    await client.ask("subscribe", channel="inbox")


async def test_seen_messages_are_reported_as_delivered(hub, Client):
    alice, bob = person("alice"), person("bob")
    one = await Client.connect(hub.socket_url, hub.token(alice))
    two = await Client.connect(hub.socket_url, hub.token(bob))
    channel = (await one.ask("send", to=bob, key="1", body="Bonjour"))["channel"]
    for client in (one, two):
        await client.ask("subscribe", channel=channel, since=0)
        await client.next("signal", signal="live", channel=channel)
    await two.ask("mark-seen", channel=channel, seq=1)
    receipt = await one.next("receipt", channel=channel)
    assert (receipt["user"], receipt["delivered"], receipt["read"]) == (bob, 1, 0)


@contextlib.asynccontextmanager
async def crowded(platform, connections):
    extra = {"HUB_LIMITS_CONNECTIONS": str(connections), "HUB_LOOPS_COUNT": "1"}
    async with platform.running("crowded", extra=extra) as hub:
        with contextlib.ExitStack() as sockets:
            yield hub, lambda: sockets.enter_context(socket.create_connection(hub.address))


async def test_idle_sockets_of_strangers_lock_nobody_out(platform):
    async with crowded(platform, 20) as (hub, stranger):
        idle = [stranger() for _ in range(26)]
        served = 0
        for one in idle:
            with contextlib.suppress(OSError):  # closed for a newer one
                one.sendall(b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n")
                served += one.recv(4096).startswith(b"HTTP/1.1 200")
        assert served == 20
        kind = TRANSPORTS["websocket"]
        clients = [await kind.connect(hub.socket_url, hub.token(person()), {"inbox": 0}) for _ in range(9)]
        # More strangers than there is room for: those who have sessions stay.
        idle += [stranger() for _ in range(40)]
        for path in ("/livez", "/readyz"):
            assert (await asyncio.to_thread(answer_of, hub, path, 5))[0] == 200
        for client in clients:
            await client.ask("send", to=person(), key="1", body="Still here")
        for kind in TRANSPORTS.values():
            client = await kind.connect(hub.socket_url, hub.token(person()), {"inbox": 0})
            await client.ask("send", to=person(), key="1", body="A place, too")
        assert metric(hub, "hub_connections_spared_total") >= 30
        assert "as many connections are open as may be" in hub.tail()


async def test_a_hub_full_of_sessions_refuses_at_once_and_answers_about_its_health(platform):
    async with crowded(platform, 4) as (hub, stranger):
        kind = TRANSPORTS["websocket"]
        clients = [await kind.connect(hub.socket_url, hub.token(person()), {"inbox": 0}) for _ in range(4)]
        for _ in range(3):
            with pytest.raises(Exception, match="503"):
                await asyncio.wait_for(kind.open(hub.socket_url), 5)
        assert (await asyncio.to_thread(answer_of, hub, "/readyz", 5))[0] == 200
        idle = [stranger() for _ in range(30)]
        assert (await asyncio.to_thread(answer_of, hub, "/livez", 5))[0] == 200
        assert metric(hub, "hub_connections_over_limit_total") >= 3
        clients.pop().drop()
        for one in idle:
            one.close()
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(Exception):
                    clients.append(await kind.connect(hub.socket_url, hub.token(person())))
                    break
                await asyncio.sleep(0.1)
        assert len(clients) == 4


@pytest.fixture(scope="module")
def paced(platform):
    """One event loop, because each loop counts for itself."""
    hub = platform.hub("paced", extra={
        "HUB_LOOPS_COUNT": "1", "HUB_LIMITS_COMMANDS_PER_SECOND": "20", "HUB_LIMITS_SENDS_TO_ONE_PER_SECOND": "1",
        "HUB_LIMITS_NEW_CONVERSATIONS_PER_SECOND": "1"})
    try:
        yield hub.start()
    finally:
        hub.stop()


def counted(hub, name):
    with urllib.request.urlopen(f"{hub.url.rstrip('/')}/metrics", timeout=10) as answer:
        return float(re.search(rf"(?m)^{re.escape(name)} (\S+)$", answer.read().decode())[1])


async def refused(answers):
    """The refusals among answers."""
    results = await asyncio.gather(*answers, return_exceptions=True)
    return [one for one in results if isinstance(one, Refused)]


@pytest.mark.alone
async def test_a_user_who_is_too_fast_is_refused_for_a_while_and_no_other_user_is(paced, Client):
    eve, ann = [await Client.connect(paced.socket_url, paced.token(person())) for _ in range(2)]
    too_many = await refused([eve.begin("ping") for _ in range(260)])
    assert 30 <= len(too_many) <= 60, "200 at once, and 20 more each second"
    assert {one.code for one in too_many} == {"rate_limited"}
    assert all(one.temporary and 0 < one.retry_after < 2 for one in too_many)
    await ann.ask("ping")
    await asyncio.sleep(too_many[-1].retry_after)
    await eve.ask("ping")
    assert counted(paced, 'hub_rate_limited_total{what="commands"}') >= len(too_many)


@pytest.mark.alone
async def test_messages_and_new_conversations_have_bounds_of_their_own(paced, Client):
    eve, bob = await Client.connect(paced.socket_url, paced.token(person())), person("bob")
    assert 5 <= len(await refused([eve.begin("send", to=bob, key=str(i), body="x") for i in range(20)])) <= 10
    invented = await refused([eve.begin("open", **{"with": person("invented")}) for _ in range(70)])
    assert 5 <= len(invented) <= 12 and {one.code for one in invented} == {"rate_limited"}
    assert (await eve.ask("open", **{"with": bob}))["channel"], "a conversation that exists is no new one"


async def test_a_user_with_too_many_sessions_is_refused_another_one(platform, Client):
    async with platform.running("few-sessions", extra={"HUB_LOOPS_COUNT": "1", "HUB_LIMITS_SESSIONS_PER_USER": "2"}) as hub:
        name = person()
        first, _ = [await Client.connect(hub.socket_url, hub.token(name)) for _ in range(2)]
        with pytest.raises((Refused, Lost), match="limit_exceeded|^$"):
            await Client.connect(hub.socket_url, hub.token(name))
        await Client.connect(hub.socket_url, hub.token(person()))
        await first.ask("ping")
        assert counted(hub, 'hub_closes_total{reason="connection_limit"}') == 1


async def test_an_address_with_too_many_connections_is_refused_another_one(platform):
    async with platform.running("few-connections", extra={"HUB_LOOPS_COUNT": "1", "HUB_LIMITS_CONNECTIONS_PER_ADDRESS": "2"}) as hub:
        raws = [await RawSocket.upgraded(hub.address) for _ in range(2)]
        third = await RawSocket.upgraded(hub.address)
        assert json.loads((await third.receive())[1])["reason"] == "connection_limit"
        assert await third.close_code() == 4103
        third.close()
        fourth = await RawSocket.open(hub.address)
        fourth.send(b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await fourth.response())[0] == 429
        fourth.close()
        raws.pop().close()
        async with asyncio.timeout(10):
            while True:
                again = await RawSocket.open(hub.address)
                again.send(b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n")
                if (await again.response())[0] == 200:
                    break
                again.close()
                # The hub must have noticed the end of this one, or it counts beside the next.
                await asyncio.sleep(0.05)


async def test_a_user_who_goes_on_all_the_same_is_disconnected(paced, Client):
    name, ann = person("eve"), await Client.connect(paced.socket_url, paced.token(person("ann")))
    eve = await Client.connect(paced.socket_url, paced.token(name))
    answers = []
    while not eve.ended.is_set() and len(answers) < 5_000:
        answers += [eve.begin("ping") for _ in range(60)]
        await asyncio.wait(answers[-60:], timeout=5)
    bye = await eve.next("bye")
    assert (bye["code"], bye["reason"], bye["reconnect"]) == (4102, "rate_limited", True)
    with pytest.raises((Refused, Lost), match="rate_limited|^$"):
        await Client.connect(paced.socket_url, paced.token(name))
    await ann.ask("ping")
    assert counted(paced, 'hub_closes_total{reason="rate_limited"}') >= 1


async def test_messages_to_somebody_who_never_answered_are_bounded(platform, Client):
    async with platform.running("unanswered", extra={"HUB_LIMITS_UNANSWERED": "3"}) as hub:
        alice, bob = person("alice"), person("bob")
        one = await Client.connect(hub.socket_url, hub.token(alice))
        sent = [await one.ask("send", to=bob, key=str(number), body="Are you there?") for number in range(3)]
        talk = sent[0]["channel"]
        await one.ask("edit", channel=talk, seq=1, key="edit", body="Hello?")
        elsewhere = await Client.connect(hub.socket_url, hub.token(alice))
        for client in (one, elsewhere):
            with pytest.raises(Refused, match="limit_exceeded.*nobody has answered your 3 messages") as refusal:
                await client.ask("send", channel=talk, key="one more", body="Please!")
            assert not refusal.value.temporary
            with pytest.raises(Refused, match="limit_exceeded"):
                await client.ask("send", to=bob, key="one more", body="Please!")
        again = await elsewhere.ask("send", to=bob, key="2", body="Are you there?")
        assert again["duplicate"] and again["seq"] == 3, "a repeat gets its first answer"
        two = await Client.connect(hub.socket_url, hub.token(bob), {talk: 0})
        await two.ask("send", channel=talk, key="answer", body="Yes.")
        assert not (await one.ask("send", channel=talk, key="one more", body="Fine!"))["duplicate"]
        assert [(await one.ask("send", channel=talk, key=f"later {number}", body="x"))["seq"] for number in range(4)] == [7, 8, 9, 10]
