"""`make demo-cdc`: a platform's database, Debezium and a hub with rules; psql writes rows, and the demo page shows them."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from browser import Browser
from processes import descendants, hub_program, processes, run
from protocol import ROOT
from rig import OUT

BADGE = "(e => e.hidden ? '0' : e.querySelector('.badge-number').textContent)(document.querySelector('#alice .notifications .badge'))"
TITLES = "[...document.querySelectorAll('#alice .notification-title')].map((one) => one.textContent)"


class Demo:
    def __init__(self):
        self.process = subprocess.Popen(
            [ROOT / "scripts" / "demo-cdc", "--listen", "0"], env={**os.environ, "HUB_BIN": str(hub_program())}, stdout=subprocess.PIPE, text=True)
        self.said = ""
        while "ready " not in self.said:
            line = self.process.stdout.readline()
            assert line, f"it ended with {self.process.wait()}: {self.said}"
            self.said += line
        self.page = re.search(r"ready\s+(http://\S+)", self.said)[1]
        self.folder = re.search(r"logs\s+(\S+)", self.said)[1]
        self.database = re.search(r"psql '(\S+)'", self.said)[1]
        self.statements = re.findall(r"^  (\S.*;)$", self.said, re.M)
        self.family = descendants(self.process.pid)

    async def psql(self, statement):
        await asyncio.to_thread(run, "psql", "-qX", self.database, "-c", statement)

    def left(self):
        """What is still there of all that it had started, but processes that have ended and wait for their parent."""
        table = processes()
        return [table[pid] for pid in self.family if pid in table and table[pid][2] != "Z"]


@pytest.fixture
def demo():
    demo = Demo()
    try:
        yield demo
    finally:
        demo.process.send_signal(signal.SIGINT)
        demo.process.wait(60)


async def test_rows_come_and_go_on_the_page_by_the_statements_that_it_prints(demo):
    insert, finish, delete, open_activity = demo.statements
    browser = await Browser.start()
    try:
        page = await browser.open(demo.page + "&lang=en")
        await page.until("document.querySelectorAll('.person[data-state=connected][aria-busy=false]').length === 1")
        assert await page.evaluate(BADGE) == "0"
        await demo.psql(insert)
        await page.until(f"{BADGE} === '1' && {TITLES}.join() === 'Review requested: Internship report'", "the row is on the page")
        await page.screenshot(OUT / "demo-cdc.png")
        await demo.psql(delete)
        await page.until(f"{BADGE} === '0' && {TITLES}.length === 0", "the deleted row has left the page")
        await demo.psql(insert)
        await page.until(f"{BADGE} === '1'")
        await demo.psql(finish)
        await page.until(f"{BADGE} === '0' && {TITLES}.length === 0", "the finished review has left the page")
        await demo.psql(open_activity)
        await page.until(f"{TITLES}.join() === 'Activity open: Portfolio of the first year'", "everyone sees the activity")
        assert page.errors == []
    finally:
        await browser.close()
    # Ctrl-C ends everything.
    assert len(demo.left()) >= 5, "PostgreSQL, Debezium, the hub and its own PostgreSQL"
    demo.process.send_signal(signal.SIGINT)
    assert await asyncio.to_thread(demo.process.wait, 60) == 0
    assert demo.left() == [] and not os.path.exists(demo.folder)


def test_what_it_started_ends_with_it_even_when_it_is_killed(demo):
    demo.process.kill()
    demo.process.wait()
    end = time.monotonic() + 60
    while demo.left():
        assert time.monotonic() < end, demo.left()
        time.sleep(0.1)
    shutil.rmtree(demo.folder)
