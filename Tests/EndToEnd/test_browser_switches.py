"""What web/hub-client.js and the demo page do when operators switch features off, in Chromium."""

import asyncio

from processes import hub_program, run
from rig import EmbeddedHub, event
from scripted import scripted
from test_page import BOTH_ONLINE, bubbles, in_browser

OFF = """
    const told = [];
    client.addEventListener("switched", ({ detail }) => told.push(detail.switched.map(({ feature }) => feature)));
    const off = (feature, more) => ({ feature, mode: "off", text: { fr: "f", en: "e" }, ...more });
    const control = (...switched) => ({ type: "control", switched });
    const refuse = (socket, type) => socket.says({ re: socket.last(type).id, error: { code: "feature_off", message: "m", temporary: true, retryAfterMs: 60000 } });
"""


async def test_a_refused_message_goes_out_under_its_key_when_the_feature_is_on_again():
    told, isOff, keys, again, sent = await scripted(OFF + """
        client.start();
        const socket = await connect({ switched: [off("signals")] });
        socket.says(control(off("direct-messages")));
        const isOff = [client.isOff("direct-messages"), client.isOff("signals"), client.switched.length];
        const sending = client.send({ channel: "conversation:c", body: "b" });
        await settle();
        const first = socket.last("send");
        refuse(socket, "send");
        await settle();
        socket.says(control());
        await settle();
        const second = socket.last("send");
        socket.answers("send", { channel: "conversation:c", seq: 1 });
        return [told, isOff, [first.key === second.key, first.id !== second.id], client.isOff("direct-messages"), (await sending).seq];
    """)
    assert told == [["signals"], ["direct-messages"], []]
    assert isOff == [True, False, 1]
    assert keys == [True, True] and again is False and sent == 1


async def test_presence_is_shared_again_when_it_is_on_again():
    shared, unknown = await scripted(OFF + """
        client.sharePresence();
        client.start();
        const socket = await connect({ features: ["presence"] });
        socket.answers("presence", { users: [{ user: "bob", state: "online" }] });
        await settle();
        socket.says(control(off("presence")));
        const unknown = client.presence("bob").state;
        socket.says(control());
        await settle();
        return [socket.said.filter(({ type }) => type === "presence").length, unknown];
    """)
    assert shared == 2 and unknown == "unknown"


async def test_with_everything_off_it_stays_away_until_the_end_and_reads_by_requests():
    waits, path, token, answer, again = await scripted(OFF + """
        Math.random = () => 0;
        client.start();
        let socket = await connect();
        socket.says(control(off("realtime", { until: new Date(Date.now() + 300).toISOString() })), { type: "bye", code: 4010, reason: "feature_off", reconnect: false, afterMs: 0, spreadMs: 0 });
        socket.ends(4010);
        const waits = heard.filter((h) => h.state === "waiting").map((h) => [h.code, h.reason, h.retryInMs > 100 && h.retryInMs <= 300]);
        const reading = client.command("history", { channel: "inbox" });
        await comes(() => requests.length === 1);
        requests[0].replies({ re: 1, ok: { entries: [], head: 7 } });
        const answer = (await reading).head;
        await comes(() => sockets.length === 2);
        socket = sockets[1];
        socket.opens();
        await comes(() => socket.last("connect"));
        refuse(socket, "connect");
        await settle();
        return [waits, requests[0].path, requests[0].headers.Authorization.startsWith("Bearer "), answer, heard.at(-1).reason];
    """)
    assert waits == [[4010, "feature_off", True]]
    assert path == "/v1/commands" and token is True and answer == 7
    assert again == "feature_off", "it was still off"


async def test_the_users_activity_is_a_reason_to_try_after_a_while():
    early, late = await scripted(OFF + """
        const other = makeClient({ timing: { offActivityMs: 50 } });
        other.start();
        const socket = await connect();
        socket.ends(4010);
        document.dispatchEvent(new Event("pointerdown", { bubbles: true })); window.dispatchEvent(new Event("pointerdown"));
        await settle();
        const early = sockets.length;
        await settle(60);
        for (const type of ["pointerdown", "keydown"]) document.dispatchEvent(new Event(type, { bubbles: true }));
        await comes(() => sockets.length === 2);
        return [early, sockets.length];
    """)
    assert (early, late) == (1, 2)


async def test_the_page_says_so_and_goes_on():
    hub = EmbeddedHub("switched")
    try:
        await asyncio.to_thread(hub.start)

        async def switch(*arguments):
            await asyncio.to_thread(run, hub_program(), *arguments, env={**hub._environment, "HUB_DATABASE_URL": hub.database})

        async def body(browser, url):
            page = await browser.open(url + "?lang=fr")
            await page.until(BOTH_ONLINE)
            notice = "(document.querySelector('#alice .switched:not([hidden]) .switched-text')?.textContent ?? '')"
            compose = "document.querySelector('#alice .compose input').disabled"
            await switch("off", "direct-messages", "--why", "a test", "--for-time", "1h")
            await page.until(f"{notice}.startsWith('L’envoi de messages privés est suspendu. Jusqu’à')", "the notice")
            assert await page.evaluate(compose) is True
            await switch("on", "direct-messages")
            await page.until(f"{notice} === '' && !{compose}", "it is on again")
            await page.write("#alice .compose input", "De retour")
            await page.until(f"{bubbles('bob')}.length === 1", "a message")

            # Everything off for Alice: nothing is pushed, and the inbox can be read.
            await switch("off", "realtime", "--for", "user:alice", "--why", "a test", "--for-time", "8s")
            await page.until("document.querySelector('#alice').dataset.state === 'waiting'", "Alice's session has ended")
            assert await page.evaluate("document.querySelector('#bob').dataset.state") == "connected"
            assert "temps réel est suspendue" in await page.evaluate(notice)
            assert await page.text("#alice .connection-text") == "Suspendu"
            titles = "[...document.querySelectorAll('#alice .notification-title')].map(e => e.textContent)"
            await asyncio.to_thread(hub.kafka.produce, event("user:alice", title="Pendant la pause"))
            async with asyncio.timeout(6):
                while "Pendant la pause" not in await page.evaluate(titles):
                    await page.click("#alice .read-again")
                    await asyncio.sleep(0.3)
            assert await page.evaluate("document.querySelector('#alice').dataset.state") == "waiting"
            await page.until(BOTH_ONLINE + f" && {notice} === ''", "it is on again by itself")
            await asyncio.to_thread(hub.kafka.produce, event("user:alice", title="Après"))
            await page.until(f"{titles}.filter(t => t === 'Après').length === 1", "pushed again")
            assert len(await page.evaluate(titles)) == 2

        await in_browser(hub, body)
    finally:
        hub.wipe()
