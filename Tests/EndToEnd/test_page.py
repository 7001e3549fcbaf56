"""The demo page in Chromium, used by mouse and keyboard."""

import asyncio
import json

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


def presence(person):
    return f"(e => e.hidden ? '' : e.textContent.trim())(document.querySelector('#{person} .presence'))"


async def test_it_tells_whether_the_other_one_is_there(fresh):
    async def body(browser, url):
        alice = await browser.open(url + "?as=alice&lang=en")
        bob = await browser.open(url + "?as=bob&lang=fr")
        for page in (alice, bob):
            await page.until(READY + "1")
        # Two tabs of one window: only the one in front is before somebody's eyes.
        await bob.call("Page.bringToFront")
        await alice.until(f"{presence('alice')} === 'Bob: Online'", "the words, and for screen readers who it is")
        await bob.until(f"{presence('bob')} === 'Alice : Absent(e)'", "nobody looks at her page")
        await alice.call("Page.bringToFront")
        await bob.until(f"{presence('bob')} === 'Alice : En ligne'")
        await alice.until(f"{presence('alice')} === 'Bob: Away'")
        await alice.click("#alice .cut")
        await bob.until(rf"/^Alice : Dernière visite : \d\d:\d\d/.test({presence('bob')})", "when she was there last")
        await bob.evaluate("document.querySelector('[data-language=en]').click()")
        assert (await bob.evaluate(presence("bob"))).startswith("Alice: Last seen ")
        assert await alice.evaluate(presence("alice")) == "", "without a connection nothing is known"
        await alice.click("#alice .cut")
        await bob.until(f"{presence('bob')} === 'Alice: Online'")
        await alice.until(f"{presence('alice')} === 'Bob: Away'")

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


CUT_OFF = """
[...document.querySelectorAll("body *")].filter((e) => {
  const box = e.getBoundingClientRect();
  if (box.width <= 1 || e.matches(".skip, .visually-hidden, svg *, option") || getComputedStyle(e).clipPath !== "none") return false;
  const card = (e.closest(".person, .platform") ?? document.documentElement).getBoundingClientRect();
  const isClipped = e.matches("button, a, h1, h2, h3") && e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1;
  return box.left < card.left - 1 || box.right > card.right + 1 || isClipped;
}).map((e) => `${e.className || e.tagName} ${Math.round(e.getBoundingClientRect().left)}–${Math.round(e.getBoundingClientRect().right)} of ${Math.round((e.closest(".person, .platform") ?? document.documentElement).getBoundingClientRect().right)}: ${e.innerText}`)
"""


async def faults_for_screen_readers(page):
    """Controls without a name, and lists that are none, as the browser itself tells a screen reader."""
    nodes = [node for node in (await page.call("Accessibility.getFullAXTree"))["nodes"] if not node["ignored"]]
    roles = [node["role"]["value"] for node in nodes]
    nameless = [
        f"a {node['role']['value']} without a name" for node in nodes
        if node["role"]["value"] in ("button", "link", "textbox", "combobox", "log") and not node.get("name", {}).get("value", "").strip()]
    return nameless + [f"{roles.count(role)} of {role}" for role, least in (("list", 4), ("listitem", 4), ("log", 2)) if roles.count(role) < least]


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("width", [320, 360, 768, 1280])
async def test_nothing_is_cut_off_or_without_a_name_at_any_width(fresh, language, width):
    async def body(browser, url):
        page = await browser.open(f"{url}?lang={language}", width=width, height=800)
        await page.call("Emulation.setScrollbarsHidden", hidden=True)
        await page.until(BOTH_ONLINE)
        for recipient in ("user:alice", "user:bob"):
            await publish(page, "peer-review.requested", recipient)
        await page.until("['alice', 'bob'].every((id) => document.querySelectorAll(`#${id} .notification`).length > 0)")
        await page.write("#alice .compose input", "A sentence that is long enough to be folded in a window as narrow as this one")
        await page.until(f"{bubbles('bob')}.at(-1)?.startsWith('A sentence')")
        cut = await page.evaluate(CUT_OFF)
        assert cut == [], "\n".join(cut)
        assert await faults_for_screen_readers(page) == []
        await page.screenshot(OUT / f"demo-{width}-{language}.png")

    await in_browser(fresh, body)


async def talk(page, count, words):
    """So many messages, in turns, as if both wrote them."""
    for number in range(count):
        name = ("alice", "bob")[number % 2]
        await page.evaluate(
            f"(() => {{ const form = document.querySelector('#{name} .compose'); form.elements.body.value = '{words} {number}'; form.requestSubmit(); }})()")
        await page.until(f"document.querySelector('#{name} .message-list .is-mine:last-child .mark')?.dataset.mark !== 'pending'")


async def test_the_conversation_scrolls_inside_its_card_and_older_messages_load(fresh):
    async def body(browser, url):
        page = await browser.open(url + "?lang=en")
        await page.until(BOTH_ONLINE)
        before = await page.evaluate("document.documentElement.scrollHeight")
        await talk(page, 70, "Line")
        await page.until(f"{bubbles('bob')}.at(-1) === 'Line 69' && {bubbles('alice')}.at(-1) === 'Line 69'")
        assert await page.evaluate("document.documentElement.scrollHeight") == before, "the page does not grow with the conversation"
        geometry = "(e => [e.scrollHeight > e.clientHeight, e.scrollHeight - e.scrollTop - e.clientHeight < 2])(document.querySelector('#bob .messages'))"
        assert await page.evaluate(geometry) == [True, True], "it scrolls, and its end is shown"

        page = await browser.open(url + "?lang=en&as=alice")
        await page.until(READY + "1")
        await page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
        await page.until(f"{bubbles('alice')}.length === 50")
        top = "(e => e.getBoundingClientRect().top)([...document.querySelectorAll('#alice .message')].find(e => e.textContent.includes('Line 20')))"
        await page.evaluate("document.querySelector('#alice .messages').scrollTop = 10")
        was = await page.evaluate(top)
        await page.until(f"{bubbles('alice')}.includes('Line 0')", "older messages")
        assert abs(await page.evaluate(top) - was) < 3, "what was read stays where it was"
        lines = [line for line in await page.evaluate(bubbles("alice")) if line.startswith("Line")]
        assert lines == [f"Line {number}" for number in range(70)]

        bob = await browser.open(url + "?lang=en&as=bob")
        await bob.until(READY + "1")
        place = await page.evaluate("document.querySelector('#alice .messages').scrollTop")
        await bob.write("#bob .compose input", "While you read the past")
        await page.until("!document.querySelector('#alice .newer').hidden", "told of a new message")
        assert await page.evaluate("document.querySelector('#alice .messages').scrollTop") == place
        await page.screenshot(OUT / "demo-older.png")
        await page.click("#alice .newer")
        await page.until("document.querySelector('#alice .newer').hidden")
        assert await page.evaluate(geometry.replace("bob", "alice")) == [True, True]

    await in_browser(fresh, body)


async def test_older_messages_load_by_keyboard(fresh):
    async def body(browser, url):
        page = await browser.open(url + "?lang=en")
        await page.until(BOTH_ONLINE)
        await talk(page, 60, "Long ago")
        page = await browser.open(url + "?lang=en&as=alice")
        await page.call("Page.bringToFront")
        await page.until(READY + "1")
        await page.until(f"{bubbles('alice')}.length === 50 && !document.querySelector('#alice .older').hidden")
        assert await page.text("#alice .older") == "Earlier messages"
        await page.evaluate("document.querySelector('#alice .older').focus({ preventScroll: true })")
        await press(page, "Enter", 13, "\r")
        await page.until(f"{bubbles('alice')}.length > 50")
        while await page.evaluate("!document.querySelector('#alice .older').hidden"):
            await page.evaluate("document.querySelector('#alice .older').click()")
            await asyncio.sleep(0.1)
        assert await page.evaluate("document.activeElement === document.querySelector('#alice .messages')"), "the focus is not lost with the button"

    await in_browser(fresh, body)


async def announce(page, title, recipient="user:bob", expires_in=None, **members):
    """Publishes an event of one's own; `expires_in` is in milliseconds."""
    expiry = "" if expires_in is None else f", expiresAt: new Date(Date.now() + {expires_in}).toISOString()"
    fields = json.dumps({"type": "test", "to": [recipient], "title": title, **members})
    status = await page.evaluate(
        f"fetch('/demo/publish', {{method: 'POST', body: JSON.stringify({{id: crypto.randomUUID(), ...{fields}{expiry}}})}}).then(a => a.status)")
    assert status == 202


def notification(person, title):
    return f"([...document.querySelectorAll('#{person} .notification')].find(e => e.querySelector('.notification-title').textContent === '{title}'))"


async def test_a_link_opens_a_page_and_nothing_else(fresh):
    async def body(browser, url):
        page = await browser.open(url + "?lang=en")
        await page.until(BOTH_ONLINE)
        await announce(page, "elsewhere", link="https://example.org/reviews/1")
        await announce(page, "here", link="/reviews/2")
        await announce(page, "no link")
        await page.until(" && ".join(notification("bob", title) for title in ("elsewhere", "here", "no link")))
        link = "(e => e && [e.href, e.target, e.rel, e.getAttribute('aria-label')])(%s.querySelector('a'))"
        assert await page.evaluate(link % notification("bob", "elsewhere")) == [
            "https://example.org/reviews/1", "_blank", "noopener noreferrer", "Open: elsewhere (new tab)"]
        assert (await page.evaluate(link % notification("bob", "here")))[0] == url + "reviews/2"
        assert await page.evaluate(link % notification("bob", "no link")) is None
        # The hub refuses other schemes too; the page does not rely on it.
        links = ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "http://[", ""]
        safe = f"import('/demo-notifications.js').then(({{ safeLink }}) => {json.dumps(links)}.map(safeLink))"
        assert await page.evaluate(safe) == [None] * len(links)
        click = "(e => { e.addEventListener('click', (click) => click.preventDefault()); e.click(); })(%s.querySelector('a'))"
        await page.evaluate(click % notification("bob", "elsewhere"))
        await page.until(f"{notification('bob', 'elsewhere')}.classList.contains('is-read')", "who opens it has read it")

    await in_browser(fresh, body)


async def with_nothing_unread(browser, url):
    page = await browser.open(url + "?lang=en&as=bob")
    await page.call("Page.bringToFront")
    await page.until(READY + "1")
    await page.evaluate("document.querySelector('#bob .mark-all').click()")
    await page.until(f"{badge('bob')} === '0'")
    return page


async def test_priority_and_collapse_show(fresh):
    async def body(browser, url):
        page = await with_nothing_unread(browser, url)
        for title, priority in (("low", "low"), ("usual", "normal"), ("high", "high"), ("critical", "critical")):
            await announce(page, title, priority=priority)
        for title in ("first", "second", "third"):
            await announce(page, title, collapse="document-1")
            await page.until(notification("bob", title))
        await announce(page, "another", collapse="document-2")
        await page.until(notification("bob", "another"))
        shown = "(e => e && (e.hidden ? '' : e.textContent))(%s.querySelector('.notification-%s'))"
        priorities = [await page.evaluate(shown % (notification("bob", title), "priority")) for title in ("low", "usual", "high", "critical")]
        assert priorities == ["", "", "Important", "Urgent"]
        assert [await page.evaluate(f"Boolean({notification('bob', title)})") for title in ("first", "second", "third")] == [False, False, True]
        assert await page.evaluate(shown % (notification("bob", "third"), "replaced")) == "replaces 2 versions"
        assert await page.evaluate(shown % (notification("bob", "another"), "replaced")) == ""
        for title in ("low", "usual", "high", "critical", "another", "third"):
            await page.evaluate(f"{notification('bob', title)}.querySelector('.mark-one').click()")
        await page.until(f"{badge('bob')} === '0'", "what an entry replaces is read with it")

    await in_browser(fresh, body)


async def test_the_focus_stays_near_what_was_marked(fresh):
    async def body(browser, url):
        page = await with_nothing_unread(browser, url)
        for title in ("below", "middle", "above"):
            await announce(page, title)
            await page.until(notification("bob", title))
        focused = "document.activeElement.closest('.notification')?.querySelector('.notification-title').textContent ?? document.activeElement.tagName"
        await page.evaluate(f"{notification('bob', 'above')}.querySelector('.mark-one').focus()")
        for title, then in (("above", "middle"), ("middle", "below"), ("below", "H3")):
            assert await page.evaluate(focused) == title
            await press(page, "Enter", 13, "\r")
            await page.until(f"{notification('bob', title)}.classList.contains('is-read')")
            assert await page.evaluate(focused) == then
        await announce(page, "one more")
        await page.until(f"{badge('bob')} === '1'")
        await page.evaluate("document.querySelector('#bob .mark-all').focus()")
        await press(page, "Enter", 13, "\r")
        await page.until(f"{badge('bob')} === '0'")
        assert await page.evaluate(focused) == "H3"

    await in_browser(fresh, body)


async def press(page, key, code, text=None):
    for kind in ("keyDown" if text else "rawKeyDown", "keyUp"):
        await page.call(
            "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
            **({"text": text} if text and kind == "keyDown" else {}))


async def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(fresh):
    async def body(browser, url):
        page = await browser.open(url + "?lang=en")
        await page.call("Page.bringToFront")
        await page.until(BOTH_ONLINE)
        await publish(page, "activity.deadline", "user:alice")
        await page.until(f"{badge('alice')} !== '0'")
        wanted = "[...document.querySelectorAll('a, button:enabled, select, input')].filter((e) => e.checkVisibility())"
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

        await announce(page, "soon over", expires_in=4_000)
        await announce(page, "over", expires_in=-60_000)
        await announce(page, "for long", expires_in=3_600_000)
        await page.until(f"{titles}.includes('for long')")
        assert "over" not in await page.evaluate(titles)
        await page.until(f"{titles}.includes('for long') && !{titles}.includes('soon over')")
        again = await browser.open(url + "?lang=en")
        await again.until(BOTH_ONLINE)
        await again.until(f"{titles}.includes('for long')")
        assert await again.evaluate(f"{titles}.filter(t => t.includes('over'))") == []

    await in_browser(fresh, body)


async def test_what_the_platform_takes_back_leaves_the_list_and_the_badge(fresh):
    async def body(browser, url):
        page = await browser.open(url + "?lang=en")
        await page.until(BOTH_ONLINE)
        titles = "[...document.querySelectorAll('#bob .notification-title')].map(e => e.textContent)"
        before = int(await page.evaluate(badge("bob")))
        await announce(page, "a mistake", id="mistake")
        await page.until(f"{titles}.includes('a mistake') && {badge('bob')} === '{before + 1}'")
        fresh.kafka.produce({"to": "user:bob", "retract": {"id": "mistake"}})
        await page.until(f"!{titles}.includes('a mistake') && {badge('bob')} === '{before}'")
        again = await browser.open(url + "?lang=en")
        await again.until(BOTH_ONLINE)
        await again.until(f"{badge('bob')} === '{before}'")
        assert "a mistake" not in await again.evaluate(titles)

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
        await page.screenshot(OUT / f"demo-{scheme}.png")
        # Also what is shown only while an operator has switched the page off. What is not rendered has no colours of the scheme.
        await page.evaluate("document.querySelectorAll('.read-again').forEach((one) => { one.hidden = false; })")
        assert await page.evaluate(ACCESSIBLE) == []

    await in_browser(fresh, body)


# The last one: what expires meanwhile would change the pages of the others.
async def test_the_time_until_expiry_counts_down(fresh):
    async def body(browser, url):
        page = await browser.open(url + "?lang=en&as=bob")
        await page.until(READY + "1")
        for title, milliseconds in (("hours", 2 * 3_600_000 + 90_000), ("days", 3 * 86_400_000 + 60_000), ("seconds", 68_000)):
            await announce(page, title, expires_in=milliseconds)
        await page.until(" && ".join(notification("bob", title) for title in ("seconds", "hours", "days")))
        left = "%s.querySelector('.notification-expiry').textContent"
        assert await page.evaluate(left % notification("bob", "hours")) == "expires in 2 h 01"
        assert await page.evaluate(left % notification("bob", "days")) == "expires in 3 days"
        seconds = left % notification("bob", "seconds")
        await page.until(f"{seconds} === 'expires in 1:02'", seconds=10)
        await page.until(f"{seconds} === 'expires in 0:59'", seconds=10)

    await in_browser(fresh, body)
