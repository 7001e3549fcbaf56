"""`make cluster`: three hubs behind a proxy, and the page that shows which of them serves whom."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from browser import Browser
from processes import descendants, hub_program, processes
from protocol import ROOT


class Cluster:
    def __init__(self):
        self.process = subprocess.Popen(
            [ROOT / "scripts" / "cluster", "--listen", "0"], env={**os.environ, "HUB_BIN": str(hub_program())}, stdout=subprocess.PIPE, text=True)
        self.said = ""
        while "ready " not in self.said:
            line = self.process.stdout.readline()
            assert line, f"it ended with {self.process.wait()}: {self.said}"
            self.said += line
        self.url = re.search(r"ready\s+(http://\S+)", self.said)[1]
        self.folder = re.search(r"logs\s+(\S+)", self.said)[1]
        self.family = descendants(self.process.pid)

    def left(self):
        """What is still there of all that it had started, but processes that have ended and wait for their parent."""
        table = processes()
        return [table[pid] for pid in self.family if pid in table and table[pid][2] != "Z"]


@pytest.fixture
def cluster():
    cluster = Cluster()
    try:
        yield cluster
    finally:
        cluster.process.send_signal(signal.SIGINT)
        cluster.process.wait(60)


ROWS = "[...document.querySelectorAll('#clients tr')].map((row) => [...row.children].map((cell) => cell.innerText))"


async def test_the_clients_of_a_killed_node_come_back_on_the_page(cluster):
    browser = await Browser.start()
    try:
        page = await browser.open(cluster.url)
        await page.until(f"document.querySelector('[data-language=en]') && {ROWS}.length === 6", "the page is there")
        await page.click("[data-language=en]")
        await page.until(f"{ROWS}.length === 6 && {ROWS}.every((row) => row[3] === 'connected' && Number(row[4]) >= 2)", "six clients receive", 60)
        rows = await page.evaluate(ROWS)
        assert sorted(row[1] for row in rows) == ["WebSocket", "WebSocket", "event stream", "event stream", "long poll", "long poll"]
        assert {row[6] for row in rows} == {"0"}, "nothing is missing"
        names = await page.evaluate("[...document.querySelectorAll('.node h3')].map((head) => head.innerText)")
        assert len(names) == 3 and {row[2] for row in rows} <= set(names)
        victim = next(row[2] for row in rows if row[1] == "WebSocket")
        await page.click(f"[id='node-{victim}'] button")
        await page.until(f"document.getElementById('node-{victim}').classList.contains('stopped')", "the page shows it")
        newest = max(int(row[5]) for row in rows)
        await page.until(
            f"{ROWS}.every((row) => row[3] === 'connected' && row[6] === '0' && Number(row[5]) >= {newest} + 3)"
            f" && {ROWS}.filter((row) => row[1] === 'WebSocket').every((row) => row[2] !== '{victim}')", "all go on at the others", 60)
        # The node can be started again, and the page speaks French.
        await page.click(f"[id='node-{victim}'] button")
        await page.until(f"!document.getElementById('node-{victim}').classList.contains('stopped')", "it runs again", 60)
        await page.click("[data-language=fr]")
        assert await page.text("#nodes-title") == "Les nœuds"
        # What the killed node left unfinished.
        expected = ("503", "502", "WebSocket", "ERR_INCOMPLETE_CHUNKED_ENCODING")
        assert [error for error in page.errors if not any(word in error for word in expected)] == []
    finally:
        await browser.close()


def test_ctrl_c_ends_everything(cluster):
    assert len(cluster.left()) >= 6, "the script, three hubs, nginx, the services"
    cluster.process.send_signal(signal.SIGINT)
    assert cluster.process.wait(60) == 0
    assert cluster.left() == [] and not os.path.exists(cluster.folder)


def test_what_it_started_ends_with_it_even_when_it_is_killed(cluster):
    cluster.process.kill()
    cluster.process.wait()
    end = time.monotonic() + 60
    while cluster.left():
        assert time.monotonic() < end, cluster.left()
        time.sleep(0.1)
    shutil.rmtree(cluster.folder)


async def test_only_the_page_itself_gets_tokens_and_kills(cluster):
    async def status(*arguments):
        process = await asyncio.create_subprocess_exec("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *arguments, stdout=subprocess.PIPE)
        return (await process.communicate())[0].decode()

    token, kill = f"{cluster.url}/cluster/token?subject=alice", f"{cluster.url}/cluster/kill?node=none"
    assert await status(token) == "200"
    assert await status("-H", "Host: evil.example.org", token) == "403"
    assert await status("-H", "Origin: https://evil.example.org", token) == "403"
    assert await status("-X", "POST", kill) == "403"
    assert await status("-X", "POST", "-H", f"Origin: {cluster.url}", kill) == "404"
    assert await status("--path-as-is", f"{cluster.url}/client/../Makefile") == "404"
