"""The ladder of web/hub-client.js: WebSocket, event stream, long poll, and back, in Chromium against scripted connections."""

import json

import pytest

from scripted import scripted

QUICK = "{ stableAfterMs: 60, firstByteMs: 150, streamSilenceMs: 300, climbAfterMs: 250, climbLongestMs: 250, drainMs: 200 }"
DOWN_TO_STREAM = f"""
    Math.random = () => 0;
    const client = makeClient({{ timing: {QUICK} }});
    client.start();
    for (let death = 0; death < 2; death += 1) {{ await connect(); sockets.at(-1).ends(1006); await settle(); }}
"""
ESTABLISH = """
    const establish = async () => {
      await settle();
      const posted = lastRequest("commands");
      posted.replies(...posted.said.map(({ id }) => ({ re: id, ok: {} })));
      await settle(80);
    };
"""


def quiet(states):
    """Whether the page was told of no outage."""
    return not set(states) & {"waiting", "ended", "idle"}


async def test_two_lost_websockets_before_one_is_established_lead_to_the_event_stream():
    states, transports, request, token = await scripted(DOWN_TO_STREAM + """
        const stream = await connectOverHTTP("events");
        const [opening] = requests;
        return [states(), heard.filter((h) => h.transport).map((h) => h.transport), { ...stream, said: [] }, opening.said[0].token];
    """)
    assert quiet(states) and states[-1] == "connected"
    assert transports == ["eventstream"]
    assert request["path"] == "/v1/events" and request["search"] == "" and token == "3"
    assert request["headers"]["Hub-Session"] == "secret", "the credential stands in no URL"


async def test_a_break_of_an_established_websocket_does_not_change_the_transport():
    states, sockets, requests = await scripted(f"""
        Math.random = () => 0;
        const client = makeClient({{ timing: {QUICK} }});
        client.start();
        for (let death = 0; death < 4; death += 1) {{
          const socket = await connect();
          socket.answers("ping");
          await settle(80);
          socket.ends(1006);
        }}
        await settle();
        return [states(), sockets.length, requests.length];
    """)
    assert (sockets, requests) == (5, 0) and states.count("waiting") == 4


@pytest.mark.parametrize("code", [4200, 4100, 4300])
async def test_a_close_code_of_the_hub_does_not_change_the_transport(code):
    assert await scripted(f"""
        Math.random = () => 0;
        const client = makeClient({{ timing: {QUICK} }});
        client.start();
        for (let death = 0; death < 3; death += 1) {{
          const socket = await connect();
          socket.says({{ type: "bye", code: {code}, reason: "r", reconnect: true, afterMs: 0, spreadMs: 0 }});
          socket.ends(1006);
          await settle({code} === 4100 ? 1100 : 5);
        }}
        return [requests.length, client.transport];
    """) == [0, "websocket"]


async def test_a_hub_that_does_not_answer_does_not_change_the_transport():
    states, transport = await scripted("""
        Math.random = () => 0;
        client.start();
        for (let death = 0; death < 2; death += 1) { await settle(); sockets.at(-1).ends(1006); }
        await settle();
        lastRequest("commands").fails();
        await settle();
        return [states(), client.transport];
    """)
    assert states == ["connecting", "waiting", "connecting"] and transport == "websocket"


async def test_a_proxy_that_answers_for_the_hub_is_an_outage_too():
    assert await scripted(DOWN_TO_STREAM + """
        lastRequest("commands").answers(502, "<html>Bad gateway</html>", "text/html");
        await settle();
        return [states().slice(-2), client.transport];
    """) == [["waiting", "connecting"], "websocket"]


async def test_a_stream_that_is_held_back_leads_to_long_polls():
    states, path, answered, body = await scripted(DOWN_TO_STREAM + """
        const held = await connectOverHTTP("events");
        held.streams();
        await settle(200);
        const poll = await connectOverHTTP("poll");
        client.subscribe("inbox", 0);
        poll.answers(200, JSON.stringify({ after: "1;i@2", events: [entry(1), entry(2)] }));
        await settle();
        return [states(), client.transport, seqs(), JSON.parse(lastRequest("poll").body)];
    """)
    assert quiet(states) and path == "poll" and answered == [1, 2] and body == {"after": "1;i@2"}


async def test_a_stream_that_was_cut_is_attached_again_where_it_was():
    states, headers, seqs = await scripted(DOWN_TO_STREAM + """
        let stream = await connectOverHTTP("events");
        stream.streams();
        client.subscribe("inbox", 0);
        const data = (frame) => `event: entry\\ndata: ${JSON.stringify(frame)}\\n\\n`;
        stream.says(": hb\\n\\n" + data(entry(1)) + "id: 1;i@1\\n\\n" + data(entry(2)).slice(0, 20));
        await settle(100);
        stream.ends();
        while (lastRequest("events") === stream) await settle();
        stream = lastRequest("events");
        stream.streams();
        stream.says(data(entry(1)) + data(entry(2)));
        await settle(40);
        return [states(), stream.headers, seqs()];
    """)
    assert quiet(states) and seqs == [1, 2]
    assert headers["Last-Event-ID"] == "1;i@1" and headers["Hub-Session"] == "secret"


async def test_commands_over_http_go_one_request_after_the_other_in_their_order():
    first, second, results = await scripted(DOWN_TO_STREAM + """
        await connectOverHTTP("events");
        const ping = lastRequest("commands");
        const results = Promise.all([1, 2, 3].map((n) => client.command("history", { channel: "inbox", before: n })));
        await settle();
        const waits = lastRequest("commands") === ping;
        ping.replies({ re: ping.said[0].id, ok: {} });
        await settle();
        const post = lastRequest("commands");
        post.replies(...post.said.toReversed().map(({ id, before }) => ({ re: id, ok: { before } })));
        return [waits, post.said.map(({ before }) => before), await results];
    """)
    assert first and second == [1, 2, 3] and results == [{"before": 1}, {"before": 2}, {"before": 3}]


@pytest.mark.parametrize("status,code,temporary,state", [
    (404, "session_unknown", False, "waiting"), (401, "token_expired", False, "waiting"), (503, "unavailable", True, "waiting"),
    (403, "forbidden", False, "ended"), (400, "bad_request", False, "ended")])
async def test_a_refused_request_is_obeyed_like_a_close_code(status, code, temporary, state):
    error = json.dumps({"error": {"code": code, "message": "m", "temporary": temporary, "retryAfterMs": 50}})
    assert await scripted(DOWN_TO_STREAM + ESTABLISH + f"""
        const stream = await connectOverHTTP("events");
        stream.streams();
        stream.says(": hb\\n\\n");
        await establish();
        client.command("typing", {{ channel: "inbox" }}).catch(() => {{}});
        await settle();
        lastRequest("commands").answers({status}, {json.dumps(error)});
        await settle(1);
        return [states().filter((s) => s !== "connecting").at(-1), client.transport];
    """) == [state, "eventstream"]


async def test_a_bye_in_the_stream_or_the_poll_is_obeyed():
    for path in ("events", "poll"):
        transport = "poll" if path == "poll" else "eventstream"
        assert await scripted(f"""
            const client = makeClient({{ transports: ["{transport}"] }});
            client.start();
            const listening = await connectOverHTTP("{path}");
            const bye = JSON.stringify({{ type: "bye", code: 4104, reason: "idle", reconnect: true, afterMs: 0, spreadMs: 0 }});
            if ("{path}" === "poll") listening.answers(200, `{{"after":"1","events":[${{bye}}]}}`);
            else {{ listening.streams(); listening.says(`event: bye\\ndata: ${{bye}}\\n\\n`); }}
            await settle();
            const idle = states().at(-1);
            dispatchEvent(new Event("keydown"));
            await connectOverHTTP("{path}");
            return [idle, ...states().slice(-2)];
        """) == ["idle", "connecting", "connected"]


async def test_it_returns_to_an_established_websocket_without_loss_or_repetition():
    states, transports, seqs, asked, aborted, acked = await scripted(DOWN_TO_STREAM + ESTABLISH + """
        const stream = await connectOverHTTP("events");
        stream.streams();
        const data = (...frames) => frames.map((frame) => `event: entry\\ndata: ${JSON.stringify(frame)}\\n\\n`).join("");
        stream.says(": hb\\n\\n");
        await establish();
        client.subscribe("inbox", 0);
        await establish();
        stream.says(data(entry(1), entry(2)));
        const beating = setInterval(() => { try { stream.says(": hb\\n\\n"); } catch { clearInterval(beating); } }, 50);
        await settle(300);                               // the time of the first try
        const socket = await connect();
        const isBeside = client.transport === "eventstream" && !stream.isAborted;
        stream.says(data(entry(3)));
        await settle();
        socket.says(entry(3, { replay: true }), entry(4));
        stream.says(data(entry(4)));
        await settle();
        client.subscribe("broadcast:system", 5).catch(() => {});   // while two connections are there
        socket.answers("ping");
        await settle(100);
        stream.says(data(entry(5)));                     // it is there until its commands are answered, or the time is over
        await settle();
        socket.says(entry(5), entry(6));
        await settle(400);
        const acks = socket.said.findLast((c) => c.type === "ack" && c.channel === "inbox");
        return [states(), heard.filter((h) => h.transport).map((h) => h.transport), seqs(),
          [isBeside, socket.last("connect").channels, socket.last("subscribe")?.channel], stream.isAborted, acks.seq];
    """)
    assert quiet(states)
    assert transports == ["eventstream", "websocket"]
    assert seqs == [1, 2, 3, 4, 5, 6]
    assert asked == [True, [{"channel": "inbox", "since": 2}], "broadcast:system"]
    assert aborted and acked == 6


async def test_a_websocket_that_fails_again_is_tried_more_rarely():
    states, transports, tries = await scripted(DOWN_TO_STREAM.replace("climbLongestMs: 250", "climbLongestMs: 10000") + ESTABLISH + """
        const stream = await connectOverHTTP("events");
        stream.streams();
        stream.says(": hb\\n\\n");
        await establish();
        const beating = setInterval(() => stream.says(": hb\\n\\n"), 50);
        const tries = [];
        for (let now = performance.now(); tries.length < 3; await settle()) {
          if (sockets.at(-1).readyState !== 0) continue;
          tries.push(performance.now() - now);
          now = performance.now();
          await connect();
          sockets.at(-1).ends(1006);
        }
        clearInterval(beating);
        return [states(), heard.filter((h) => h.transport).map((h) => h.transport), tries];
    """)
    assert quiet(states) and transports == ["eventstream"]
    assert 450 < tries[1] < 900 and 900 < tries[2] < 1_800, tries


@pytest.mark.alone
async def test_the_better_connection_takes_over_when_the_other_one_breaks_first():
    assert await scripted(DOWN_TO_STREAM + ESTABLISH + """
        const stream = await connectOverHTTP("events");
        stream.streams();
        stream.says(": hb\\n\\n");
        await establish();
        client.subscribe("inbox", 3);
        await establish();
        await settle(250);
        const socket = await connect();
        const sending = client.send({ channel: "conversation:1", body: "once" });
        await settle();
        lastRequest("commands").fails();
        await settle();
        socket.says(entry(4));
        const again = socket.last("send");
        socket.says({ re: again.id, ok: { seq: 1 } });
        await sending;
        return [states().slice(-1), client.transport, seqs()];
    """) == [["connected"], "websocket", [4]]


async def test_the_ladders_decisions():
    assert await scripted("""
        const { Ladder } = await import("/hub-ladder.js");
        const walk = (...ends) => { const ladder = new Ladder(); return ends.map((end) => [ladder.died(end), ladder.transport].join(" ")); };
        const cut = { established: false };
        const delays = new Ladder();
        const climbs = [0, 1, 2, 3, 4, 5].map(() => { const ms = delays.climbDelay({ climbAfterMs: 60000, climbLongestMs: 900000 }, () => 0); delays.climbFailed(); return ms / 60000; });
        return [
          walk(cut, cut, { established: true }, { established: false, cause: "unfit" }, cut, cut),
          walk(cut, { established: true }, cut, cut, { established: true, cause: "unfit" }, { established: true, cause: "unfit" }),
          walk(cut, cut, { established: true, cause: "unreachable" }, { established: false, cause: "unreachable" }),
          new Ladder(["websocket"]).died(cut), climbs,
        ];
    """) == [
        ["again websocket", "down eventstream", "wait eventstream", "down poll", "again poll", "wait websocket"],
        ["again websocket", "wait websocket", "again websocket", "down eventstream", "down poll", "wait websocket"],
        ["again websocket", "down eventstream", "wait eventstream", "wait websocket"],
        "wait", [1, 2, 4, 8, 15, 15]]


async def test_event_streams_are_read_whole_byte_by_byte_and_at_every_cut():
    text = ": hb\n\nevent: entry\ndata: {\"a\":1}\n\nid: 1;i@42\r\n\r\ndata: b\rdata:c\r\revent: bye\nid\ndata\n\nretry: 5\nunknown: x\n\nid: 7\ndata: cut"
    whole, pieces, last = await scripted(f"""
        const {{ EventStreamParser }} = await import("/hub-listeners.js");
        const text = {json.dumps(text)};
        const read = (...parts) => {{ const parser = new EventStreamParser("0"); const events = parts.flatMap((part) => parser.push(part)); return JSON.stringify([events, parser.lastEventId]); }};
        const whole = read(text);
        const cuts = [...text].map((_, n) => read(text.slice(0, n), text.slice(n)));
        return [JSON.parse(whole)[0], [...cuts, read(...text)].every((one) => one === whole), JSON.parse(read(text.slice(0, 60)))[1]];
    """)
    assert whole == [
        {"type": "entry", "data": '{"a":1}'}, {"type": "message", "data": "b\nc"}, {"type": "bye", "data": ""}]
    assert pieces and last == "1;i@42"


@pytest.mark.parametrize("fault", [
    "answers(403, '<html>No streams here</html>', 'text/html')", "answers(200, '<html>Welcome</html>', 'text/html')", "fails()"])
async def test_a_proxy_that_lets_commands_pass_but_no_stream_leads_to_long_polls(fault):
    assert await scripted(DOWN_TO_STREAM + f"""
        await connectOverHTTP("events");
        for (let tries = 0; tries < 3; tries += 1) {{ lastRequest("events").{fault}; await settle(20); }}
        await connectOverHTTP("poll");
        return [client.transport, states().at(-1), states().includes("waiting")];
    """) == ["poll", "connected", False]


async def test_a_message_in_flight_when_the_transport_changes_is_sent_once():
    assert await scripted(DOWN_TO_STREAM + ESTABLISH + """
        const stream = await connectOverHTTP("events");
        stream.streams();
        const beating = setInterval(() => { try { stream.says(": hb\\n\\n"); } catch { clearInterval(beating); } }, 50);
        await establish();
        const sending = client.send({ channel: "conversation:1", body: "once" });
        await settle(300);
        const post = lastRequest("commands");
        const socket = await connect();
        socket.answers("ping");
        await settle(100);
        post.replies({ re: post.said[0].id, ok: { seq: 4 } });
        return [client.transport, await sending, socket.last("send") ?? null];
    """) == ["websocket", {"seq": 4}, None]


DOWN_TO_POLL = DOWN_TO_STREAM + """
    (await connectOverHTTP("events")).streams();
    await settle(200);                                   // held back: not a byte
    await connectOverHTTP("poll");
"""


async def test_from_a_poll_it_climbs_to_the_stream_when_no_websocket_gets_through():
    states, transports, seqs, tries = await scripted(DOWN_TO_POLL + ESTABLISH + """
        await establish();
        client.subscribe("inbox", 0);
        await establish();
        lastRequest("poll").answers(200, JSON.stringify({ after: "1;i@1", events: [entry(1)] }));
        const tries = sockets.length;
        await settle(300);
        sockets.at(-1).ends(1006);                           // the WebSocket is tried first, and still does not pass
        const stream = await connectOverHTTP("events");
        const opening = requests.filter((r) => r.path === "/v1/commands").at(-2).said[0];
        stream.streams();
        stream.says(": hb\\n\\n");
        await establish();
        stream.says(`event: entry\\ndata: ${JSON.stringify(entry(2))}\\n\\n`);
        await settle();
        return [states(), heard.filter((h) => h.transport).map((h) => h.transport), seqs(), [sockets.length - tries, opening.channels]];
    """)
    assert quiet(states)
    assert transports == ["eventstream", "poll", "eventstream"]
    assert seqs == [1, 2] and tries == [1, [{"channel": "inbox", "since": 1}]]


async def test_a_stream_that_is_still_held_back_is_no_climb():
    assert await scripted(DOWN_TO_POLL + ESTABLISH + """
        await establish();
        await settle(300);
        sockets.at(-1).ends(1006);
        const stream = await connectOverHTTP("events");
        stream.streams();
        await establish();                                   // commands pass, but no byte of the stream
        const during = client.transport;
        await settle(100);
        return [during, client.transport, client.state, stream.isAborted];
    """) == ["poll", "poll", "connected", True]
