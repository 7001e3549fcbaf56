"""`POST /v1/commands`, and what all three addresses have in common: credentials, tokens, origins, refusals."""

import asyncio
import json
import time

import pytest

import protocol
from conftest import ALLOWED_ORIGIN
from fallback import RawHTTP, Talk, bearer, command, is_alive, line, opened, poll, refusal_of, request, requests, seqs, session, stream
from rig import person

PATHS = [("GET", "/v1/events"), ("POST", "/v1/commands"), ("POST", "/v1/poll?wait=0")]
ids_of_paths = [path.partition("?")[0] for _, path in PATHS]
every_path = pytest.mark.parametrize(("method", "path"), PATHS, ids=ids_of_paths)


def refused(response, status, code):
    assert (response.status_code, refusal_of(response)["code"]) == (status, code), response.text


# Replies


async def test_replies_are_lines(brisk):
    async with requests(brisk) as http:
        credential = (await opened(http, brisk.token(person())))["credential"]
        body = "\n".join([line(7, "ping"), '{"type":"ping"}', line(8, "subscribe", channel="inbox"), "", line(9, "dance"), "rubbish", line(7, "ping")])
        response = await http.post("/v1/commands", content=body, headers=session(credential))
        assert response.status_code == 200
        assert response.headers["content-type"].partition(";")[0] == "application/x-ndjson"
        assert "no-store" in response.headers["cache-control"]
        assert response.text.endswith("\n") and "\r" not in response.text and "\n\n" not in response.text
        replies = protocol.lines(response.text)
        assert sorted(str(reply["re"]) for reply in replies) == ["7", "7", "8", "9", "None"]
        for reply in replies:
            protocol.check(reply)
        codes = {reply["re"]: reply["error"]["code"] for reply in replies if "error" in reply}
        assert codes == {9: "unknown_type", None: "bad_json"}


async def test_without_ids_there_is_no_line(brisk):
    async with requests(brisk) as http:
        credential = (await opened(http, brisk.token(person())))["credential"]
        response = await http.post("/v1/commands", content='{"type":"ping"}\n', headers=session(credential))
        assert (response.status_code, response.content) == (200, b"")


async def test_pushes_do_not_come_with_replies(brisk):
    talk = await Talk.begin(brisk)
    await talk.write(3)
    async with requests(brisk) as http:
        credential = (await opened(http, talk.token))["credential"]
        body = line(1, "subscribe", channel=talk.channel, since=0) + "\n" + line(2, "history", channel=talk.channel)
        response = await http.post("/v1/commands", content=body, headers=session(credential))
        assert sorted(reply["re"] for reply in protocol.lines(response.text)) == [1, 2]
        seen = []
        async with asyncio.timeout(10):
            while len(seen) < 3:
                seen += seqs((await poll(http, credential, 1))[1])
        assert seen == [1, 2, 3]


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", None])
async def test_any_content_type_is_accepted(brisk, kind):
    async with requests(brisk) as http:
        headers = {"Content-Type": kind} if kind else {}
        credential = (await opened(http, brisk.token(person()), headers=headers))["credential"]
        response = await http.post("/v1/commands", content=line(1, "ping"), headers={**session(credential), **headers})
        assert set(json.loads(response.text)["ok"]) == {"time"}


@pytest.mark.parametrize("where", ["header", "query"])
async def test_the_credential_may_stand_in_the_header_or_in_the_query(brisk, where):
    async with requests(brisk) as http:
        credential = (await opened(http, brisk.token(person())))["credential"]
        how = {"headers": session(credential)} if where == "header" else {"params": {"session": credential}}
        for path, body in (("/v1/commands", line(1, "ping")), ("/v1/poll", "")):
            response = await http.post(path, content=body, **{**how, "params": {**how.get("params", {}), "wait": 0}})
            assert response.status_code == 200


async def test_a_token_in_the_header_opens_a_session(brisk):
    async with requests(brisk) as http:
        name = person()
        ok = await opened(http, None, headers=bearer(brisk.token(name)))
        assert ok["user"] == name
        # The command's token counts when there are two, as on a WebSocket.
        other = await opened(http, brisk.token("other-" + name), headers=bearer(brisk.token(name)))
        assert other["user"] == "other-" + name


@pytest.mark.parametrize(
    ("ttl", "broken", "code"), [(60, True, "invalid_token"), (-60, False, "token_expired")], ids=["broken", "expired"])
async def test_a_token_that_does_not_count_opens_nothing(brisk, ttl, broken, code):
    token = brisk.token(person(), ttl=ttl)
    token = token[:-8] + "AAAAAAAA" if broken else token
    async with requests(brisk) as http:
        response = await http.post("/v1/commands", content=line(5, "connect", token=token))
        [reply] = protocol.lines(response.text)
        assert (response.status_code, reply["re"], reply["error"]["code"]) == (401, 5, code)
        refused(await http.get("/v1/events", headers=bearer(token)), 401, code)
        refused(await http.post("/v1/poll", headers=bearer(token)), 401, code)
        refused(await http.post("/v1/poll", content=json.dumps({"token": token})), 401, code)


async def test_without_a_token_nothing_opens(brisk):
    async with requests(brisk) as http:
        response = await http.post("/v1/commands", content=line(1, "connect"))
        assert response.status_code == 401 and protocol.lines(response.text)[0]["error"]["code"] == "invalid_token"
        refused(await http.get("/v1/events"), 401, "invalid_token")
        refused(await http.post("/v1/poll"), 401, "invalid_token")


@pytest.mark.parametrize("body", ["", "\n", line(1, "ping"), "rubbish", line(1, "ack", channel="inbox", seq=1)], ids=lambda body: body[:20] or "nothing")
async def test_without_a_session_the_first_line_is_connect(brisk, body):
    async with requests(brisk) as http:
        response = await http.post("/v1/commands", content=body)
        assert response.status_code == 400, response.text
        if response.headers["content-type"].startswith("application/json"):
            assert refusal_of(response)["code"] in ("bad_request", "not_connected")
        else:
            for reply in protocol.lines(response.text):
                protocol.check(reply)
                assert reply["error"]["code"] in ("not_connected", "bad_json")


# Credentials and tokens


@every_path
async def test_an_invented_credential_is_unknown(brisk, method, path):
    async with requests(brisk) as http:
        ok = await opened(http, brisk.token(person()))
        own = ok["credential"]
        foreign = own[:-1] + ("A" if own[-1] != "A" else "B")
        for value in ("x", foreign, own + "A", own[:-1], ok["session"], "%00", "x" * 5_000, own.swapcase()):
            refused(await http.request(method, path, headers=session(value)), 404, "session_unknown")
            refused(await http.request(method, path, params={"session": value}), 404, "session_unknown")
        assert await is_alive(http, own)


@every_path
async def test_a_token_beside_the_credential_is_of_the_same_user(brisk, method, path):
    name = person()
    async with requests(brisk) as http:
        credential = (await opened(http, brisk.token(name)))["credential"]

        async def ask(token):
            headers = {**session(credential), **bearer(token)}
            async with http.stream(method, path, headers=headers, content=line(1, "ping") if path == "/v1/commands" else None) as response:
                if response.status_code != 200:
                    await response.aread()
                return response

        assert (await ask(brisk.token(name))).status_code == 200
        refused(await ask(brisk.token(person())), 403, "subject_changed")
        refused(await ask(brisk.token(name, ttl=-60)), 401, "token_expired")
        refused(await ask(brisk.token(name)[:-8] + "AAAAAAAA"), 401, "invalid_token")
        assert await is_alive(http, credential)


@every_path
@pytest.mark.parametrize("name", ["token", "access_token"])
async def test_a_token_in_the_query_is_refused_without_repeating_it(brisk, method, path, name):
    async with requests(brisk) as http:
        response = await http.request(method, path, params={name: brisk.token(person())})
        refused(response, 400, "query_token")
        assert "eyJ" not in response.text


# Origins


@every_path
async def test_a_page_of_another_origin_is_refused(brisk, method, path):
    async with requests(brisk) as http:
        for origin in ("https://evil.example.org", "null", ALLOWED_ORIGIN + ".evil.org", ALLOWED_ORIGIN.replace("https", "http")):
            response = await http.request(method, path, headers={"Origin": origin, **bearer(brisk.token(person()))})
            refused(response, 403, "forbidden")
            assert not [name for name in response.headers if name.startswith("access-control-")]
            preflight = await http.request(
                "OPTIONS", path, headers={"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "hub-session"})
            assert not [name for name in preflight.headers if name.startswith("access-control-")]


async def test_refused_origins_are_logged_rarely_with_the_setting(brisk):
    def lines():
        return [line for line in brisk.log.read_text().splitlines() if "pages were refused because of their origin" in line]

    async with requests(brisk) as http:
        for _ in range(50):
            response = await http.post("/v1/poll", headers={"Origin": "https://forgotten.example.org"})
            assert "websocket.origins" in refusal_of(response)["message"]
    # One line a minute for each of the two loops, and other tests are refused, too.
    assert 1 <= len(lines()) < 20
    assert all("setting=websocket.origins" in line and "newest=" in line for line in lines())


@every_path
async def test_without_configuration_no_other_origin_is_allowed(hub, method, path):
    async with requests(hub) as http:
        refused(await http.request(method, path, headers={"Origin": ALLOWED_ORIGIN}), 403, "forbidden")
        own = hub.url.rstrip("/")
        response = await http.request(method, path, headers={"Origin": own, "Hub-Session": "x"})
        refused(response, 404, "session_unknown")


@every_path
async def test_a_configured_origin_is_accepted(brisk, method, path):
    async with requests(brisk, headers={"Origin": ALLOWED_ORIGIN}) as http:
        response = await http.request(
            "OPTIONS", path, headers={
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": "authorization,content-type,hub-session,last-event-id"})
        assert response.status_code in (200, 204) and response.content == b""
        assert response.headers["access-control-allow-origin"] == ALLOWED_ORIGIN
        assert method in response.headers["access-control-allow-methods"]
        allowed = {name.strip().lower() for name in response.headers["access-control-allow-headers"].split(",")}
        assert allowed >= {"authorization", "content-type", "hub-session", "last-event-id"}
        assert "origin" in response.headers["vary"].lower()
        assert "access-control-allow-credentials" not in response.headers, "cookies play no part"

        refusal = await http.request(method, path, headers=session("x"))
        refused(refusal, 404, "session_unknown")
        answers = [refusal]
        credential = (await opened(http, brisk.token(person())))["credential"]
        body = line(1, "ping") if path == "/v1/commands" else None
        async with http.stream(method, path, headers=session(credential), content=body) as response:
            assert response.status_code == 200
            answers.append(response)
        for response in answers:
            assert response.headers["access-control-allow-origin"] == ALLOWED_ORIGIN
            assert "origin" in response.headers["vary"].lower()


# Requests


async def test_a_body_that_is_too_large_is_refused_and_the_session_goes_on(brisk):
    async with requests(brisk) as http:
        ok = await opened(http, brisk.token(person()))
        most = ok["limits"]["messageBytes"]
        response = await http.post(
            "/v1/commands", content='{"id":1,"type":"ping","x":"' + "x" * (most - 100) + '"}', headers=session(ok["credential"]))
        assert response.status_code == 200
        for size in (most + 1, 20 * most):
            response = await http.post("/v1/commands", content=b" " * size, headers=session(ok["credential"]))
            refused(response, 413, "too_large")
        assert await is_alive(http, ok["credential"])


async def test_a_request_with_an_absurd_content_length_is_refused_at_once(brisk):
    raw = await RawHTTP.open(brisk.address)
    raw.ask("POST", "/v1/commands", Content_Length=10**12, Hub_Session="x")
    status, _, _ = await raw.answer(5)
    assert status in (404, 413)
    await raw.ends()


async def test_a_chunked_body_is_decoded_or_refused(brisk):
    async with requests(brisk) as http:
        credential = (await opened(http, brisk.token(person())))["credential"]
        raw = await RawHTTP.open(brisk.address)
        body = line(1, "ping").encode()
        raw.send(request("POST", "/v1/commands", Content_Length=None, Transfer_Encoding="chunked", **session(credential)))
        raw.send(b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (5, body[:5], len(body) - 5, body[5:]))
        status, _, answer = await raw.answer()
        assert status in (200, 400, 411, 501)
        if status == 200:
            assert "ok" in json.loads(answer)
        assert await is_alive(http, credential)


async def test_who_waits_for_leave_to_send_a_body_gets_it(brisk):
    raw = await RawHTTP.open(brisk.address)
    body = line(1, "connect", token=brisk.token(person()))
    raw.send(request("POST", "/v1/commands", Content_Length=len(body), Expect="100-continue"))
    assert (await raw.head())[0] == 100
    raw.send(body.encode())
    assert (await raw.answer())[0] == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/commands"), ("HEAD", "/v1/commands"), ("PUT", "/v1/poll"), ("GET", "/v1/poll")])
async def test_another_method_is_refused_with_the_allowed_one(brisk, method, path):
    async with requests(brisk) as http:
        response = await http.request(method, path)
        assert response.status_code == 405 and "POST" in response.headers["allow"]


async def test_requests_sent_ahead_are_answered_in_order(brisk):
    talk = await Talk.begin(brisk)
    async with requests(brisk) as http:
        credential = (await opened(http, talk.token, talk.channels))["credential"]
        position, _ = await poll(http, credential, 1)
        raw = await RawHTTP.open(brisk.address)
        ask = session(credential)
        raw.send(
            request("POST", "/v1/poll?wait=2", json.dumps({"after": position}), **ask) + request("POST", "/v1/commands", line(11, "ping"), **ask)
            + request("GET", "/livez") + request("POST", "/v1/commands", line(12, "history", channel=talk.channel), **ask)
            + request("POST", "/v1/poll?wait=0", **ask) + request("POST", "/v1/commands", line(13, "ping"), **ask))
        await asyncio.sleep(0.4)
        began = time.monotonic()
        await talk.write(1)
        answers = [await raw.answer() for _ in range(6)]
        assert [answer[0] for answer in answers] == [200] * 6
        assert seqs(json.loads(answers[0][2])["events"]) == [1] and time.monotonic() - began < 1.5
        assert [json.loads(answers[index][2])["re"] for index in (1, 3, 5)] == [11, 12, 13]
        assert "events" in json.loads(answers[4][2])


async def test_requests_behind_a_stream_wait_for_its_end(brisk):
    """A stream has no end that a client could wait for: what it sends behind the request is answered after the end, or never."""
    raw = await RawHTTP.open(brisk.address)
    raw.send(request("GET", "/v1/events", **bearer(brisk.token(person(), ttl=3))) + request("GET", "/livez"))
    status, headers = await raw.head()
    assert status == 200
    async with asyncio.timeout(10):
        text = b""
        while chunk := await raw.chunk():
            text += chunk
    assert b"event: bye" in text
    await asyncio.sleep(0)


async def test_requests_that_reach_another_loop_find_the_session(brisk):
    """Two loops accept connections of their own; so many connections reach both."""
    talk = await Talk.begin(brisk)
    async with requests(brisk) as http:
        credential = (await opened(http, talk.token, talk.channels))["credential"]
    position, seen = None, []
    for turn in range(12):
        async with requests(brisk) as http:
            assert "time" in await command(http, credential, "ping")
        await talk.write(1)
        async with requests(brisk) as http:
            if turn % 3 == 2:
                how = {"Last-Event-ID": position} if position else {}
                async with stream(http, **session(credential), **how) as events:
                    position = await events.id_behind(turn + 1, talk.channel)
                    seen += seqs(events.heard)
            else:
                async with asyncio.timeout(10):
                    while turn + 1 not in seen:
                        position, frames = await poll(http, credential, 1, **({"after": position} if position else {}))
                        seen += seqs(frames)
        async with requests(brisk) as http:
            assert (await command(http, credential, "ack", channel=talk.channel, seq=turn + 1))["delivered"] == turn + 1
    assert list(dict.fromkeys(seen)) == list(range(1, 13))


async def test_many_requests_at_once_in_one_session(brisk):
    talk = await Talk.begin(brisk)
    async with requests(brisk) as http:
        credential = (await opened(http, talk.token, talk.channels))["credential"]

        async def ask(number):
            # More commands than a session may have in flight are refused with 503 when the store is slow.
            status = 503
            while status == 503:
                response = await http.post(
                    "/v1/commands", headers=session(credential),
                    content="\n".join(line(100 * number + index, "history", channel=talk.channel) for index in range(5)))
                status = response.status_code
            return sorted(reply["re"] for reply in protocol.lines(response.text))

        # The same ids in two requests at once are told apart by the request.
        answers = await asyncio.gather(*[ask(number % 20) for number in range(40)])
        assert answers == [[100 * (number % 20) + index for index in range(5)] for number in range(40)]


async def test_http_1_0_may_give_commands(brisk):
    raw = await RawHTTP.open(brisk.address)
    raw.ask("POST", "/v1/commands", line(1, "connect", token=brisk.token(person())), version="1.0", Host=None)
    status, headers, body = await raw.answer()
    assert status == 200 and "credential" in json.loads(body)["ok"] and "transfer-encoding" not in headers
    await raw.ends()


async def test_clients_that_leave_before_the_answer_harm_nobody(brisk):
    async with requests(brisk) as http:
        credential = (await opened(http, brisk.token(person())))["credential"]
        for _ in range(20):
            raw = await RawHTTP.open(brisk.address)
            raw.ask("POST", "/v1/commands", line(1, "history", channel="inbox"), **session(credential))
            await raw.writer.drain()
            raw.close()
        assert "time" in await command(http, credential, "ping")
