"""Makes the picture of the README: `HUB_BIN=… python picture.py FILE`, or `make picture`."""

import asyncio
import sys

from browser import Browser
from rig import EmbeddedHub

EVENTS = [
    ("feedback.received", "user:bob"), ("instructions.updated", "user:bob"), ("peer-review.requested", "user:alice"), ("instructions.updated", "user:bob"),
    ("system.maintenance", "broadcast:system"), ("workshop.seat", "user:alice")]
WORDS = [
    ("alice", "Hello Bob, have you seen my activity?"), ("bob", "Yes, I am reading it."), ("bob", "You will have my review tonight."),
    ("alice", "Thank you! No hurry.")]


async def main(file):
    hub = EmbeddedHub("picture").start()
    browser = await Browser.start()
    try:
        page = await browser.open(hub.url.rstrip("/") + "/?lang=en", height=1100)
        await page.call("Emulation.setScrollbarsHidden", hidden=True)
        await page.until("document.querySelectorAll('.person[data-state=connected][aria-busy=false]').length === 2")
        for number, (event, recipient) in enumerate(EVENTS):
            await page.choose("[name=event]", event)
            await page.choose("[name=recipient]", recipient)
            await page.click("#publish button")
            if recipient != "user:bob":
                await page.until(f"document.querySelectorAll('#alice .notification').length > {[r for _, r in EVENTS[:number]].count('user:alice')}")
        await page.until("document.querySelector('#bob .notification-replaced:not([hidden])') && document.querySelector('#alice .notification-expiry:not([hidden])')")
        await page.click("#bob .notification:last-child .mark-one")
        for name, words in WORDS:
            await page.write(f"#{name} .compose input", words)
            await page.until(f"[...document.querySelectorAll('.bubble')].filter(e => e.textContent === {words!r}).length === 2")
        await page.click("#bob .compose input")
        await page.until("[...document.querySelectorAll('.mark')].filter(e => e.dataset.mark).every(e => e.dataset.mark === 'read')")
        await page.evaluate("document.activeElement.blur(); document.querySelectorAll('.notification-list').forEach(e => e.scrollTop = 0)")
        await page.point_at("h1")
        await page.screenshot(file)
    finally:
        await browser.close()
        hub.wipe()


asyncio.run(main(sys.argv[1]))
