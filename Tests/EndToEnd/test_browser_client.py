"""web/hub-client.js in Chromium, against a scripted socket: it does everything that the protocol requires of a client."""

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


async def test_it_keeps_order_drops_repeats_and_fills_gaps():
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


async def test_what_a_later_version_adds_does_no_harm():
    heard, acked, closed, refusal, entries = await scripted("""
        const told = [];
        for (const type of ["signal", "activity", "features", "counters"]) client.addEventListener(type, ({ detail }) => told.push(detail.signal ?? detail.type));
        client.start();
        const socket = await connect({ features: ["telepathy"], surprise: { deep: [1] } });
        const following = client.subscribe("inbox", 0); await settle();
        socket.says({ re: socket.last("subscribe").id, ok: { channel: "inbox", since: 0, kind: "aquarium" }, also: 1 });
        await following;
        socket.says({ type: "surprise", seq: 9 }, { type: "signal", signal: "waving" }, { type: "activity", channel: "conversation:1", head: 3, unread: 1, version: 4 }, { type: "features", features: [] },
          entry(1, { kind: "poll", priority: "whispered", form: "hologram", options: ["a"] }), entry(2, { more: {} }),
          { type: "counters", version: 1, channels: [], totals: { unread: 2, mentions: 1 } });
        await settle(250);
        const asking = client.command("ping").catch(({ code, temporary }) => [code, temporary]); await settle();
        socket.says({ re: socket.last("ping").id, error: { code: "too_moody", message: "x", temporary: true, mood: "grey" } });
        return [told, socket.said.filter((c) => c.type === "ack").map((c) => c.seq), socket.closedWith ?? null, await asking,
          window.heard.filter((f) => f.type === "entry").map(({ seq, kind }) => [seq, kind])];
    """)
    assert heard == ["waving", "activity", "features", "counters"]
    assert acked == [2] and closed is None
    assert refusal == ["too_moody", True]
    assert entries == [[1, "poll"], [2, "notification"]]


async def test_it_follows_from_the_newest_entries_and_resumes_behind_them():
    first, later = await scripted("""
        Math.random = () => 0;
        client.start();
        let socket = await connect();
        client.subscribe("inbox", undefined, 20); await settle();
        const first = socket.last("subscribe");
        socket.says({ re: first.id, ok: { channel: "inbox", since: 80 } }, entry(81));
        await settle();
        socket.ends(1006);
        socket = await connect();
        return [first, socket.last("connect").channels];
    """)
    assert first["tail"] == 20 and "since" not in first
    assert later == [{"channel": "inbox", "since": 81}]


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


async def test_a_page_from_plain_http_sends_messages_without_giving_them_a_key():
    keys = await scripted("""
        Object.defineProperty(crypto, "randomUUID", { value: undefined });
        client.start();
        const socket = await connect();
        for (const body of ["one", "two"]) client.send({ to: "bob", body });
        await settle();
        return socket.said.filter((c) => c.type === "send").map((c) => c.key);
    """)
    assert len(set(keys)) == 2 and all(len(key) == 32 for key in keys)


async def test_it_does_not_reconnect_after_a_final_close_code():
    count, states = await scripted("""
        client.start();
        const socket = await connect();
        socket.ends(4003);
        await new Promise((r) => setTimeout(r, 700));
        return [sockets.length, heard.filter((h) => h.state).map((h) => h.state)];
    """)
    assert count == 1 and states[-1] == "ended"


async def test_a_channel_that_connect_refused_is_followed_again_when_it_can_be():
    positions, told, follows = await scripted("""
        Math.random = () => 0;
        client.start();
        let socket = await connect();
        for (const channel of ["inbox", "broadcast:system", "broadcast:gone"]) { client.subscribe(channel, 7); socket.answers("subscribe", { channel, since: 7 }); }
        await settle();
        socket.ends(1006);
        socket = await connect({ refused: [{ channel: "inbox", code: "position_unknown" }, { channel: "broadcast:system", code: "unavailable" }, { channel: "broadcast:gone", code: "forbidden" }] });
        const anew = socket.last("subscribe");
        socket.says({ re: anew.id, ok: { channel: "inbox", since: 3 } }, entry(4));
        await settle(1100);
        const later = socket.last("subscribe");
        return [[[anew.channel, anew.since ?? null], [later.channel, later.since]], heard.filter((h) => h.type), ["inbox", "broadcast:system", "broadcast:gone"].map((c) => client.follows(c))];
    """)
    assert positions == [["inbox", None], ["broadcast:system", 7]]
    assert [event.get("code") or event.get("seq") or event["type"] for event in told] == ["reset", "forbidden", 4]
    assert follows == [True, True, False]


async def test_without_since_the_position_is_where_the_reply_says_it_begins():
    assert await scripted("""
        Math.random = () => 0;
        client.start();
        let socket = await connect();
        client.subscribe("inbox"); socket.answers("subscribe", { channel: "inbox", since: 12 });
        socket.ends(1006);
        socket = await connect();
        return socket.last("connect").channels;
    """) == [{"channel": "inbox", "since": 12}]


async def test_a_subscription_is_kept_until_the_hub_takes_it():
    asked, results, follows = await scripted("""
        Math.random = () => 0;
        client.start();
        const early = client.subscribe("inbox", 4);          // before there is a connection
        let socket = await connect();
        const first = socket.last("subscribe");
        socket.ends(1006);                                   // cut before the reply
        socket = await connect();
        const second = socket.last("subscribe");
        socket.says({ re: second.id, error: { code: "unavailable", message: "m", temporary: true, retryAfterMs: 30 } });
        await settle(60);
        const third = socket.last("subscribe");
        socket.says({ re: third.id, ok: { channel: "inbox", since: 4 } }, entry(5));
        const refused = client.subscribe("broadcast:gone", 1).catch((error) => error.code);
        await settle();
        socket.says({ re: socket.last("subscribe").id, error: { code: "forbidden", message: "m", temporary: false } });
        const unknown = client.subscribe("broadcast:system", 99).catch((error) => error.code);
        await settle();
        socket.says({ re: socket.last("subscribe").id, error: { code: "position_unknown", message: "m", temporary: false } });
        const results = [(await early).since, await refused, await unknown];
        return [[first, second, third].map((c) => [c.channel, c.since]), results, ["inbox", "broadcast:gone", "broadcast:system"].map((c) => client.follows(c))];
    """)
    assert asked == [["inbox", 4]] * 3
    assert results == [4, "forbidden", "position_unknown"]
    assert follows == [True, False, False]


async def test_a_subscription_that_is_withdrawn_before_the_reply_is_rejected_and_not_made_again():
    assert await scripted("""
        Math.random = () => 0;
        client.start();
        const following = client.subscribe("inbox", 4).catch((error) => error.code);
        await client.unsubscribe("inbox");
        const socket = await connect();
        return [await following, socket.last("connect").channels, socket.last("subscribe") ?? null];
    """) == ["not_subscribed", [], None]


async def test_marks_wait_until_their_channel_is_followed():
    before, after = await scripted("""
        client.start();
        const socket = await connect();
        client.subscribe("inbox", 4);
        client.command("mark-read", { channel: "inbox", upTo: 4 });
        await settle();
        const before = socket.last("mark-read") ?? null;
        socket.answers("subscribe", { channel: "inbox", since: 4 });
        await settle();
        return [before, socket.last("mark-read")?.upTo];
    """)
    assert before is None and after == 4, "until the reply the hub answers not_subscribed"


async def test_unsubscribed_stays_unsubscribed():
    assert await scripted("""
        Math.random = () => 0;
        client.start();
        let socket = await connect();
        client.subscribe("inbox", 1); socket.answers("subscribe", { channel: "inbox", since: 1 });
        client.subscribe("broadcast:system", 1); socket.answers("subscribe", { channel: "broadcast:system", since: 1 });
        const leaving = client.unsubscribe("inbox");
        socket.says(entry(2));
        socket.answers("unsubscribe", { channel: "inbox" });
        const left = await leaving;
        socket.ends(1006);
        await client.unsubscribe("broadcast:system");
        socket = await connect();
        return [left, socket.last("connect").channels, seqs()];
    """) == [{"channel": "inbox"}, [], []]


async def test_a_signed_out_user_ends_it():
    states, detail = await scripted("""
        const client = makeClient({ getToken: async () => { throw Object.assign(new Error("signed out"), { signedOut: true }); } });
        client.start();
        await settle(700);
        return [states(), heard.findLast((h) => h.state)];
    """)
    assert states == ["connecting", "ended"] and detail["reason"] == "signed_out"
    assert await scripted("""
        Math.random = () => 0;
        const client = makeClient({ getToken: async () => { if (++tokens === 1) throw new Error("no network"); return "t"; } });
        client.start();
        await connect();
        return states();
    """) == ["connecting", "waiting", "connecting", "connected"], "any other error is an outage"


async def test_why_there_is_no_token_is_told():
    told, reason, rest = await scripted("""
        Math.random = () => 0;
        const client = makeClient({ getToken: async () => { if (++tokens === 1) throw new Error("the cookie has expired"); return "t"; } });
        client.start();
        await settle();
        const failed = heard.find((h) => h.type === "tokenfailed");
        const waiting = heard.find((h) => h.state === "waiting");
        await connect();
        return [failed.error.message, waiting.reason, states()];
    """)
    assert (told, reason) == ("the cookie has expired", "token") and rest[-1] == "connected"


async def test_a_token_that_never_comes_is_asked_for_again():
    assert await scripted("""
        Math.random = () => 0;
        const client = makeClient({ timing: { tokenTimeoutMs: 50 }, getToken: () => (++tokens === 1 ? new Promise(() => {}) : "t") });
        client.start();
        await settle(80);
        await connect();
        return [heard.find((h) => h.type === "tokenfailed").error.message, states()];
    """) == ["getToken gave no token within 50 ms", ["connecting", "waiting", "connecting", "connected"]]


async def test_a_session_that_cannot_be_prolonged_says_so():
    assert await scripted("""
        const client = makeClient({ getToken: async ({ fresh }) => { if (fresh) throw new Error("no network"); return "t"; } });
        client.start();
        await connect({ tokenTtlMs: 10 });
        await settle(1100);
        return [heard.find((h) => h.type === "tokenfailed").error.message, client.state];
    """) == ["no network", "connected"]


async def test_a_client_belongs_to_one_user():
    states, reason, said = await scripted("""
        Math.random = () => 0;
        client.start();
        let socket = await connect({ user: "alice" });
        socket.ends(1006);
        client.send({ to: "carol", body: "by alice" });
        socket = await connect({ user: "bob" });
        return [states().at(-1), heard.findLast((h) => h.state).reason, socket.said.map((c) => c.type)];
    """)
    assert (states, reason, said) == ("ended", "subject_changed", ["connect"]), "nothing of Alice's is sent as Bob"
    assert await scripted("""
        client.start();
        const socket = await connect({ tokenTtlMs: 10 });
        await settle(1100);
        socket.says({ re: socket.last("refresh").id, error: { code: "subject_changed", message: "m", temporary: false } });
        await settle();
        return [client.state, heard.findLast((h) => h.state).reason];
    """) == ["ended", "subject_changed"]


async def test_marks_made_offline_are_sent_with_the_next_connection_the_newest_of_each_kind():
    sent, result = await scripted("""
        Math.random = () => 0;
        client.start();
        let socket = await connect();
        client.subscribe("inbox", 9); socket.answers("subscribe", { channel: "inbox", since: 9 });
        const inFlight = client.command("mark-seen", { channel: "inbox", seq: 4 });
        socket.ends(1006);
        client.command("mark-seen", { channel: "inbox", seq: 8 });
        client.command("mark-seen", { channel: "inbox", seq: 6 });
        client.command("mark-read", { channel: "inbox", seq: 3 });
        client.command("mark-read", { channel: "inbox", seqs: [5, 7] });
        client.command("mark-unread", { channel: "inbox", seq: 5 });
        client.command("mark-read", { channel: "inbox", all: true });
        socket = await connect();
        const marks = socket.said.filter((c) => c.type.startsWith("mark-"));
        socket.says({ re: marks.find((c) => c.type === "mark-seen").id, ok: { seen: 8 } });
        return [marks.map(({ type, seq, seqs, upTo }) => [type, seq ?? seqs ?? upTo]), await inFlight];
    """)
    assert sent == [["mark-read", [3, 7]], ["mark-unread", [5]], ["mark-read", 9], ["mark-seen", 8]]
    assert result == {"seen": 8}


async def test_without_a_network_it_closes_the_connection_at_once():
    assert await scripted("""
        Math.random = () => 0.999;
        client.start();
        await connect();
        dispatchEvent(new Event("offline"));
        const offline = states().at(-1);
        dispatchEvent(new Event("online"));
        await connect();
        return [offline, states().at(-1), sockets.length];
    """) == ["waiting", "connected", 2]


DOUBTS = "{ doubtAfterMs: 60, doubtTimeoutMs: 100 }"


async def test_a_connection_that_swallows_a_command_is_lost_within_seconds():
    pings, states, sockets = await scripted(f"""
        Math.random = () => 0;
        const client = makeClient({{ transports: ["websocket"], timing: {DOUBTS} }});
        client.start();
        const socket = await connect();
        socket.answers("ping");
        client.command("history", {{ channel: "inbox" }}).catch(() => {{}});
        await settle(20);
        const before = socket.said.filter((c) => c.type === "ping").length;
        await settle(80);
        const after = socket.said.filter((c) => c.type === "ping").length;
        await settle(100);
        return [[before, after], states(), sockets.length];
    """)
    assert pings == [1, 2] and sockets == 2
    assert states == ["connecting", "connected", "waiting", "connecting"]


async def test_a_slow_reply_is_no_lost_connection():
    assert await scripted(f"""
        const client = makeClient({{ transports: ["websocket"], timing: {DOUBTS} }});
        client.start();
        const socket = await connect();
        socket.answers("ping");
        const reply = client.command("history", {{ channel: "inbox" }});
        for (let turn = 0; turn < 20; turn += 1) {{ await settle(20); if (socket.last("ping").id !== socket.answered) socket.answers("ping"), (socket.answered = socket.last("ping").id); }}
        const pings = socket.said.filter((c) => c.type === "ping").length;
        socket.answers("history", {{ entries: [] }});
        return [states(), await reply, pings > 1 && pings < 6];
    """) == [["connecting", "connected"], {"entries": []}, True]


async def test_a_page_that_is_looked_at_again_asks_whether_the_connection_lives():
    assert await scripted(f"""
        Math.random = () => 0;
        const client = makeClient({{ transports: ["websocket"], timing: {DOUBTS} }});
        client.start();
        const socket = await connect();
        socket.answers("ping");
        document.dispatchEvent(new Event("visibilitychange"));
        const asked = socket.said.filter((c) => c.type === "ping").length;
        await settle(120);
        return [document.visibilityState, asked, states().slice(0, 3)];
    """) == ["visible", 2, ["connecting", "connected", "waiting"]]


async def test_over_http_the_question_does_not_wait_behind_a_slow_command():
    assert await scripted(f"""
        const client = makeClient({{ transports: ["poll"], timing: {DOUBTS} }});
        client.start();
        await connectOverHTTP("poll");
        const first = lastRequest("commands");
        first.replies(...first.said.map(({{ id }}) => ({{ re: id, ok: {{}} }})));
        await settle();
        client.command("history", {{ channel: "inbox" }}).catch(() => {{}});
        await settle(80);
        const question = lastRequest("commands");
        question.replies(...question.said.map(({{ id }}) => ({{ re: id, ok: {{}} }})));
        await settle(60);
        return [question.said.map(({{ type }}) => type), states()];
    """) == [["ping"], ["connecting", "connected"]]


async def test_after_an_idle_timeout_it_reconnects_when_the_user_is_active():
    for sign in ("new Event('pointerdown')", "new Event('keydown')"):
        states, first = await scripted(f"""
            client.start();
            let socket = await connect();
            client.subscribe("inbox", 5); socket.answers("subscribe", {{ channel: "inbox", since: 5 }});
            socket.says({{ type: "bye", code: 4104, reason: "idle", reconnect: true, afterMs: 0, spreadMs: 0 }});
            socket.ends(1006);
            await settle(700);
            const idle = sockets.length;
            dispatchEvent({sign});
            socket = await connect();
            return [[idle, ...states()], socket.said.filter((c) => c.type !== "ping")];
        """)
        assert states == [1, "connecting", "connected", "idle", "connecting", "connected"], "bye counts, whatever the close code became"
        assert first == [{"id": 1, "type": "connect", "token": "2", "channels": [{"channel": "inbox", "since": 5}]}], "one frame"


async def test_activity_is_sent_at_most_once_a_minute():
    assert await scripted("""
        const client = makeClient({ timing: { activityEveryMs: 300 } });
        client.start();
        const socket = await connect();
        const activities = () => socket.said.filter((c) => c.type === "activity").length;
        const counts = [];
        const act = async (ms) => { await settle(ms); dispatchEvent(new Event("keydown")); counts.push(activities()); };
        await act(0); await act(350); await act(0); await act(350);
        await settle(350); client.command("typing", { channel: "conversation:1" }); await act(0);
        return counts;
    """) == [0, 1, 1, 2, 2]


SHARING = """
    const told = [];
    client.addEventListener("presence", ({ detail }) => told.push([detail.users.map(({ user, state }) => `${user} ${state}`), detail.isWhole]));
    const shared = (socket) => socket.said.filter((c) => c.type === "presence").map((c) => c.state);
    const push = (user, state) => ({ type: "signal", signal: "presence", user, state });
    const states = () => ["bob", "carol", "dan"].map((user) => client.presence(user).state);
    const turn = (visibility) => {
      Object.defineProperty(document, "visibilityState", { configurable: true, get: () => visibility });
      document.dispatchEvent(new Event("visibilitychange"));
    };
"""


async def test_it_shares_that_the_user_is_there_on_every_connection():
    first, listed, later, cut, again, second, stopped = await scripted(SHARING + """
        client.sharePresence();
        client.start();
        let socket = await connect({ features: ["presence"] });
        const first = [shared(socket), states()];
        socket.says(push("bob", "online"));  // before the list
        socket.answers("presence", { users: [{ user: "bob", state: "away" }, { user: "carol", state: "offline", lastSeen: "2026-11-23T22:31:00.000Z" }] });
        await settle();
        const listed = [states(), client.presence("carol").lastSeen];
        socket.says(push("dan", "online"), push("bob", "offline"));
        await settle();
        const later = states();
        Math.random = () => 0;
        socket.ends(1006);
        const cut = states();
        socket = await connect({ features: ["presence"] });
        socket.answers("presence", { users: [{ user: "carol", state: "online" }] });
        await settle();
        const again = [shared(socket), states()];
        client.sharePresence(false);
        socket.answers("presence", { users: [] });
        socket.says(push("carol", "away"));
        await settle();
        return [first, listed, later, cut, again, [shared(socket), states()], told];
    """)
    assert first == [["online"], ["unknown"] * 3]
    assert listed == [["away", "offline", "offline"], "2026-11-23T22:31:00.000Z"]
    assert later == ["offline", "offline", "online"]
    assert cut == ["unknown"] * 3
    assert again == [["online"], ["offline", "online", "offline"]]
    assert second == [["online", "off"], ["unknown"] * 3]
    assert stopped == [
        [["bob away", "carol offline"], True], [["dan online"], False], [["bob offline"], False], [["carol online"], True], [[], True]]


async def test_a_hidden_page_shares_that_its_user_is_away():
    said, again = await scripted(SHARING + """
        client.sharePresence();
        client.start();
        let socket = await connect({ features: ["presence"] });
        turn("hidden"); await settle();
        turn("visible"); await settle();
        turn("hidden"); await settle();
        const said = shared(socket);
        Math.random = () => 0;
        socket.ends(1006);
        socket = await connect({ features: ["presence"] });
        return [said, shared(socket)];
    """)
    assert said == ["online", "away", "online", "away"]
    assert again == ["away"]


async def test_presence_is_asked_again_when_the_hub_could_not_answer_and_not_where_it_is_switched_off():
    said, known, without = await scripted(SHARING + """
        client.sharePresence();
        client.start();
        let socket = await connect({ features: ["presence"] });
        socket.says({ re: socket.last("presence").id, error: { code: "rate_limited", message: "x", temporary: true, retryAfterMs: 20 } });
        await settle(100);
        socket.answers("presence", { users: [{ user: "bob", state: "online" }] });
        await settle();
        const known = states();
        const said = shared(socket);
        Math.random = () => 0;
        socket.ends(1006);
        socket = await connect({ features: ["tail"] });
        turn("hidden"); await settle();
        return [said, known, [shared(socket), states()]];
    """)
    assert said == ["online", "online"]
    assert known == ["online", "offline", "offline"]
    assert without == [[], ["unknown"] * 3]
