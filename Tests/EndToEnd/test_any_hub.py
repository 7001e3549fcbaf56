"""Requests of one client that reach several hubs in turn: streams, polls and commands go on at a hub that does not have their session."""

import asyncio
import contextlib
import itertools
import json
import time

import pytest

import protocol
import proxies
from browser import Browser
from fallback import bearer, line, opened, refusal_of, requests, seqs, session, stream
from hubclient import Client
from rig import event, person
from scripted import WebFolder


@pytest.fixture(scope="module")
def two(platform):
    extra = {
        "HUB_KAFKA_GROUP": "any", "HUB_AUTH_LEEWAY": "0s", "HUB_FALLBACK_POLL_WAIT": "3s", "HUB_LIMITS_SESSIONS_PER_USER": "10", "HUB_LOOPS_COUNT": "1"}
    hubs = [platform.hub(name, extra=extra) for name in ("east", "west")]
    for hub in hubs:
        hub.start()
    yield hubs
    for hub in hubs:
        hub.stop()


class Turns:
    """One client's requests, each to the next hub, as a proxy without affinity sends them."""

    def __init__(self, hubs, ways, token):
        self.ways, self._ways = ways, itertools.cycle(ways)
        self.hubs, self.token = hubs, token
        self.asked = 0

    @property
    def http(self):
        self.asked += 1
        return next(self._ways)

    async def commands(self, credential, *lines, query=""):
        response = await self.http.post("/v1/commands" + query, content="\n".join(lines), headers={**session(credential), **bearer(self.token)})
        assert response.status_code == 200, response.text
        replies = protocol.lines(response.text)
        for reply in replies:
            protocol.check(reply)
        return {reply["re"]: reply for reply in replies}

    async def poll(self, credential, wait=None, **body):
        response = await self.http.post(
            "/v1/poll", params={} if wait is None else {"wait": wait}, content=json.dumps(body),
            headers={**(session(credential) if credential else {}), **bearer(self.token)})
        assert response.status_code == 200, response.text
        answer = response.json()
        assert protocol.fallback_complaint("poll-answer", answer) is None, answer
        return answer


@pytest.fixture
def turns(two):
    def make(name, **claims):
        from httpclients import http
        return Turns(two, [http(hub.socket_url) for hub in two], two[0].token(name, **claims))
    return make


def publish(hub, name, count, start=0):
    hub.kafka.produce(*[event(f"user:{name}", title=str(start + number)) for number in range(count)], key=name)


async def settled(turn, credential, answer):
    """The answer of a poll that had nothing to tell."""
    async with asyncio.timeout(20):
        while answer["events"]:
            answer = await turn.poll(credential, 1, after=answer["after"])
    return answer


async def test_polls_at_alternating_hubs_bring_every_entry_once_and_in_order(two, turns):
    name, total = person(), 200
    turn = turns(name)
    answer = await turn.poll(None, channels=[{"channel": "inbox", "since": 0}])
    credential = answer["events"][0]["ok"]["credential"]

    async def pour():
        for start in range(0, total, 10):
            await asyncio.to_thread(publish, two[start // 10 % 2], name, 10, start)
            await asyncio.sleep(0.05)

    pouring, seen = asyncio.create_task(pour()), []
    async with asyncio.timeout(60):
        while len(seen) < total:
            answer = await turn.poll(credential, after=answer["after"])
            seen += seqs(answer["events"])
    await pouring
    assert seen == list(range(1, total + 1)), "none is lost, and none comes twice to a client that names what it got"


async def test_a_quiet_client_polls_as_rarely_at_alternating_hubs(two, turns):
    name = person()
    turn = turns(name)
    answer = await turn.poll(None, channels=[{"channel": "inbox", "since": 0}])
    credential = answer["events"][0]["ok"]["credential"]
    answer = await settled(turn, credential, answer)
    assert answer["session"] is False
    for _ in range(3):
        began = time.monotonic()
        answer = await turn.poll(credential, 2, after=answer["after"])
        assert answer["events"] == [] and time.monotonic() - began > 1.5


async def test_an_entry_and_its_ack_cost_a_few_polls(two, turns):
    name = person()
    turn = turns(name)
    answer = await turn.poll(None, channels=[{"channel": "inbox", "since": 0}])
    credential = answer["events"][0]["ok"]["credential"]
    for round in range(3):
        answer = await settled(turn, credential, answer)
        publish(two[round % 2], name, 1)
        before, seen = turn.asked, []
        async with asyncio.timeout(20):
            while not seen:
                answer = await turn.poll(credential, 3, after=answer["after"])
                seen = seqs(answer["events"])
            await turn.commands(credential, line(1, "ack", channel="inbox", seq=round + 1))
            answer = await settled(turn, credential, answer)
        # The entry; perhaps its counters; the state, once or twice as the ack comes between; an answer without events; the ack.
        assert turn.asked - before <= 8, turn.asked - before


async def test_what_changed_between_two_polls_is_told_by_the_next(two, turns):
    name = person()
    turn = turns(name)
    publish(two[0], name, 2)
    answer = await turn.poll(None, channels=[{"channel": "inbox", "since": 0}])
    credential = answer["events"][0]["ok"]["credential"]
    seen = []
    async with asyncio.timeout(20):
        while len(seen) < 2:
            answer = await turn.poll(credential, 1, after=answer["after"])
            seen += seqs(answer["events"])
    answer = await settled(turn, credential, answer)
    device = await Client.connect(two[1].socket_url, turn.token, {"inbox": 0})
    await device.entries("inbox", 2)
    await device.ask("mark-read", channel="inbox", all=True)
    answer = await turn.poll(credential, 2, after=answer["after"])
    [state] = [state for state in answer["events"][0]["ok"]["channels"] if state["channel"] == "inbox"]
    assert (state["read"], state["unread"]) == (2, 0)
    assert "credential" not in answer["events"][0]["ok"]
    assert (await settled(turn, credential, answer))["events"] == []


async def test_a_short_poll_gets_entries_as_well(two, turns):
    name = person()
    turn = turns(name)
    answer = await turn.poll(None, 0, channels=[{"channel": "inbox", "since": 0}])
    credential = answer["events"][0]["ok"]["credential"]
    answer = await settled(turn, credential, answer)
    publish(two[0], name, 3)
    seen = []
    async with asyncio.timeout(20):
        while len(seen) < 3:
            answer = await turn.poll(credential, 0, after=answer["after"])
            seen += seqs(answer["events"])
            await asyncio.sleep(0.1)
    assert seen == [1, 2, 3]


async def test_the_channels_of_a_poll_without_a_session_are_those_that_it_names(two, turns):
    name = person()
    turn = turns(name)
    answer = await turn.poll(None, channels=[{"channel": "inbox", "since": 0}])
    credential = answer["events"][0]["ok"]["credential"]
    answer = await settled(turn, credential, answer)
    answer = await turn.poll(credential, 1, after=answer["after"], channels=[{"channel": "broadcast:system"}])
    followed = [state["channel"] for state in answer["events"][0]["ok"]["channels"] if state["subscribed"]]
    assert followed == ["broadcast:system"] and "i@" not in answer["after"]


async def test_commands_go_on_at_the_other_hub(two, turns):
    name, other = person(), person()
    turn = turns(name)
    publish(two[0], name, 3)
    ok = await opened(turn.http, turn.token, {"inbox": 0})
    credential, epoch = ok["credential"], ok["epoch"]
    seen = []
    async with asyncio.timeout(20):
        after = ok["position"]
        while len(seen) < 3:
            answer = await turn.poll(credential, 1, after=after)
            after = answer["after"]
            seen += seqs(answer["events"])
    for round in range(2):
        replies = await turn.commands(
            credential, line(1, "ack", channel="inbox", seq=2 + round), line(2, "mark-read", channel="inbox", upTo=1 + round), line(3, "ping"),
            line(4, "history", channel="inbox"), line(5, "conversations"), line(6, "blocks"), line(7, "activity"), query=f"?epoch={epoch}")
        assert replies[1]["ok"]["delivered"] == 2 + round
        assert (replies[2]["ok"]["read"], replies[2]["ok"]["unread"]) == (1 + round, 2 - round)
        assert len(replies[4]["ok"]["entries"]) == 3
        assert all("ok" in replies[number] for number in (3, 5, 6, 7))
        sent = await turn.commands(credential, line(1, "send", to=other, key="k", body="hello"))
        assert sent[1]["ok"]["duplicate"] is (round == 1)
    channel = sent[1]["ok"]["channel"]
    # At a hub that does not have the session, which does not follow the conversation.
    while turn.http is not turn.ways[0]:
        pass
    replies = await turn.commands(credential, line(1, "typing", channel=channel), line(2, "block", user=other), line(3, "unblock", user=other))
    assert all("ok" in reply for reply in replies.values()), replies


async def test_commands_about_the_session_itself_need_its_hub(two, turns):
    turn = turns(person())
    ok = await opened(turn.http, turn.token, {"inbox": 0})
    replies = await turn.commands(
        ok["credential"], line(1, "subscribe", channel="broadcast:system"), line(2, "unsubscribe", channel="inbox"),
        line(3, "refresh", token=turn.token), line(4, "mark-read", channel="inbox", all=True), line(5, "connect", token=turn.token))
    codes = {number: reply["error"]["code"] for number, reply in replies.items()}
    assert codes == {1: "session_elsewhere", 2: "session_elsewhere", 3: "session_elsewhere", 4: "session_elsewhere", 5: "already_connected"}


async def test_what_does_not_exist_cannot_be_acknowledged_at_another_hub(two, turns):
    name = person()
    turn = turns(name)
    publish(two[0], name, 1)
    ok = await opened(turn.http, turn.token, {"inbox": 0})
    for query in ("", "?epoch=0badc0de"):
        replies = await turn.commands(
            ok["credential"], line(1, "ack", channel="inbox", seq=9), line(2, "mark-read", channel="inbox", seqs=[7, 9]),
            line(3, "mark-seen", channel="inbox", seq=9), query=query)
        assert {reply["error"]["code"] for reply in replies.values()} == {"session_elsewhere"}, replies
        assert turn.http  # the turn of the hub that has the session
    async with requests(two[1]) as http:
        response = await http.post("/v1/commands?epoch=0badc0de", content=line(1, "ack", channel="inbox", seq=1), headers=bearer(turn.token))
        assert protocol.lines(response.text)[0]["error"]["code"] == "session_elsewhere", "a position of another epoch"


async def test_a_stream_is_opened_again_at_the_other_hub(two, turns):
    name = person()
    turn = turns(name)
    ok = await opened(turn.http, turn.token, {"inbox": 0})
    position, credential, seen = ok["position"], ok["credential"], []
    for round in range(4):
        publish(two[round % 2], name, 5, round * 5)
        async with stream(turn.http, Hub_Session=credential, Last_Event_ID=position, **bearer(turn.token)) as one:
            reply = await one.frame("reply")
            credential = reply["ok"]["credential"]
            assert reply["ok"]["node"]
            while (entry := await one.frame("entry"))["seq"] < 5 * (round + 1):
                seen.append(entry["seq"])
            seen.append(entry["seq"])
            position = await one.id_behind(entry["seq"], "inbox")
    assert seen == list(range(1, 21))


async def test_left_sessions_make_room_for_the_next(two, turns):
    """Beyond `limits.sessions-per-user` the one that was left longest ends; those in use do not."""
    name = person()
    turn = turns(name)
    devices = [await Client.connect(two[0].socket_url, turn.token) for _ in range(3)]
    async with requests(two[0]) as http:
        credentials = [(await opened(http, turn.token))["credential"] for _ in range(12)]
        alive = [await http.post("/v1/commands", content=line(1, "ping"), headers=session(one)) for one in credentials]
        assert [response.status_code for response in alive] == [404] * 5 + [200] * 7
    for device in devices:
        await device.ask("ping")
    for _ in range(7):
        devices.append(await Client.connect(two[0].socket_url, turn.token))
    async with requests(two[0]) as http:
        response = await http.post("/v1/commands", content=line(1, "connect", token=turn.token))
        assert protocol.lines(response.text)[0]["error"]["code"] == "limit_exceeded"


# What a credential of another hub is worth


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/events"), ("POST", "/v1/commands"), ("POST", "/v1/poll?wait=0")])
async def test_a_credential_of_another_hub_alone_opens_nothing(two, method, path):
    async with requests(two[0]) as http:
        credential = (await opened(http, two[0].token(person()), {"inbox": 0}))["credential"]
    async with requests(two[1]) as http:
        for content in (line(1, "ping"), '{"after":"1;i@0"}'):
            response = await http.request(method, path, content=content if method == "POST" else None, headers={**session(credential), "Last-Event-ID": "1;i@0"})
            assert (response.status_code, refusal_of(response)["code"]) == (404, "session_unknown")
        for token, status, code in (
                (two[1].token(person(), ttl=-60), 401, "token_expired"), (two[1].token(person())[:-8] + "AAAAAAAA", 401, "invalid_token")):
            response = await http.request(
                method, path, content='{"after":"1;i@0"}' if "poll" in path else line(1, "ping") if method == "POST" else None,
                headers={**session(credential), **bearer(token)})
            assert (response.status_code, refusal_of(response)["code"]) == (status, code)


async def test_with_a_credential_of_another_user_a_token_shows_only_its_own_user(two):
    victim, thief = person("victim"), person("thief")
    publish(two[0], victim, 3)
    friend = await Client.connect(two[0].socket_url, two[0].token(victim))
    channel = (await friend.ask("open", **{"with": person()}))["channel"]
    await friend.ask("send", channel=channel, key="k", body="secret")
    async with requests(two[0]) as http:
        credential = (await opened(http, two[0].token(victim), {"inbox": 0, channel: 0}))["credential"]
    token = two[0].token(thief)
    async with requests(two[1]) as http:
        headers = {**session(credential), **bearer(token)}
        response = await http.post("/v1/poll?wait=0", content=json.dumps(
            {"after": "1;i@0", "channels": [{"channel": "inbox", "since": 0}, {"channel": channel, "since": 0}]}), headers=headers)
        ok = response.json()["events"][0]["ok"]
        assert ok["user"] == thief and ok["refused"] == [{"channel": channel, "code": "forbidden"}]
        assert seqs(response.json()["events"]) == [] and "secret" not in response.text
        body = "\n".join([
            line(1, "ack", channel=channel, seq=1), line(2, "mark-read", channel=channel, upTo=1), line(3, "history", channel=channel),
            line(4, "typing", channel=channel), line(5, "send", channel=channel, key="x", body="intrusion"),
            line(6, "edit", channel=channel, seq=1, key="e", body="changed"), line(7, "delete", channel=channel, seq=1, key="d")])
        response = await http.post("/v1/commands", content=body, headers=headers)
        replies = protocol.lines(response.text)
        assert len(replies) == 7 and not [reply for reply in replies if "ok" in reply], replies
        async with stream(http, [("channel", f"{channel}@0")], Last_Event_ID="1;i@0", **headers) as one:
            reply = await one.frame("reply")
            assert reply["ok"]["user"] == thief and reply["ok"]["refused"][0]["code"] == "forbidden"
    # At the hub that has the session, another user's token is refused as before.
    async with requests(two[0]) as http:
        response = await http.post("/v1/commands", content=line(1, "ping"), headers=headers)
        assert (response.status_code, refusal_of(response)["code"]) == (403, "subject_changed")
    [entry] = (await friend.ask("history", channel=channel))["entries"]
    assert entry["body"] == "secret" and "edited" not in entry


async def test_limits_of_a_user_hold_without_a_session(platform):
    async with platform.running("paced", extra={"HUB_LIMITS_SENDS_PER_SECOND": "1"}) as hub:
        token, other = hub.token(person()), person()
        async with requests(hub) as http:
            codes = []
            for number in range(20):
                response = await http.post("/v1/commands", content=line(1, "send", to=other, key=f"{number}", body="x"), headers=bearer(token))
                [reply] = protocol.lines(response.text)
                codes.append(reply["error"]["code"] if "error" in reply else "ok")
            assert "rate_limited" in codes and 10 <= codes.count("ok") < 20, codes


async def test_a_killed_hub_is_replaced_for_stream_and_polls(platform):
    extra = {"HUB_KAFKA_GROUP": "fallen"}
    hubs = [platform.hub(name, extra=extra) for name in ("falls", "stays")]
    for hub in hubs:
        await asyncio.to_thread(hub.start)
    try:
        name = person()
        token = hubs[0].token(name)
        async with requests(hubs[0]) as http, requests(hubs[1]) as other:
            publish(hubs[0], name, 2)
            ok = await opened(http, token, {"inbox": 0})
            async with stream(http, Hub_Session=ok["credential"], **bearer(token)) as one:
                await one.frame("entry", seq=2)
                position = await one.id_behind(2, "inbox")
            hubs[0].kill()
            publish(hubs[1], name, 3, 2)
            async with stream(other, Hub_Session=ok["credential"], Last_Event_ID=position, **bearer(token)) as one:
                assert [(await one.frame("entry", 60))["seq"] for _ in range(3)] == [3, 4, 5]
            seen, after = [], position
            async with asyncio.timeout(20):
                while len(seen) < 3:
                    answer = (await other.post(
                        "/v1/poll?wait=1", content=json.dumps({"after": after}), headers={**session(ok["credential"]), **bearer(token)})).json()
                    after = answer["after"]
                    seen += seqs(answer["events"])
            assert seen == [3, 4, 5]
            response = await other.post("/v1/commands", content=line(1, "ack", channel="inbox", seq=5), headers={**session(ok["credential"]), **bearer(token)})
            assert protocol.lines(response.text)[0]["ok"]["delivered"] == 5
    finally:
        for hub in hubs:
            hub.kill()


# The browser's client behind a proxy without affinity

PAGE = """
(async () => {{
  const hub = await import("/hub-client.js");
  window.heard = {{ entry: [], state: [], nodes: [] }};
  window.client = new hub.HubClient({{
    url: "{socket}", transports: ["{transport}"], getToken: async () => "{token}",
    timing: {{ stableAfterMs: 500, firstByteMs: 3000, doubtAfterMs: 1000, doubtTimeoutMs: 2000 }},
  }});
  client.addEventListener("entry", ({{ detail }}) => heard.entry.push(`${{detail.channel === "inbox" ? "i" : "c"}}${{detail.seq}}`));
  client.addEventListener("state", ({{ detail }}) => heard.state.push(detail.state));
  client.addEventListener("connected", ({{ detail }}) => heard.nodes.push(detail.node));
  client.start();
  window.began = await client.subscribe("inbox", 0);
}})()
"""


@contextlib.contextmanager
def hubs_behind(platform, proxy, origin):
    """Two hubs behind the proxy of an example, for pages of this origin."""
    extra = {"HUB_KAFKA_GROUP": person("behind"), "HUB_WEBSOCKET_ORIGINS": origin, "HUB_FALLBACK_POLL_WAIT": "3s"}
    hubs = [platform.hub(name, extra=extra) for name in ("one", "two")]
    try:
        for hub in hubs:
            hub.start()
        with proxy(*hubs) as front:
            yield hubs, front
    finally:
        for hub in hubs:
            hub.kill()


@pytest.mark.parametrize("transport", ["eventstream", "poll"])
@pytest.mark.parametrize("proxy", [proxies.example_nginx, proxies.example_haproxy], ids=["nginx", "haproxy"])
async def test_the_browser_needs_no_affinity(platform, proxy, transport):
    with WebFolder() as folder, hubs_behind(platform, proxy, folder.url) as (hubs, front):
        name, other = person(), person()
        writer = await Client.connect(hubs[1].socket_url, front.token(other))
        channel = (await writer.ask("open", **{"with": name}))["channel"]
        browser = await Browser.start()
        try:
            page = await browser.open(folder.url + "/icon.svg")
            await page.evaluate(PAGE.format(socket=front.socket_url, transport=transport, token=front.token(name)))

            async def received(kind, count, seconds=30):
                await page.until(f"heard.entry.filter((e) => e[0] === '{kind}').length >= {count}", f"{kind}{count}", seconds)
                assert await page.evaluate(f"heard.entry.filter((e) => e[0] === '{kind}')") == [f"{kind}{seq}" for seq in range(1, count + 1)]

            for round in range(5):
                publish(hubs[round % 2], name, 2)
                await received("i", 2 * round + 2)
            # A channel that is followed later, whichever hub gets the command.
            assert (await page.evaluate(f"client.subscribe('{channel}')"))["since"] == 0
            for round in range(5):
                await writer.ask("send", channel=channel, key=f"k{round}", body="hello")
                await received("c", round + 1)
            for round in range(3):
                assert await page.evaluate("client.command('mark-read', { channel: 'inbox', all: true }).then((state) => state.read)") == 10
                assert (await page.evaluate(f"client.send({{ to: '{other}', body: 'Bonjour', key: 'b{round}' }})"))["seq"] == 6 + round
            await received("c", 8)
            assert set(await page.evaluate("heard.state")) <= {"connecting", "connected"}, "no outage"

            hubs[0].kill()
            for round in range(3):
                publish(hubs[1], name, 2)
                await writer.ask("send", channel=channel, key=f"after{round}", body="hello")
            await received("c", 11, 60)
            await received("i", 16, 60)
            assert (await page.evaluate(f"client.send({{ to: '{other}', body: 'Bonjour' }})"))["seq"] == 12
            await received("c", 12)
            assert await page.evaluate(f"client.unsubscribe('{channel}').then(({{ channel }}) => channel)") == channel
            publish(hubs[1], name, 1)
            await received("i", 17)
            await asyncio.sleep(0.5)
            assert await page.evaluate("heard.entry.length") == 17 + 12
        finally:
            await browser.close()
