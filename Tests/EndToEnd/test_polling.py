"""`POST /v1/poll`: the session over long and short polls."""

import asyncio
import json
import time

import pytest

from fallback import RawHTTP, Talk, bearer, command, is_alive, opened, poll, refusal_of, requests, seqs, session
from httpclients import ShortPollClient
from rig import event, person


async def test_the_first_poll_opens_a_session_and_answers_at_once(brisk):
    name = person()
    async with requests(brisk) as http:
        began = time.monotonic()
        response = await http.post(
            "/v1/poll", content=json.dumps({"token": brisk.token(name), "channels": [{"channel": "inbox", "since": 0}]}))
        assert time.monotonic() - began < 1.5, "it waits for nothing"
        assert response.status_code == 200
        assert response.headers["content-type"].partition(";")[0] == "application/json"
        assert "no-store" in response.headers["cache-control"]
        answer = response.json()
        assert set(answer) == {"after", "events"}
        assert answer["events"][0]["re"] == 0 and answer["events"][0]["ok"]["user"] == name
        assert answer["events"][0]["ok"]["credential"]


async def test_the_token_may_stand_in_the_header_and_the_body_be_empty(brisk):
    async with requests(brisk) as http:
        _, frames = await poll(http, headers=bearer(brisk.token(person())))
        ok = frames[0]["ok"]
        assert not [state for state in ok["channels"] if state["subscribed"]]
        assert await is_alive(http, ok["credential"])


async def test_a_poll_without_waiting_answers_at_once(brisk):
    talk = await Talk.begin(brisk)
    async with requests(brisk) as http:
        credential = (await opened(http, talk.token, talk.channels))["credential"]
        position, _ = await poll(http, credential, 1)
        for expected in ([], [1], []):
            if expected:
                await talk.write(1)
            seen = []
            async with asyncio.timeout(5):
                while True:
                    began = time.monotonic()
                    position, frames = await poll(http, credential, 0, after=position)
                    assert time.monotonic() - began < 1
                    seen += seqs(frames)
                    # The entry may be on its way from the loop that stored it.
                    if len(seen) >= len(expected):
                        break
            assert seen == expected


async def test_a_poll_waits_until_something_comes(brisk):
    talk = await Talk.begin(brisk)
    async with requests(brisk) as http:
        credential = (await opened(http, talk.token, talk.channels))["credential"]
        position, _ = await poll(http, credential, 1)
        waiting = asyncio.create_task(poll(http, credential, 2, after=position))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        began = time.monotonic()
        await talk.write(1)
        _, frames = await waiting
        assert time.monotonic() - began < 1 and seqs(frames) == [1]


@pytest.mark.parametrize(("wait", "least", "most"), [(1, 0.8, 1.9), (2, 1.8, 4), (3600, 1.8, 4), (None, 1.8, 4)])
async def test_a_poll_waits_no_longer_than_asked_for_and_allowed(brisk, wait, least, most):
    async with requests(brisk) as http:
        credential = (await opened(http, brisk.token(person())))["credential"]
        position, _ = await poll(http, credential, 0)
        began = time.monotonic()
        _, frames = await poll(http, credential, wait, after=position)
        assert least < time.monotonic() - began < most and frames == []


@pytest.mark.parametrize("wait", ["-1", "soon", "1.5", "", "99999999999999999999"])
async def test_an_invalid_wait_is_refused_and_a_long_one_is_bounded(brisk, wait):
    async with requests(brisk) as http:
        credential = (await opened(http, brisk.token(person())))["credential"]
        response = await asyncio.wait_for(http.post("/v1/poll", params={"wait": wait}, headers=session(credential)), 5)
        assert response.status_code in (200, 400)
        if response.status_code == 400:
            assert refusal_of(response)["code"] == "bad_request"
        assert await is_alive(http, credential)


async def test_the_entries_of_a_lost_answer_are_sent_again(brisk):
    talk = await Talk.begin(brisk)
    async with requests(brisk) as http:
        credential = (await opened(http, talk.token, talk.channels))["credential"]
        position, _ = await poll(http, credential, 1)
        await talk.write(3)
        newest, frames = await poll(http, credential, 1, after=position)
        assert seqs(frames) == [1, 2, 3]
        # The client has not got it, and says so by repeating where it stands.
        _, frames = await poll(http, credential, 1, after=position)
        assert seqs(frames) == [1, 2, 3]
        await talk.write(1)
        # An older position: the state is told again, perhaps before the entry comes.
        seen = []
        async with asyncio.timeout(10):
            while not seen:
                newest, frames = await poll(http, credential, 1, after=newest)
                seen = seqs(frames)
        assert seen == [4]
        assert seqs((await poll(http, credential, 0, after=newest))[1]) == []
        # Who never waits gets it as well: what has to be read from the store may come with a later answer.
        seen = []
        async with asyncio.timeout(10):
            while len(seen) < 4:
                position, frames = await poll(http, credential, 0, after=position)
                seen += seqs(frames)
        assert seen == [1, 2, 3, 4]


async def test_a_connection_that_breaks_while_it_waits_loses_nothing(brisk):
    talk = await Talk.begin(brisk)
    async with requests(brisk) as http:
        credential = (await opened(http, talk.token, talk.channels))["credential"]
        position, _ = await poll(http, credential, 1)
        for _ in range(3):
            raw = await RawHTTP.open(brisk.address)
            raw.ask("POST", "/v1/poll?wait=2", json.dumps({"after": position}), **session(credential))
            await asyncio.sleep(0.1)
            raw.close()
            await talk.write(1)
        _, frames = await poll(http, credential, 1, after=position)
        assert seqs(frames) == [1, 2, 3]


async def test_a_poll_without_a_position_says_that_no_answer_arrived(brisk):
    talk = await Talk.begin(brisk)
    await talk.write(2)
    async with requests(brisk) as http:
        credential = (await opened(http, talk.token, talk.channels))["credential"]
        seen = []
        async with asyncio.timeout(10):
            while len(seen) < 2:
                seen += seqs((await poll(http, credential, 1))[1])
            await talk.write(1)
            while 3 not in seen:
                seen += seqs((await poll(http, credential, 1))[1])
        assert seen[:2] == [1, 2] and sorted(set(seen)) == [1, 2, 3], "what was not confirmed comes again"


async def test_many_entries_come_in_several_answers_each_once(brisk):
    talk = await Talk.begin(brisk)
    for _ in range(10):
        await talk.write(60, body="x" * 2_000)
    async with requests(brisk) as http:
        position, frames = await poll(http, token=talk.token, channels=[{"channel": talk.channel, "since": 0}])
        credential = frames[0]["ok"]["credential"]
        seen, largest = seqs(frames), 0
        async with asyncio.timeout(30):
            while len(seen) < 600:
                position, frames = await poll(http, credential, 2, after=position)
                seen += seqs(frames)
                largest = max(largest, len(json.dumps(frames)))
        assert seen == list(range(1, 601))
        assert largest < 1_200_000, "an answer is bounded"


async def test_a_second_poll_takes_the_place_of_the_first(brisk):
    talk = await Talk.begin(brisk)
    async with requests(brisk) as http:
        credential = (await opened(http, talk.token, talk.channels))["credential"]
        position, _ = await poll(http, credential, 1)
        first = asyncio.create_task(poll(http, credential, 2, after=position))
        await asyncio.sleep(0.3)
        second = asyncio.create_task(poll(http, credential, 2, after=position))
        await asyncio.wait_for(first, 1)
        assert not second.done()
        await talk.write(1)
        assert seqs((await second)[1]) == [1]


async def test_an_ended_session_says_bye_and_is_gone(brisk):
    async with requests(brisk) as http:
        position, frames = await poll(http, headers=bearer(brisk.token(person(), ttl=3)))
        credential = frames[0]["ok"]["credential"]
        async with asyncio.timeout(10):
            while not any(frame.get("type") == "bye" for frame in frames):
                position, frames = await poll(http, credential, 2, after=position)
        assert (frames[-1]["type"], frames[-1]["code"], frames[-1]["reconnect"]) == ("bye", 4300, True)
        response = await http.post("/v1/poll?wait=0", headers=session(credential))
        assert (response.status_code, refusal_of(response)["code"]) == (404, "session_unknown")


async def test_a_session_that_ended_between_two_polls_says_why_once(brisk):
    async with requests(brisk) as http:
        position, frames = await poll(http, headers=bearer(brisk.token(person(), ttl=2)))
        credential = frames[0]["ok"]["credential"]
        await asyncio.sleep(4)
        # Neither a request for commands nor one that cannot be understood carries the reason, so neither uses it up.
        response = await http.post("/v1/commands", content='{"id":1,"type":"ping"}', headers=session(credential))
        assert (response.status_code, refusal_of(response)["code"]) == (404, "session_unknown")
        assert (await http.post("/v1/poll?wait=x", headers=session(credential))).status_code == 400
        assert (await http.head("/v1/events", headers=session(credential))).status_code == 200
        after, frames = await poll(http, credential, 0, after=position)
        assert [(frame["type"], frame["code"]) for frame in frames] == [("bye", 4300)]
        assert after == position, "the client goes on from the position it named"
        response = await http.post("/v1/poll?wait=0", headers=session(credential))
        assert (response.status_code, refusal_of(response)["code"]) == (404, "session_unknown")


async def test_the_first_poll_of_a_session_starts_at_the_position_it_names(brisk):
    talk = await Talk.begin(brisk)
    await talk.write(2)
    async with requests(brisk) as http:
        credential = (await opened(http, talk.token, talk.channels))["credential"]
        position, seen = None, []
        async with asyncio.timeout(10):
            while len(seen) < 2:
                position, frames = await poll(http, credential, 1, **({"after": position} if position else {}))
                seen += seqs(frames)
        beginning = position.partition(";#")[0].replace("@2", "@0")
        assert beginning.endswith("@0")
        other = (await opened(http, talk.token, {name: None for name in talk.channels}))["credential"]
        seen = []
        async with asyncio.timeout(10):
            position, frames = await poll(http, other, 1, after=beginning)
            seen += seqs(frames)
            while len(seen) < 2:
                position, frames = await poll(http, other, 1, after=position)
                seen += seqs(frames)
        assert seen == [1, 2]


async def test_a_token_with_an_unknown_key_is_refused_permanently(brisk):
    name = person()
    strange = brisk.token(name, headers={"kid": "nobody-has-it"})
    async with requests(brisk) as http:
        credential = (await opened(http, brisk.token(name)))["credential"]
        async with asyncio.timeout(20):
            while True:
                response = await http.post("/v1/poll?wait=0", headers={**session(credential), **bearer(strange)})
                if response.status_code != 503:
                    break
                await asyncio.sleep(0.2)
        assert (response.status_code, refusal_of(response)["code"]) == (401, "invalid_token")
        assert await is_alive(http, credential), "the session is not the strange token's"


async def test_with_a_token_a_position_opens_a_new_session_there(brisk):
    talk = await Talk.begin(brisk)
    async with requests(brisk) as http:
        credential = (await opened(http, talk.token, talk.channels))["credential"]
        position, seen = None, []
        await talk.write(2)
        async with asyncio.timeout(10):
            while len(seen) < 2:
                position, frames = await poll(http, credential, 1, **({"after": position} if position else {}))
                seen += seqs(frames)
        await talk.write(2)
        position, frames = await poll(http, token=talk.token, after=position)
        other, seen = frames[0]["ok"]["credential"], seqs(frames)
        assert other != credential
        async with asyncio.timeout(10):
            while len(seen) < 2:
                position, frames = await poll(http, other, 1, after=position)
                seen += seqs(frames)
        assert seen == [3, 4]


async def test_http_1_0_may_poll(brisk):
    talk = await Talk.begin(brisk)
    async with requests(brisk) as http:
        credential = (await opened(http, talk.token, talk.channels))["credential"]
        position, _ = await poll(http, credential, 1)
    raw = await RawHTTP.open(brisk.address)
    raw.ask("POST", "/v1/poll?wait=2", json.dumps({"after": position}), version="1.0", Host=None, **session(credential))
    await asyncio.sleep(0.3)
    await talk.write(1)
    status, headers, body = await raw.answer()
    assert status == 200 and seqs(json.loads(body)["events"]) == [1]
    assert "transfer-encoding" not in headers
    await raw.ends()


@pytest.mark.parametrize(
    "body", ["{", "[]", "7", '{"after":7}', '{"after":"rubbish"}', '{"channels":"inbox"}', '{"channels":[{"channel":7}]}', "\xff", '{"a":1,"a":2}'],
    ids=lambda body: body[:20])
async def test_an_invalid_body_is_refused(brisk, body):
    async with requests(brisk) as http:
        credential = (await opened(http, brisk.token(person())))["credential"]
        for headers in (session(credential), bearer(brisk.token(person()))):
            response = await http.post("/v1/poll?wait=0", content=body.encode("latin-1"), headers=headers)
            if '"channels"' in body and "Hub-Session" in headers:
                continue  # a member that means nothing in a session that is open
            assert response.status_code == 400, (response.status_code, response.text)
            assert refusal_of(response)["code"] == "bad_request"
        assert await is_alive(http, credential)


async def test_a_body_that_is_too_large_is_refused(brisk):
    async with requests(brisk) as http:
        credential = (await opened(http, brisk.token(person())))["credential"]
        response = await http.post("/v1/poll?wait=0", content=b" " * 2_000_000, headers=session(credential))
        assert response.status_code == 413 and refusal_of(response)["code"] == "too_large"
        assert await is_alive(http, credential)


async def test_entries_of_a_poll_can_be_acknowledged_and_marked(brisk):
    talk = await Talk.begin(brisk)
    async with requests(brisk) as http:
        credential = (await opened(http, talk.token, talk.channels))["credential"]
        await talk.write(2)
        seen = []
        async with asyncio.timeout(10):
            while len(seen) < 2:
                seen += seqs((await poll(http, credential, 1))[1])
        assert (await command(http, credential, "mark-read", channel=talk.channel, upTo=2))["unread"] == 0
        response = await http.post(
            "/v1/commands", content=json.dumps({"id": 1, "type": "ack", "channel": talk.channel, "seq": 3}), headers=session(credential))
        assert json.loads(response.text)["error"]["code"] == "not_sent"


async def test_short_polling_alone_is_enough(hub):
    name = person()
    client = await ShortPollClient.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    hub.kafka.produce(*[event(f"user:{name}") for _ in range(150)], key=name)
    assert [entry["seq"] for entry in await client.entries("inbox", 150)] == list(range(1, 151))
    assert (await client.ask("ack", channel="inbox", seq=150))["delivered"] == 150
    await client.next("counters")
    await client.quiet()
