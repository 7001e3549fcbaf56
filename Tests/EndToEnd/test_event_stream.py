"""`GET /v1/events`: the session as an event stream."""

import asyncio
import json
import signal

import pytest

import protocol
from fallback import RawHTTP, Stream, Talk, bearer, command, is_alive, opened, poll, refusal_of, request, requests, seqs, session, stream
from eventstream import Parser
from rig import person


async def test_the_head_keeps_proxies_from_buffering_and_storing(brisk):
    async with requests(brisk) as http, stream(http, **bearer(brisk.token(person()))) as events:
        headers = events.response.headers
        assert headers["content-type"] == "text/event-stream; charset=utf-8"
        assert {part.strip() for part in headers["cache-control"].split(",")} == {"no-store", "no-transform"}
        assert headers["x-accel-buffering"] == "no"
        assert headers["transfer-encoding"] == "chunked" and "content-length" not in headers


async def test_a_stream_opens_a_session_and_says_so_first(brisk):
    name = person()
    query = [("channel", "inbox"), ("channel", "broadcast:system@0"), ("channel", "broadcast:institution:a b/é@0")]
    async with requests(brisk) as http, stream(http, query, **bearer(brisk.token(name, institution="a b/é"))) as events:
        first = await events.block()
        assert first.event == "reply" and first.frame["re"] == 0
        ok = first.frame["ok"]
        assert ok["user"] == name and "refused" not in ok, ok.get("refused")
        assert {state["channel"] for state in ok["channels"] if state["subscribed"]} == {
            "inbox", "broadcast:system", "broadcast:institution:a b/é"}
        assert len(ok["credential"]) >= 22 and ok["session"] not in ok["credential"] and ok["credential"] not in ok["session"]
        live = {(await events.frame("signal", signal="live"))["channel"] for _ in range(3)}
        assert live == {"inbox", "broadcast:system", "broadcast:institution:a b/é"}


async def test_two_sessions_of_one_user_are_independent(brisk):
    token = brisk.token(person())
    async with requests(brisk) as http:
        one, two = await opened(http, token), await opened(http, token)
    assert one["session"] != two["session"] and one["credential"] != two["credential"]


@pytest.mark.parametrize("way", ["header", "query"])
async def test_a_stream_attaches_to_an_existing_session(brisk, way):
    talk = await Talk.begin(brisk)
    await talk.write(2)
    async with requests(brisk) as http:
        credential = (await opened(http, talk.token, talk.channels))["credential"]
        how = session(credential) if way == "header" else {}
        async with stream(http, [] if way == "header" else [("session", credential)], **how) as events:
            await events.frame("entry", seq=2)
            assert seqs(events.heard) == [1, 2]
            await talk.write(1)
            await events.frame("entry", seq=3)
            assert not [frame for frame in events.heard if "re" in frame], "replies come where the command was given"
            assert (await command(http, credential, "ack", channel=talk.channel, seq=3))["delivered"] == 3


async def test_every_kind_of_push_is_a_named_event(brisk):
    talk = await Talk.begin(brisk)
    async with requests(brisk) as http, stream(http, talk.query, **bearer(talk.token)) as events:
        credential = (await events.frame("reply"))["ok"]["credential"]
        await events.frame("signal", signal="live")
        await talk.writer.ask("subscribe", channel=talk.channel)
        await talk.write(1)
        await events.frame("entry")
        await events.frame("counters")
        await talk.writer.ask("typing", channel=talk.channel)
        await events.frame("signal", signal="typing")
        await talk.writer.ask("ack", channel=talk.channel, seq=1)
        await events.frame("receipt")
        other = await opened(http, talk.token, talk.channels)
        await poll(http, other["credential"], 1)
        await command(http, other["credential"], "mark-read", channel=talk.channel, upTo=1)
        await events.frame("cursor")
        async with stream(http, **session(credential)):
            await events.frame("bye")


async def test_heartbeats_are_comments_and_come_on_time(brisk):
    async with requests(brisk) as http, stream(http, **bearer(brisk.token(person()))) as events:
        beats, began = [], asyncio.get_running_loop().time()
        while len(beats) < 3:
            block = await events.block()
            if block.comment is not None:
                assert block.comment == "hb" and block.data is None
                beats.append(asyncio.get_running_loop().time() - began)
        assert 1.5 < beats[-1] < 6, beats


async def test_the_last_event_id_brings_what_came_after_it(brisk):
    talk = await Talk.begin(brisk)
    async with requests(brisk) as http:
        async with stream(http, talk.query, **bearer(talk.token)) as events:
            credential = (await events.frame("reply"))["ok"]["credential"]
            await talk.write(3)
            early = await events.id_behind(3, talk.channel)
            await talk.write(2)
            late = await events.id_behind(5, talk.channel)
            assert early != late
        await talk.write(1)
        for position, query, expected in [(late, [], [6]), (early, [], [4, 5, 6]), (None, [("lastEventId", early)], [4, 5, 6])]:
            headers = {**session(credential), **({"Last-Event-ID": position} if position else {})}
            async with stream(http, query, **headers) as events:
                await events.frame("entry", seq=6)
                assert seqs(events.heard) == expected
        # Without a position the stream goes on behind what the session was sent; the hub has to see first that the last one is gone.
        await asyncio.sleep(0.3)
        await talk.write(1)
        async with stream(http, **session(credential)) as events:
            await events.frame("entry", seq=7)


async def test_entries_in_flight_when_the_connection_broke_are_sent_again(brisk):
    talk = await Talk.begin(brisk)
    async with requests(brisk) as http:
        await talk.write(1)
        async with stream(http, talk.query, **bearer(talk.token)) as events:
            credential = (await events.frame("reply"))["ok"]["credential"]
            seen, position = [1], await events.id_behind(1, talk.channel)
        for turn in range(6):
            raw = await RawHTTP.open(brisk.address)
            raw.ask("GET", "/v1/events", **session(credential), Last_Event_ID=position)
            assert (await raw.head())[0] == 200
            await talk.write(5)
            parser, has = Parser(), len(seen)
            while turn % 2 and len(seen) < has + 1:
                for block in parser.feed(await raw.chunk()):
                    if block.id is not None:
                        position = block.id
                    if block.event == "entry" and block.frame["seq"] == len(seen) + 1:
                        seen.append(block.frame["seq"])
            raw.close()
        async with stream(http, **session(credential), Last_Event_ID=position) as events:
            while len(seen) < 31:
                entry = await events.frame("entry")
                if entry["seq"] == len(seen) + 1:
                    seen.append(entry["seq"])
                assert entry["seq"] <= len(seen), "a gap"


@pytest.mark.parametrize("position", ["", "0", "1;", "x", "1;i@-1", "1;i@99999999999999999999", "9;i@1", "1;i@4;i@5", "é", "1;" + "x" * 3_000])
async def test_an_invalid_position_is_harmless(brisk, position):
    talk = await Talk.begin(brisk)
    await talk.write(1)
    async with requests(brisk) as http:
        credential = (await opened(http, talk.token, talk.channels))["credential"]
        async with http.stream("GET", "/v1/events", params={"lastEventId": position}, headers=session(credential)) as response:
            if response.status_code == 200:
                assert (await Stream(response).frame("entry"))["seq"] == 1
            else:
                await response.aread()
                assert (response.status_code, refusal_of(response)["code"]) == (400, "bad_request")
        assert await is_alive(http, credential)


async def test_with_a_token_a_position_opens_a_new_session_there(brisk):
    talk = await Talk.begin(brisk)
    async with requests(brisk) as http:
        async with stream(http, talk.query, **bearer(talk.token)) as events:
            credential = (await events.frame("reply"))["ok"]["credential"]
            await talk.write(2)
            position = await events.id_behind(2, talk.channel)
        await talk.write(2)
        # Also beside the credential of a session that has ended meanwhile.
        for more in ({}, session("x" * 22)):
            async with stream(http, **bearer(talk.token), **more, Last_Event_ID=position) as events:
                ok = (await events.frame("reply"))["ok"]
                assert ok["credential"] != credential
                assert talk.channel in [state["channel"] for state in ok["channels"] if state["subscribed"]]
                await events.frame("signal", signal="live", channel=talk.channel)
                assert seqs(events.heard) == [3, 4]


async def test_after_a_crash_the_next_process_goes_on_from_the_position(platform):
    async with platform.running("crashed") as hub:
        hub.keep_address()
        talk = await Talk.begin(hub)
        async with requests(hub) as http, stream(http, talk.query, **bearer(talk.token)) as events:
            credential = (await events.frame("reply"))["ok"]["credential"]
            await talk.write(3)
            position = await events.id_behind(3, talk.channel)
            hub.kill()
            with pytest.raises(Exception, match="peer closed|ended|disconnected|reset|incomplete"):
                await events.frame("bye")
        await asyncio.to_thread(hub.start)
        writer = await type(talk.writer).connect(hub.socket_url, hub.token(talk.alice))
        await writer.ask("send", channel=talk.channel, key="after", body="Me revoilà")
        async with requests(hub) as http:
            response = await http.get("/v1/events", headers={**session(credential), "Last-Event-ID": position})
            assert (response.status_code, refusal_of(response)["code"]) == (404, "session_unknown")
            async with stream(http, **bearer(talk.token), Last_Event_ID=position) as events:
                await events.frame("entry", seq=4)
                assert seqs(events.heard) == [4]


async def test_a_second_stream_takes_the_place_of_the_first(brisk):
    talk = await Talk.begin(brisk)
    async with requests(brisk) as http:
        async with stream(http, talk.query, **bearer(talk.token)) as first:
            credential = (await first.frame("reply"))["ok"]["credential"]
            async with stream(http, **session(credential)) as second:
                bye = await first.frame("bye")
                assert (bye["code"], bye["reason"]) == (4008, "replaced")
                assert (await first.rest())[-1] == bye, "then it ends"
                await talk.write(1)
                await second.frame("entry", seq=1)


async def test_a_stream_takes_the_place_of_a_poll_and_a_poll_that_of_a_stream(brisk):
    talk = await Talk.begin(brisk)
    async with requests(brisk) as http:
        credential = (await opened(http, talk.token, talk.channels))["credential"]
        position, _ = await poll(http, credential, 1)
        waiting = asyncio.create_task(poll(http, credential, 2, after=position))
        await asyncio.sleep(0.2)
        async with stream(http, **session(credential)) as events:
            await asyncio.wait_for(waiting, 1)
            await talk.write(1)
            await events.frame("entry", seq=1)
            _, frames = await poll(http, credential, 2, after=position)
            assert seqs(frames) == [1], "a position of the past brings it again"
            assert (await events.frame("bye"))["code"] == 4008
        assert await is_alive(http, credential)


async def test_a_session_without_transport_ends_after_a_while(brisk):
    async with requests(brisk) as http:
        idle = (await opened(http, brisk.token(person())))["credential"]
        streamed = (await opened(http, brisk.token(person())))["credential"]
        asked = (await opened(http, brisk.token(person())))["credential"]
        async with stream(http, **session(streamed)):
            for _ in range(7):
                await asyncio.sleep(1)
                assert await is_alive(http, asked)
            assert not await is_alive(http, idle)
        assert await is_alive(http, streamed), "it had a stream until now"
        await asyncio.sleep(6)
        assert not await is_alive(http, streamed) and not await is_alive(http, asked)


async def test_a_client_that_stops_reading_gets_everything_later(brisk):
    talk = await Talk.begin(brisk)
    raw = await RawHTTP.open(brisk.address)
    raw.ask("GET", f"/v1/events?channel={talk.channel}%400", **bearer(talk.token))
    assert (await raw.head())[0] == 200
    raw.writer.transport.pause_reading()
    for _ in range(10):
        await talk.write(50, body="x" * 8_000)
    await asyncio.sleep(2.5)  # heartbeats fall due meanwhile
    raw.writer.transport.resume_reading()
    parser, seen = Parser(), []
    async with asyncio.timeout(60):
        while len(seen) < 500:
            for block in parser.feed(await raw.chunk()):
                if block.event == "entry":
                    seen.append(block.frame["seq"])
    assert seen == list(range(1, 501))


async def test_http_1_0_gets_a_stream_that_ends_with_the_connection(brisk):
    talk = await Talk.begin(brisk)
    raw = await RawHTTP.open(brisk.address)
    raw.ask("GET", f"/v1/events?channel={talk.channel}%400", version="1.0", Host=None, **bearer(talk.token))
    status, headers = await raw.head()
    assert status == 200 and headers["content-type"] == "text/event-stream; charset=utf-8"
    assert "transfer-encoding" not in headers and "content-length" not in headers
    assert headers.get("connection", "close").lower() == "close"
    await talk.write(1)
    parser, frames = Parser(), []
    async with asyncio.timeout(10):
        while not seqs(frames):
            frames += [block.frame for block in parser.feed(await raw.reader.read(65_536)) if block.data]
        async with requests(brisk) as http, stream(http, **session(frames[0]["ok"]["credential"])):
            frames += [block.frame for block in parser.feed(await raw.reader.read()) if block.data]
    assert frames[-1]["type"] == "bye" and frames[-1]["code"] == 4008


async def test_the_stream_ends_with_the_token(brisk):
    async with requests(brisk) as http, stream(http, **bearer(brisk.token(person(), ttl=3))) as events:
        credential = (await events.frame("reply"))["ok"]["credential"]
        bye = await events.frame("bye")
        assert (bye["code"], bye["reason"], bye["reconnect"]) == (4300, "token_expired", True)
        assert (await events.rest())[-1] == bye
        assert not await is_alive(http, credential)


async def test_a_refresh_keeps_the_stream(brisk):
    name = person()
    async with requests(brisk) as http, stream(http, **bearer(brisk.token(name, ttl=3))) as events:
        credential = (await events.frame("reply"))["ok"]["credential"]
        await command(http, credential, "refresh", token=brisk.token(name, ttl=60))
        for _ in range(5):
            while (await events.block()).comment is None:
                pass
        assert await is_alive(http, credential)


async def test_sigterm_sends_bye_on_streams_and_polls(platform):
    async with platform.running("leaving", extra={"HUB_FALLBACK_POLL_WAIT": "20s"}) as hub:
        async with requests(hub) as http, stream(http, **bearer(hub.token(person()))) as events:
            await events.frame("reply")
            position, frames = await poll(http, headers=bearer(hub.token(person())))
            waiting = asyncio.create_task(poll(http, frames[0]["ok"]["credential"], after=position))
            await asyncio.sleep(0.3)
            hub.process.send_signal(signal.SIGTERM)
            bye = await events.frame("bye")
            assert (bye["code"], bye["reason"], bye["reconnect"]) == (4200, "draining", True)
            assert bye["spreadMs"] > 0
            assert (await events.rest())[-1] == bye
            _, frames = await asyncio.wait_for(waiting, 10)
            assert frames[-1]["code"] == 4200
        assert await asyncio.to_thread(hub.process.wait, 20) == 0


async def test_a_stopping_hub_accepts_no_new_sessions(platform):
    async with platform.running("closing") as hub:
        # A client that does not read keeps the hub waiting for a moment.
        slow = await RawHTTP.open(hub.address)
        slow.writer.transport.pause_reading()
        slow.ask("GET", "/v1/events", **bearer(hub.token(person())))
        raw = await RawHTTP.open(hub.address)
        raw.ask("GET", "/livez")
        await raw.answer()
        hub.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.1)
        try:
            raw.ask("POST", "/v1/poll", **bearer(hub.token(person())))
            status, headers, body = await raw.answer()
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # it has closed the connection already, which says the same
        assert status == 503 and int(headers["retry-after"]) >= 0
        assert json.loads(body)["error"]["code"] == "unavailable"


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
async def test_another_method_opens_no_stream(brisk, method):
    raw = await RawHTTP.open(brisk.address)
    raw.send(request(method, "/v1/events", **bearer(brisk.token(person()))) + request("GET", "/livez", Connection="close"))
    status, headers = await raw.head()
    # HEAD is GET without its body.
    assert status in {"OPTIONS": (200, 204, 405), "HEAD": (200, 405)}.get(method, (405,)), status
    if status == 405:
        assert "GET" in headers["allow"]
    body = 0 if method == "HEAD" else int(headers.get("content-length", 0))
    await raw.reader.readexactly(body)
    assert (await raw.answer())[0] == 200, "what follows on the connection is answered"


async def test_the_bytes_of_a_stream_are_utf_8_and_line_feeds_only(brisk):
    talk = await Talk.begin(brisk)
    await talk.writer.ask("send", channel=talk.channel, key="1", body="une\nligne\r\net 👋 \u2028 fin")
    raw = await RawHTTP.open(brisk.address)
    raw.ask("GET", f"/v1/events?channel={talk.channel}%400", **bearer(talk.token))
    await raw.head()
    data = b""
    while b"event: entry" not in data or not data.endswith(b"\n\n"):
        data += await raw.chunk()
    assert b"\r" not in data
    [entry] = [block.frame for block in Parser().feed(data) if block.event == "entry"]
    assert entry["body"] == "une\nligne\r\net 👋 \u2028 fin"
    protocol.check(entry)


async def test_a_channel_whose_name_ends_like_a_position_is_followed_by_its_whole_name(brisk):
    name = f"broadcast:course:{person()}@2"
    token = brisk.token(person(), channels=[name.removeprefix("broadcast:")])
    for written in (f"{name}@", f"{name}@0"):
        async with requests(brisk) as http, stream(http, [("channel", written)], **bearer(token)) as events:
            ok = (await events.block()).frame["ok"]
            assert [state["channel"] for state in ok["channels"] if state["subscribed"]] == [name], written
