"""web/hub-client.js when its requests reach hubs that do not have its session, in Chromium against scripted requests."""

import pytest

from scripted import scripted

OPEN = """
    Math.random = () => 0;
    const data = (type, frame) => `event: ${type}\\ndata: ${JSON.stringify(frame)}\\n\\n`;
    const open = async (transport) => {
      window.client = makeClient({ transports: [transport], timing: { renewAfterMs: 5, stableAfterMs: 60, firstByteMs: 2000, drainMs: 200 } });
      client.start();
      await settle();
      const request = lastRequest("commands");
      request.replies(welcome(request.said[0].id, { credential: "first", position: "1;i@0", node: "a" }));
      await settle();
      return lastRequest(transport === "poll" ? "poll" : "events");
    };
    const followed = (channel, more) => ({ channel, kind: "inbox", head: 0, subscribed: true, epoch: "e1", ...more });
    /** Answers requests for commands, one after the other as they come, until this command was among them. */
    const answer = async (type, ok) => {
      for (let tries = 0; tries < 400; tries += 1) {
        await settle();
        const request = lastRequest("commands");
        if (request.isAnswered || request.said[0].type === "connect") continue;
        request.isAnswered = true;
        request.replies(...request.said.map((c) => (c.type === type ? { re: c.id, ...ok } : { re: c.id, ok: {} })));
        await settle(10);
        if (request.said.some((c) => c.type === type)) return;
      }
      throw new Error(`no ${type}`);
    };
    const sent = (type) => requests.filter((r) => r.path === "/v1/commands").flatMap((r) => r.said).filter((c) => c.type === type);
    const elsewhere = { error: { code: "session_elsewhere", message: "m", temporary: false } };
"""


async def test_every_request_over_http_has_the_token_and_a_position():
    stream, command = await scripted(OPEN + """
        const stream = await open("eventstream");
        stream.streams();
        await settle();
        return [stream.headers, lastRequest("commands").headers];
    """)
    assert (stream["Authorization"], stream["Hub-Session"], stream["Last-Event-ID"]) == ("Bearer 1", "first", "1;i@0")
    assert (command["Authorization"], command["Hub-Session"]) == ("Bearer 1", "first")


async def test_a_stream_that_another_hub_opened_again_brings_its_credential_and_state():
    nodes, headers, asked, connected = await scripted(OPEN + """
        const stream = await open("eventstream");
        const nodes = [], connected = [];
        client.addEventListener("node", ({ detail }) => nodes.push(detail.node));
        client.addEventListener("connected", ({ detail }) => connected.push(detail.credential));
        client.subscribe("inbox", 0);
        await answer("subscribe", { ok: { channel: "inbox", head: 0, since: 0, epoch: "e1" } });
        client.subscribe("broadcast:system", 3);
        stream.streams();
        stream.says(data("reply", welcome(0, { credential: "second", position: "1;i@0", node: "b", channels: [followed("inbox")] })));
        await settle(20);
        await answer("subscribe", { ok: { channel: "broadcast:system", head: 3, since: 3, epoch: "e1" } });
        const asked = sent("subscribe").map((c) => c.channel);
        client.command("history", { channel: "inbox" }).catch(() => {});
        await settle();
        return [nodes, lastRequest("commands").headers, asked, connected];
    """)
    assert nodes == ["b"] and headers["Hub-Session"] == "second" and connected == [None]
    assert asked == ["inbox", "broadcast:system", "broadcast:system"], "what the new session does not follow is followed again"


@pytest.mark.parametrize("transport", ["eventstream", "poll"])
async def test_a_subscribe_that_does_not_reach_the_session_opens_another_one_with_everything(transport):
    channels, state, entries, sessions, states = await scripted(OPEN + f"""
        const listening = await open("{transport}");
        client.subscribe("inbox", 4);
        await answer("subscribe", {{ ok: {{ channel: "inbox", head: 4, since: 4, epoch: "e1" }} }});
        const subscribed = client.subscribe("broadcast:system", undefined, 2);
        await answer("subscribe", elsewhere);
        await settle(30);
        const posted = requests.findLast((r) => r.path === "/v1/commands" && r.said[0].type === "connect");
        posted.replies(welcome(posted.said[0].id, {{ credential: "second", position: "1;i@4", channels: [followed("inbox", {{ head: 4 }}), followed("broadcast:system", {{ head: 9 }})] }}));
        const state = await subscribed;
        await settle(10);
        const next = lastRequest("{'poll' if transport == 'poll' else 'events'}");
        const frames = [entry(5), entry(8, {{ channel: "broadcast:system" }})];
        if ("{transport}" === "poll") next.answers(200, JSON.stringify({{ after: "1;i@5", events: frames }}));
        else {{ next.streams(); next.says(frames.map((frame) => data("entry", frame)).join("")); }}
        await settle(10);
        return [posted.said[0].channels, state, seqs(), [listening.headers["Hub-Session"], next.headers["Hub-Session"]], states()];
    """)
    assert channels == [{"channel": "inbox", "since": 4, "epoch": "e1"}, {"channel": "broadcast:system", "tail": 2}]
    assert (state["since"], state["head"]) == (7, 9) and entries == [5, 8] and sessions == ["first", "second"]
    assert states == ["connecting", "connected"], "the page is told of no outage"


async def test_polls_that_another_hub_answers_go_on_without_the_session():
    first, second, command, node = await scripted(OPEN + """
        const poll = await open("poll");
        let node = null;
        client.addEventListener("node", ({ detail }) => (node = detail.node));
        client.subscribe("inbox", 0);
        await answer("subscribe", { ok: { channel: "inbox", head: 0, since: 0, epoch: "e1" } });
        const state = { re: 0, ok: { session: "t", user: "u", epoch: "e1", tokenTtlMs: 3600000, pingIntervalMs: 25000, channels: [followed("inbox")] } };
        poll.answers(200, JSON.stringify({ after: "1;i@1;#s1", session: false, node: "b", events: [state, entry(1)] }));
        await settle(10);
        const next = lastRequest("poll");
        client.command("history", { channel: "inbox" }).catch(() => {});
        await settle();
        return [poll, next, lastRequest("commands"), node].map((r) => r?.headers ? { headers: r.headers, body: r.body } : r);
    """)
    assert first["headers"]["Hub-Session"] == "first" and first["body"] == '{"after":"1;i@0"}'
    assert "Hub-Session" not in second["headers"] and second["headers"]["Authorization"] == "Bearer 1"
    assert second["body"] == '{"after":"1;i@1;#s1","channels":[{"channel":"inbox","since":1,"epoch":"e1"}]}'
    assert "Hub-Session" not in command["headers"] and node == "b"


async def test_all_means_what_the_client_has_where_nobody_knows_what_it_was_sent():
    marks, read = await scripted(OPEN + """
        const stream = await open("eventstream");
        client.subscribe("inbox", 0);
        await answer("subscribe", { ok: { channel: "inbox", head: 2, since: 0, epoch: "e1" } });
        stream.streams();
        stream.says(data("entry", entry(1)) + data("entry", entry(2)));
        await settle(10);
        const marked = client.command("mark-read", { channel: "inbox", all: true });
        await answer("mark-read", elsewhere);
        await answer("mark-read", { ok: { channel: "inbox", read: 2 } });
        const marks = sent("mark-read");
        return [marks.map(({ all, upTo }) => ({ all, upTo })), (await marked).read];
    """)
    assert marks == [{"all": True}, {"upTo": 2}] and read == 2


async def test_a_new_token_goes_to_a_new_session_when_the_old_one_is_not_there():
    tokens, sessions = await scripted(OPEN + """
        await (async () => {
          window.client = makeClient({ transports: ["eventstream"], timing: { renewAfterMs: 5, stableAfterMs: 60, firstByteMs: 2000 } });
          client.start();
          await settle();
          const request = lastRequest("commands");
          request.replies(welcome(request.said[0].id, { credential: "first", position: "1", tokenTtlMs: 1334 }));
        })();
        await settle(1100);
        await answer("refresh", elsewhere);
        await settle(30);
        const posted = requests.findLast((r) => r.path === "/v1/commands" && r.said[0].type === "connect");
        posted.replies(welcome(posted.said[0].id, { credential: "second", position: "1" }));
        await settle(10);
        return [requests.flatMap((r) => r.said).filter((c) => c.token).map((c) => [c.type, c.token]), lastRequest("events").headers["Hub-Session"]];
    """)
    assert tokens == [["connect", "1"], ["refresh", "2 fresh"], ["connect", "2 fresh"]] and sessions == "second"
