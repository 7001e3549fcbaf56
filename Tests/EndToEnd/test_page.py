"""The demo page in Chromium, used by mouse and keyboard."""

import asyncio

import pytest

import protocol
from browser import Browser
from rig import OUT, EmbeddedHub

READY = "document.querySelectorAll('.person[data-state=connected][aria-busy=false]').length === "
BOTH_ONLINE = READY + "2"


@pytest.fixture(scope="module")
def fresh():
    """A hub where Alice and Bob have no conversation yet."""
    hub = EmbeddedHub("page")
    try:
        yield hub.start()
    finally:
        hub.wipe()


async def in_browser(hub, body):
    browser = await Browser.start()
    try:
        await body(browser, hub.url.rstrip("/") + "/")
        for page in browser.pages:
            assert page.errors == []
            for direction, text in page.frames:
                for line in protocol.lines(text):
                    if direction == "in":
                        protocol.check(line)
                    else:
                        assert protocol.command_complaint(line) is None
    finally:
        await browser.close()


def badge(person, part="notifications"):
    return f"(e => e.hidden ? '0' : e.querySelector('.badge-number').textContent)(document.querySelector('#{person} .{part} .badge'))"


def last_mark(person):
    return f"[...document.querySelectorAll('#{person} .message.is-mine .mark')].at(-1)?.dataset.mark"


def bubbles(person):
    return f"[...document.querySelectorAll('#{person} .bubble')].map(e => e.textContent)"


async def publish(page, event, recipient):
    await page.choose("[name=event]", event)
    await page.choose("[name=recipient]", recipient)
    await page.click("#publish button")


async def test_two_people_side_by_side(fresh):
    async def body(browser, url):
        page = await browser.open(url + "?lang=fr")
        await page.until(BOTH_ONLINE)
        assert await page.evaluate("document.documentElement.lang") == "fr"

        await publish(page, "peer-review.requested", "user:alice")
        await page.until(f"{badge('alice')} === '1'", "Alice's badge")
        await publish(page, "system.maintenance", "broadcast:system")
        await page.until(f"{badge('alice')} === '2' && {badge('bob')} === '1'", "both badges")
        assert "évaluation" in await page.text("#alice .notification:last-child .notification-title")
        await page.click("#alice .notification:last-child .mark-one")
        await page.until(f"{badge('alice')} === '1'")
        await page.click("#alice .mark-all")
        await page.until(f"{badge('alice')} === '0'")
        assert await page.evaluate("document.querySelectorAll('#alice .notification.is-read').length") == 2
        assert await page.evaluate(badge("bob")) == "1", "what Alice reads is her own business"

        await page.write("#alice .compose input", "Bonjour Bob, as-tu vu ma mise en situation ?")
        await page.until(f"{last_mark('alice')} === 'delivered'", "delivered to Bob")
        await page.until(f"{badge('bob', 'conversation')} === '1'", "an unread message")
        await page.click("#bob .compose input")
        await page.until(f"{last_mark('alice')} === 'read'", "read by Bob")
        await page.call("Input.insertText", text="Oui, je la relis ")
        await page.until("document.querySelector('#alice .typing').textContent.includes('Bob')", "Bob is typing")
        await page.write("#bob .compose input", "ce soir.")
        await page.until(f"{bubbles('alice')}.length === 2 && {bubbles('bob')}.length === 2")
        assert await page.evaluate(bubbles("alice")) == await page.evaluate(bubbles("bob"))
        assert (await page.evaluate(bubbles("alice")))[1] == "Oui, je la relis ce soir."
        await page.point_at("#alice .messages")
        await page.until(f"{last_mark('bob')} === 'read'", "read by Alice")
        await publish(page, "feedback.received", "user:bob")
        await page.until(f"{badge('bob')} !== '0'")
        await page.point_at("h1")
        await page.screenshot(OUT / "demo.png")

        await page.click("[data-language=en]")
        assert await page.evaluate("document.documentElement.lang") == "en"
        assert await page.text("#alice .notification:last-child .notification-title") == "A peer review is waiting for you"
        await page.screenshot(OUT / "demo-en.png")

        anew = await browser.open(url)
        await anew.until(BOTH_ONLINE)
        await anew.until(f"{last_mark('alice')} === 'read' && {last_mark('bob')} === 'read'", "how far the other is, on a page just loaded")

    await in_browser(fresh, body)


async def test_a_cut_connection_resumes_without_a_gap(fresh):
    async def body(browser, url):
        page = await browser.open(url + "?lang=en")
        await page.until(BOTH_ONLINE)
        shown = await page.evaluate("document.querySelectorAll('#bob .notification').length")
        await page.click("#bob .cut")
        await page.until("document.querySelector('#bob').dataset.state === 'stopped'")
        for _ in range(3):
            await publish(page, "activity.deadline", "user:bob")
            await asyncio.sleep(0.2)
        await page.write("#alice .compose input", "Are you there?")
        await page.until(f"{last_mark('alice')} === 'sent'", "sent, not delivered")
        await page.write("#bob .compose input", "Written while offline")
        await page.click("#bob .cut")
        await page.until("document.querySelector('#bob').dataset.state === 'connected'")
        await page.until(f"document.querySelectorAll('#bob .notification').length === {shown + 3}", "what came meanwhile")
        await page.until(f"{bubbles('alice')}.at(-1) === 'Written while offline'", "what was written meanwhile")
        await page.until(f"{bubbles('bob')}.join() === {bubbles('alice')}.join()")

    await in_browser(fresh, body)


async def test_two_windows_and_a_small_screen(fresh):
    async def body(browser, url):
        alice = await browser.open(url + "?as=alice&lang=en", width=420, height=860)
        bob = await browser.open(url + "?as=bob&lang=fr")
        for page in (alice, bob):
            await page.until(READY + "1")
            assert await page.evaluate("document.querySelectorAll('.person').length") == 1
        await alice.write("#alice .compose input", "From another window")
        await bob.until(f"{bubbles('bob')}.at(-1) === 'From another window'")
        assert await alice.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out on a small screen"
        await alice.screenshot(OUT / "demo-small.png")

    await in_browser(fresh, body)


async def test_the_page_survives_the_hub(fresh):
    async def body(browser, url):
        fresh.interrupt()
        port = fresh.address[1]
        fresh._arguments[fresh._arguments.index("--listen") + 1] = f"127.0.0.1:{port}"
        page = browser.pages[0]
        await page.until("document.querySelector('#alice').dataset.state === 'waiting'", "waiting for the hub")
        page.errors.clear()
        fresh.start()
        await page.until(BOTH_ONLINE, "both online again", seconds=40)
        await publish(page, "feedback.received", "user:alice")
        await page.until(f"{badge('alice')} !== '0'")
        page.errors.clear()  # the browser reports every refused connection as an error

    async def opened(browser, url):
        page = await browser.open(url + "?lang=en")
        await page.until(BOTH_ONLINE)
        await body(browser, url)

    await in_browser(fresh, opened)


STICKING_OUT = """
[...document.querySelectorAll("body *")].filter((e) => {
  const box = e.getBoundingClientRect();
  return box.width > 1 && !e.matches(".skip, .visually-hidden, svg *, option") && (box.left < -1 || box.right > innerWidth + 1);
}).map((e) => e.className || e.tagName)
"""


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_nothing_overflows_a_narrow_window(fresh, language):
    async def body(browser, url):
        page = await browser.open(f"{url}?lang={language}", width=360, height=800)
        await page.until(BOTH_ONLINE)
        await publish(page, "peer-review.requested", "user:alice")
        await page.until("document.querySelectorAll('#alice .notification').length > 0")
        await page.write("#alice .compose input", "A sentence that is long enough to be folded in a window as narrow as this one")
        await page.until(f"{bubbles('bob')}.at(-1)?.startsWith('A sentence')")
        assert await page.evaluate(STICKING_OUT) == []
        await page.screenshot(OUT / f"demo-narrow-{language}.png")

    await in_browser(fresh, body)


async def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(fresh):
    async def press(page, key, code, text=None):
        for kind in ("keyDown" if text else "rawKeyDown", "keyUp"):
            await page.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                **({"text": text} if text and kind == "keyDown" else {}))

    async def body(browser, url):
        page = await browser.open(url + "?lang=en")
        await page.call("Page.bringToFront")
        await page.until(BOTH_ONLINE)
        await publish(page, "activity.deadline", "user:alice")
        await page.until(f"{badge('alice')} !== '0'")
        wanted = "[...document.querySelectorAll('a, button:enabled, select, input')]"
        # The first Tab goes on from where the mouse was pressed last: to the end, then once round.
        while await page.evaluate("document.activeElement !== document.body"):
            await press(page, "Tab", 9)
        stops = []
        for _ in range(await page.evaluate(f"{wanted}.length") + 4):
            await press(page, "Tab", 9)
            stop = await page.evaluate(
                f"(e => e === document.body ? null : [{wanted}.indexOf(e), getComputedStyle(e).outlineStyle, parseFloat(getComputedStyle(e).outlineWidth)])"
                "(document.activeElement)")
            if stop is None:
                break
            assert stop[1] == "solid" and stop[2] >= 2, "the focus is seen"
            if stop[0] >= 0:
                stops.append(stop[0])
        assert stops == list(range(len(stops))) and len(stops) == await page.evaluate(f"{wanted}.length")
        # A message, and a notification marked as read, without a mouse.
        await page.evaluate("document.querySelector('#alice .mark-all').focus()")
        await press(page, "Enter", 13, "\r")
        await page.until(f"{badge('alice')} === '0'")
        await page.evaluate("document.querySelector('#alice .compose input').focus()")
        await page.call("Input.insertText", text="By keyboard")
        await press(page, "Tab", 9)
        await press(page, "Enter", 13, "\r")
        await page.until(f"{bubbles('bob')}.at(-1) === 'By keyboard'")

    await in_browser(fresh, body)


async def test_what_has_expired_is_not_shown(fresh):
    async def body(browser, url):
        page = await browser.open(url + "?lang=en")
        await page.until(BOTH_ONLINE)
        titles = "[...document.querySelectorAll('#bob .notification-title')].map(e => e.textContent)"

        async def announce(title, milliseconds):
            await page.evaluate(
                "fetch('/demo/publish', {method: 'POST', body: JSON.stringify({id: crypto.randomUUID(), type: 'test', to: ['user:bob'],"
                f" title: '{title}', expiresAt: new Date(Date.now() + {milliseconds}).toISOString()}})}}).then(a => a.status)")

        await announce("soon over", 4_000)
        await announce("over", -60_000)
        await announce("for long", 3_600_000)
        await page.until(f"{titles}.includes('for long')")
        assert "over" not in await page.evaluate(titles)
        await page.until(f"{titles}.includes('for long') && !{titles}.includes('soon over')")
        again = await browser.open(url + "?lang=en")
        await again.until(BOTH_ONLINE)
        await again.until(f"{titles}.includes('for long')")
        assert await again.evaluate(f"{titles}.filter(t => t.includes('over'))") == []

    await in_browser(fresh, body)


ACCESSIBLE = """
(() => {
  const faults = [];
  const name = (e) => e.getAttribute("aria-label") || (e.labels?.[0]?.innerText ?? "") || e.innerText || e.title;
  for (const e of document.querySelectorAll("button, a, input, select")) if (!name(e)?.trim()) faults.push("no name: " + e.outerHTML.slice(0, 90));
  for (const e of document.querySelectorAll("img")) if (!e.hasAttribute("alt")) faults.push("no alt: " + e.outerHTML);
  for (const tag of ["header", "main", "footer", "h1"]) if (!document.querySelector(tag)) faults.push("no " + tag);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push("id twice: " + id);
  for (const e of document.querySelectorAll("[aria-labelledby]")) if (!document.getElementById(e.getAttribute("aria-labelledby"))) faults.push("labelled by nothing");
  const light = ([r, g, b]) => { const f = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] === 1) return c; } return [255, 255, 255]; };
  for (const e of document.querySelectorAll("h1, h2, h3, p, button, a, label, time, .badge, .bubble, .mark")) {
    if (!e.innerText?.trim() || e.matches(":disabled, .visually-hidden, .skip")) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) faults.push(`contrast ${contrast.toFixed(2)}: ${e.className || e.tagName} ${e.innerText.slice(0, 30)}`);
  }
  return faults;
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_is_accessible(fresh, scheme):
    async def body(browser, url):
        page = await browser.open(url)
        await page.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}])
        await page.until(BOTH_ONLINE)
        await page.until(f"{bubbles('bob')}.length > 0")
        assert await page.evaluate(ACCESSIBLE) == []
        await page.screenshot(OUT / f"demo-{scheme}.png")

    await in_browser(fresh, body)
