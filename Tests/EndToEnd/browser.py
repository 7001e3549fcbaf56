"""Controls Chromium by its DevTools protocol over a WebSocket, without a driver."""

import asyncio
import base64
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

import websockets


class Browser:
    """A headless Chromium with its own profile, which `close` removes."""

    def __init__(self, process, profile, port):
        self._process = process
        self._profile = profile
        self._port = port
        self.pages = []

    @classmethod
    async def start(cls):
        program = shutil.which("chromium")
        assert program, "Debian's package chromium is needed"
        profile = tempfile.mkdtemp(prefix="hub-e2e-chromium-")
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        process = await asyncio.create_subprocess_exec(
            program, "--headless=new", *sandbox, "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
            "--remote-debugging-port=0", f"--user-data-dir={profile}", "--window-size=1280,1000", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True)
        async with asyncio.timeout(60):
            while True:
                line = (await process.stderr.readline()).decode(errors="replace")
                assert line, "chromium ended before it listened"
                if found := re.search(r"ws://127\.0\.0\.1:(\d+)/", line):
                    break
        drain = asyncio.create_task(process.stderr.read())
        browser = cls(process, profile, int(found[1]))
        browser._drain = drain
        browser._root = await Page.attach(found.string[found.start():].strip())
        return browser

    async def open(self, url, width=1280, height=1000):
        target = (await self._root.call("Target.createTarget", url="about:blank"))["targetId"]
        page = await Page.attach(f"ws://127.0.0.1:{self._port}/devtools/page/{target}")
        self.pages.append(page)
        await page.call("Page.enable")
        await page.call("Runtime.enable")
        await page.call("Log.enable")
        await page.call("Network.enable")
        await page.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        await page.call("Page.navigate", url=url)
        return page

    async def close(self):
        for page in self.pages:
            await page.detach()
        try:
            await self._root.call("Browser.close")
        except Exception:
            pass  # it answers with the end of the connection
        await self._root.detach()
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except asyncio.TimeoutError:
            os.killpg(self._process.pid, 9)
            await self._process.wait()
        self._drain.cancel()
        shutil.rmtree(self._profile, ignore_errors=True)


class Page:
    def __init__(self, socket):
        self._socket = socket
        self._waiting = {}
        self._next = 0
        self.errors = []  # uncaught exceptions, console errors, refused resources
        self.frames = []  # (direction, text) of every WebSocket frame of the page
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def attach(cls, url):
        return cls(await websockets.connect(url, max_size=None, proxy=None, compression=None))

    async def detach(self):
        await self._socket.close()
        self._reader.cancel()

    async def _read(self):
        async for text in self._socket:
            message = json.loads(text)
            if "id" in message:
                future = self._waiting.pop(message["id"])
                if not future.done():
                    future.set_result(message)
                continue
            facts = message.get("params", {})
            match message.get("method"):
                case "Runtime.exceptionThrown":
                    details = facts["exceptionDetails"]
                    self.errors.append(details.get("exception", {}).get("description", details["text"]))
                case "Log.entryAdded" if facts["entry"]["level"] == "error":
                    self.errors.append(f'{facts["entry"]["text"]} {facts["entry"].get("url", "")}')
                case "Network.webSocketFrameReceived":
                    self.frames.append(("in", facts["response"]["payloadData"]))
                case "Network.webSocketFrameSent":
                    self.frames.append(("out", facts["response"]["payloadData"]))

    async def call(self, method, **params):
        self._next += 1
        future = self._waiting[self._next] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({"id": self._next, "method": method, "params": params}))
        answer = await asyncio.wait_for(future, 30)
        assert "error" not in answer, f'{method}: {answer["error"]}'
        return answer["result"]

    async def evaluate(self, expression):
        """The value of a JavaScript expression; a promise is awaited."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"].get("exception", answer)
        return answer["result"].get("value")

    async def until(self, expression, what=None, seconds=20):
        """Waits until the expression is true."""
        try:
            async with asyncio.timeout(seconds):
                while not await self.evaluate(f"Boolean({expression})"):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"never came true: {what or expression}; errors of the page: {self.errors}") from None

    async def text(self, selector):
        return await self.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText")

    async def click(self, selector):
        """Presses the mouse in the element's middle."""
        box = await self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center'}});"
            " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()")
        x, y = box
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def point_at(self, selector):
        x, y = await self.evaluate(
            f"(() => {{ const r = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()")
        await self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    async def write(self, selector, text, enter=True):
        """Types into a field as a person would, and presses Enter."""
        await self.click(selector)
        await self.call("Input.insertText", text=text)
        if enter:
            for kind in ("keyDown", "keyUp"):
                await self.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r" if kind == "keyDown" else "")

    async def choose(self, selector, value):
        await self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.value = {json.dumps(value)};"
            " e.dispatchEvent(new Event('change', {bubbles: true})); })()")

    async def screenshot(self, path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        # Nothing half faded in, and no scrollbar that takes width from the page but not from the picture.
        await self.evaluate(
            "document.getAnimations().filter((one) => one.effect.getTiming().iterations !== Infinity).forEach((one) => one.finish())")
        await self.call("Emulation.setScrollbarsHidden", hidden=True)
        size = (await self.call("Page.getLayoutMetrics"))["cssContentSize"]
        shot = await self.call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=True,
            clip={"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1})
        Path(path).write_bytes(base64.b64decode(shot["data"]))
