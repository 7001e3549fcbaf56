"""web/hub-client.js in Chromium, against a scripted socket: what the protocol asks of a client, it does."""

import json

import protocol
from scripted import scripted


async def test_every_documented_close_code_is_obeyed():
    documented = {int(row[0]): row[3] for row in protocol.documented("close")}
    codes = [*documented, 4042, 4150, 4250, 4350, 3000]
    bye = {"reconnect": True, "afterMs": 0, "spreadMs": 4_000}
    advice = await scripted(f"return {json.dumps(codes)}.map((code) => [hub.adviceFor(code), hub.adviceFor(code, {json.dumps(bye)})])")
    for code, (alone, announced) in zip(codes, advice):
        words = documented.get(code) or {"40": "Do not", "41": "growing", "42": "announced window", "43": "new token"}.get(str(code)[:2], "growing")
        assert alone["reconnect"] == ("Do not reconnect" not in words and "Do not" not in words), code
        assert alone["freshToken"] == ("new token" in words), code
        if "announced window" in words:
            assert not announced["backOff"] and announced["spreadMs"] == 4_000, code
        elif alone["reconnect"]:
            assert announced["backOff"], code
    refused = await scripted('return hub.adviceFor(4200, {reconnect: false, afterMs: 0, spreadMs: 0}).reconnect')
    assert refused is False, "bye has the last word"


async def test_pauses_grow_and_are_random():
    delays = await scripted(
        "const a = hub.adviceFor(1006), b = hub.adviceFor(4100), w = hub.adviceFor(4200, {reconnect: true, afterMs: 300, spreadMs: 5000});"
        "return [[0, 1, 2, 20].map((n) => [hub.delayFor(n, a, () => 0), hub.delayFor(n, a, () => 1)]),"
        " hub.delayFor(0, b, () => 0), [hub.delayFor(9, w, () => 0), hub.delayFor(9, w, () => 1)]]")
    assert delays == [[[0, 500], [0, 1_000], [0, 2_000], [0, 30_000]], 1_000, [300, 5_300]]


async def test_it_keeps_order_drops_repeats_and_mends_gaps():
    seqs, asked, acks = await scripted("""
        client.start();
        const socket = await connect();
        client.subscribe("inbox", 4); await settle();
        const subscribe = socket.last("subscribe");
        socket.says({ re: subscribe.id, ok: { channel: "inbox", since: 4, delivered: 0 } }, entry(5, { replay: true }), entry(5), entry(6));
        socket.says(entry(8), entry(9));
        await settle();
        const again = socket.last("subscribe");
        socket.says({ re: again.id, ok: { channel: "inbox", since: 6, delivered: 0 } }, entry(7), entry(8), entry(9), entry(8));
        await new Promise((r) => setTimeout(r, 250));
        return [seqs(), socket.said.filter((c) => c.type === "subscribe").map((c) => c.since), socket.said.filter((c) => c.type === "ack").map((c) => c.seq)];
    """)
    assert seqs == [5, 6, 7, 8, 9]
    assert asked == [4, 6]
    assert acks[-1] == 9 and len(acks) <= 2, "acknowledged cumulatively"


async def test_it_resumes_where_it_was_with_a_new_token_when_asked():
    first, second, states = await scripted("""
        client.start();
        let socket = await connect();
        client.subscribe("inbox", 0); await settle();
        socket.says({ re: socket.last("subscribe").id, ok: { channel: "inbox", since: 0 } }, entry(1), entry(2));
        await settle();
        Math.random = () => 0;
        socket.says({ type: "bye", code: 4300, reason: "token_expired", reconnect: true, afterMs: 0, spreadMs: 0 });
        socket.ends(4300);
        const old = socket;
        socket = await connect();
        old.says(entry(3));
        socket.says(entry(3));
        return [old.said[0], socket.said[0], heard.filter((h) => h.state).map((h) => h.state)];
    """)
    assert first == {"id": 1, "type": "connect", "token": "1", "channels": []}
    assert {**second, "id": 0} == {"id": 0, "type": "connect", "token": "2 fresh", "channels": [{"channel": "inbox", "since": 2}]}
    assert states == ["connecting", "connected", "waiting", "connecting", "connected"]


async def test_a_message_without_an_answer_is_sent_again_under_its_key():
    keys, result = await scripted("""
        Math.random = () => 0;
        client.start();
        let socket = await connect();
        const sending = client.send({ channel: "conversation:1", body: "once" }); await settle();
        const first = socket.last("send");
        socket.ends(1006);
        socket = await connect();
        const second = socket.last("send");
        socket.says({ re: second.id, ok: { seq: 7, duplicate: true } });
        return [[first.key, second.key], await sending];
    """)
    assert keys[0] == keys[1] and result == {"seq": 7, "duplicate": True}


async def test_it_stays_away_when_told_to():
    count, states = await scripted("""
        client.start();
        const socket = await connect();
        socket.ends(4003);
        await new Promise((r) => setTimeout(r, 700));
        return [sockets.length, heard.filter((h) => h.state).map((h) => h.state)];
    """)
    assert count == 1 and states[-1] == "ended"
