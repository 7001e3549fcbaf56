"""web/hub-client.js in Chromium on every transport of a real hub, through a proxy that breaks them."""

import asyncio
import contextlib
import itertools
import json

import pytest

import protocol
from browser import Browser
from hubclient import Client
from proxy import Proxy
from rig import OUT, EmbeddedHub, event, person

UPGRADE_KILLER = (0.1, 0.5)
NAMES = {"websocket": "/v1/socket", "eventstream": "/v1/events", "poll": "/v1/poll"}
people = (f"browser-{number}" for number in itertools.count())

CLIENT = """
(async () => {{
  const hub = await import("/hub-client.js");
  window.heard = {{ state: [], transport: [], entry: [], frame: [] }};
  window.client = new hub.HubClient({{
    url: `ws://${{location.host}}/v1/socket`,
    getToken: async () => (await (await fetch("/demo/token?subject={user}", {{ cache: "no-store" }})).json()).token,
    timing: {timing},
    {options}
  }});
  for (const type in heard) client.addEventListener(type, ({{ detail }}) => heard[type].push(detail[type] ?? detail.seq ?? [detail.direction, detail.text]));
  client.addEventListener("connected", () => client.follows("inbox") || client.subscribe("inbox", 0).catch(() => {{}}));
  window.publish = async (count) => {{
    for (let n = 0; n < count; n += 1) {{
      const body = JSON.stringify({{ id: crypto.randomUUID(), type: "test", to: ["user:{user}"], title: `${{n}}` }});
      await fetch("/demo/publish", {{ method: "POST", body }});
    }}
  }};
  client.start();
}})()
"""
QUICK = "{ stableAfterMs: 1000, firstByteMs: 1500, climbAfterMs: 1500, climbLongestMs: 1500, drainMs: 1000, activityEveryMs: 500 }"
UNHURRIED = "{ stableAfterMs: 1000, firstByteMs: 1500 }"


@pytest.fixture(scope="module")
def quiet_hub():
    """A hub that disconnects pages after four seconds without activity."""
    hub = EmbeddedHub("idle", settings={"limits.idle": "4s"})
    try:
        yield hub.start()
    finally:
        hub.wipe()


@contextlib.asynccontextmanager
async def behind_a_proxy(hub, timing=QUICK, options="", **faults):
    """A page with a client in it, and the proxy between the page and the hub."""
    async with Proxy(*hub.address) as proxy:
        vars(proxy).update(faults)
        browser = await Browser.start()
        try:
            page = await browser.open(proxy.url + "/livez")
            await page.until("location.pathname === '/livez' && document.readyState === 'complete'")
            await page.evaluate(CLIENT.format(user=next(people), timing=timing, options=options))
            yield proxy, page
            for direction, text in await page.evaluate("heard.frame"):
                # The client shows neither its token nor the credential of its session.
                frame = json.loads(text.replace('"…"', '"eyJhbGciOiJub25lIn0.e30.c2lnbmF0dXJl"'))
                protocol.check(frame) if direction == "in" else protocol.check_command(frame)
        finally:
            await browser.close()


async def received(page, count, what=None):
    """All entries up to the count, in order and each once."""
    await page.until(f"heard.entry.length >= {count}", what)
    assert await page.evaluate("heard.entry") == list(range(1, count + 1))


async def uses(page, transport, seconds=20):
    await page.until(f"client.transport === '{transport}' && client.state === 'connected'", f"on the {transport}", seconds)


async def told_of_no_outage(page):
    states = await page.evaluate("heard.state")
    assert not set(states) & {"waiting", "ended", "idle"}, states


@pytest.mark.parametrize("transport", NAMES)
async def test_every_transport_carries_everything(hub, transport):
    async with behind_a_proxy(hub, options=f'transports: ["{transport}"]') as (proxy, page):
        await uses(page, transport)
        await page.evaluate("publish(3)")
        await received(page, 3)
        state = await page.evaluate("client.command('mark-read', { channel: 'inbox', all: true })")
        assert (state["read"], state["unread"]) == (3, 0)
        assert (await page.evaluate("client.command('history', { channel: 'inbox', limit: 2 })"))["head"] == 3
        sent = await page.evaluate("client.send({ to: 'somebody-else', body: 'Bonjour' })")
        assert sent["seq"] == 1
        refused = "client.command('ack', { channel: 'inbox', seq: 99 }).catch((error) => error.code)"
        assert await page.evaluate(refused) == "not_sent"
        acked = "client.command('subscribe', { channel: 'inbox' }).then((state) => state.delivered)"
        async with asyncio.timeout(10):
            while await page.evaluate(acked) != 3:
                await asyncio.sleep(0.1)
        assert proxy.count(NAMES[transport]) >= 1
        assert {path for _, path in proxy.requests if path in NAMES.values()} == {NAMES[transport]}
        await told_of_no_outage(page)


@pytest.mark.parametrize("transport", NAMES)
async def test_every_transport_resumes_after_a_cut(hub, transport):
    async with behind_a_proxy(hub, options=f'transports: ["{transport}"]') as (proxy, page):
        await uses(page, transport)
        for round in (1, 2, 3):
            await page.evaluate("publish(2)")
            proxy.cut("/v1/socket", "/v1/events", "/v1/poll", "/v1/commands")
            await page.evaluate("publish(2)")
            await received(page, 4 * round)


async def test_a_proxy_that_cuts_upgraded_connections_leads_to_the_event_stream(hub):
    async with behind_a_proxy(hub, timing=UNHURRIED, upgrades_live=UPGRADE_KILLER) as (proxy, page):
        await page.evaluate("publish(2)")
        await uses(page, "eventstream")
        await page.evaluate("publish(2)")
        await received(page, 4)
        await told_of_no_outage(page)
        assert proxy.count("/v1/socket") == 2
        assert await page.evaluate("heard.transport") == ["eventstream"]


async def test_a_proxy_that_also_holds_streams_back_leads_to_long_polls(hub):
    async with behind_a_proxy(hub, timing=UNHURRIED, upgrades_live=UPGRADE_KILLER, holds_streams=True) as (_, page):
        await page.evaluate("publish(2)")
        await uses(page, "poll")
        await page.evaluate("publish(2)")
        await received(page, 4)
        await told_of_no_outage(page)
        assert await page.evaluate("heard.transport") == ["eventstream", "poll"]


@pytest.mark.parametrize("lowest", ["eventstream", "poll"])
async def test_it_climbs_back_without_losing_or_repeating_anything(hub, lowest):
    async with behind_a_proxy(hub, upgrades_live=UPGRADE_KILLER, holds_streams=lowest == "poll") as (proxy, page):
        await uses(page, lowest)
        tries = proxy.count("/v1/socket")
        publishing = asyncio.create_task(page.evaluate("(async () => { for (let n = 0; n < 40; n += 1) { await publish(1); await new Promise((r) => setTimeout(r, 200)); } })()"))
        await page.until("heard.entry.length >= 10")
        async with asyncio.timeout(20):
            while proxy.count("/v1/socket") == tries:
                await asyncio.sleep(0.1)
        assert await page.evaluate("client.transport") == lowest, "a WebSocket that is cut again changes nothing"
        proxy.upgrades_live = None
        await uses(page, "websocket")
        await publishing
        await received(page, 40)
        await told_of_no_outage(page)
        assert (await page.evaluate("heard.transport"))[-2:] == [lowest, "websocket"]
        proxy.cut("/v1/events", "/v1/poll")
        await page.evaluate("publish(1)")
        await received(page, 41)


async def test_from_polls_it_climbs_to_the_stream_when_only_websockets_are_cut(hub):
    async with behind_a_proxy(hub, upgrades_live=UPGRADE_KILLER, holds_streams=True) as (proxy, page):
        await uses(page, "poll")
        await page.evaluate("publish(2)")
        await received(page, 2)
        proxy.holds_streams = False
        await uses(page, "eventstream")
        await page.evaluate("publish(2)")
        await received(page, 4)
        await told_of_no_outage(page)
        assert await page.evaluate("heard.transport") == ["eventstream", "poll", "eventstream"]


async def test_a_hub_that_is_away_is_no_reason_to_leave_the_websocket(hub):
    async with behind_a_proxy(hub) as (proxy, page):
        await uses(page, "websocket")
        await page.evaluate("publish(1)")
        await received(page, 1)
        await asyncio.sleep(1.5)
        proxy.refuses = True
        proxy.cut()
        await page.until("heard.state.filter((state) => state === 'waiting').length >= 3", "an outage")
        proxy.refuses = False
        await uses(page, "websocket", seconds=40)
        await page.evaluate("publish(1)")
        await received(page, 2)


@pytest.mark.parametrize("transport", NAMES)
async def test_who_does_nothing_sleeps_and_comes_back_with_the_first_sign(quiet_hub, transport):
    name = person()
    program = await Client.connect(quiet_hub.socket_url, quiet_hub.token(name), {"inbox": 0})
    quiet_hub.kafka.produce(event(f"user:{name}"), key=name)
    await program.next("entry", seconds=30)  # Kafka is ready
    async with behind_a_proxy(quiet_hub, options=f'transports: ["{transport}"]') as (proxy, page):
        await uses(page, transport)
        await page.evaluate("publish(1)")
        await received(page, 1)
        for _ in range(4):
            await asyncio.sleep(1.5)
            await page.click("body")
        assert await page.evaluate("client.state") == "connected", "a press is a sign"
        await page.until("client.state === 'idle'", "idle")
        await page.evaluate("publish(2)")
        await asyncio.sleep(0.5)
        assert await page.evaluate("client.state") == "idle" and await page.evaluate("heard.entry") == [1]
        await page.click("body")
        await page.until("client.state === 'connected'", seconds=5)
        await received(page, 3)
        assert "waiting" not in await page.evaluate("heard.state")


@pytest.mark.parametrize("language,words", [("fr", "flux d’événements"), ("en", "event stream")])
async def test_the_page_shows_the_transport_in_use(hub, language, words):
    browser = await Browser.start()
    try:
        page = await browser.open(f"{hub.url.rstrip('/')}/?as=alice&lang={language}")
        await page.until("document.querySelector('.connection-transport')?.textContent === 'WebSocket'")
        page = await browser.open(f"{hub.url.rstrip('/')}/?as=alice&lang={language}&transport=eventstream")
        await page.until(f"document.querySelector('.connection-transport')?.textContent === '{words}'")
        await page.screenshot(OUT / f"demo-transport-{language}.png")
        assert page.errors == []
    finally:
        await browser.close()
