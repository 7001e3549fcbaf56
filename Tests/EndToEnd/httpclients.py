"""The same session over HTTP, on the library `httpx`: commands by POST, pushes by an event stream or by polling."""

import asyncio
import json
from urllib.parse import quote, urlencode

import httpx

import protocol
from eventstream import Parser
from hubclient import Client, Lost, Refused, Session

# What one request may carry, as `connect` announces it.
MOST_COMMANDS, MOST_BYTES = 64, 60_000


def base_of(url):
    """The hub's own address from that of its WebSocket."""
    return url.replace("ws", "http", 1).removesuffix("/v1/socket").rstrip("/")


def http(url, **how):
    """A client without proxies of the environment and without limits on connections or waiting."""
    return httpx.AsyncClient(
        base_url=base_of(url), verify=False, trust_env=False, timeout=None,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=8), **how)


def refusal_of(response):
    """The error of a request that was refused as a whole; an undocumented form is recorded as a violation."""
    kind = response.headers.get("content-type", "").partition(";")[0]
    try:
        body = response.json()
        why = protocol.fallback_complaint("refusal", body)
    except ValueError:
        why = "no JSON"
    if kind != "application/json" or why:
        protocol.violations.append(f"a refusal {response.status_code}, {kind}: {why}: {response.text[:300]!r}")
        return {"code": f"http_{response.status_code}", "message": response.text[:300], "temporary": False}
    if response.status_code == 503 and "retry-after" not in response.headers:
        protocol.violations.append("a refusal 503 without Retry-After")
    return body["error"]


def check_poll_answer(answer):
    if (why := protocol.fallback_complaint("poll-answer", answer)) is not None:
        protocol.violations.append(why)


class HTTPClient(Session):
    """Commands go out in order, one request at a time; those that wait meanwhile share the next one."""

    def __init__(self, url, headers=None, origin=None, validate=True):
        super().__init__(validate)
        self.http = http(url, headers={**(headers or {}), **({"Origin": origin} if origin else {})})
        self.credential = None
        self.status = None  # of the last answer to commands
        self._outbox = []
        self._sender = None
        self._reader = None
        self._may_read = asyncio.Event()
        self._may_read.set()

    @classmethod
    async def open(cls, url, *, headers=None, origin=None, validate=True):
        return cls(url, headers, origin, validate)

    @classmethod
    async def resumed(cls, url, credential, position=None, **how):
        """Continues a session that another client has opened."""
        client = await cls.open(url, **how)
        client.credential = credential
        client.begin_reading(position)
        return client

    @property
    def headers(self):
        return {"Hub-Session": self.credential} if self.credential else {}

    # Coming and going

    def drop(self):
        self._stop()
        self.ended.set()

    def _stop(self):
        for task in (self._sender, self._reader):
            if task and task is not asyncio.current_task():
                task.cancel()

    async def close(self):
        self._stop()
        await self.http.aclose()
        self.close_code = 1000
        await self._end()
        return self.close_code

    async def _over(self, code=1006):
        """Marks the session as ended."""
        if self.close_code is None:
            self.close_code = code
        await self._end()

    def pause(self):
        self._may_read.clear()

    def resume(self):
        self._may_read.set()

    def begin_reading(self, position=None):
        self._reader = asyncio.create_task(self._read(position))

    async def _read(self, position):
        raise NotImplementedError

    # Commands

    async def say(self, text):
        if isinstance(text, bytes):
            text = text.decode()
        await self._enqueue(text, MOST_COMMANDS)

    async def _transmit(self, text, commands):
        if self.ended.is_set():
            raise Lost()
        await self._enqueue(text, commands)

    async def _enqueue(self, text, commands):
        self._outbox.append((text, commands))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._empty_outbox())

    async def _empty_outbox(self):
        while self._outbox:
            text, commands = self._outbox.pop(0)
            # Before the session has its credential, nothing may share a request with `connect`.
            while self.credential and self._outbox and commands + self._outbox[0][1] <= MOST_COMMANDS and len(text) < MOST_BYTES // 2:
                more, count = self._outbox[0]
                if len(text) + len(more) > MOST_BYTES:
                    break
                self._outbox.pop(0)
                text, commands = f"{text}\n{more}", commands + count
            await self._post(text)

    async def _post(self, text):
        try:
            response = await self.http.post("/v1/commands", content=text, headers=self.headers)
        except httpx.HTTPError:
            await self._over()
            return
        self.status = response.status_code
        if response.headers.get("content-type", "").partition(";")[0] == "application/x-ndjson":
            for frame in protocol.lines(response.text):
                self._hear(frame)
            await self._tell()
            return
        error = refusal_of(response)
        if response.status_code == 404:
            await self._over()
            return
        asked = {frame.get("id") for frame in _objects(text)} & set(self._asked)
        for number in asked:
            _, answer = self._asked.pop(number)
            if not answer.done():
                answer.set_exception(Refused(error))
        if not asked:
            self.loose_errors.append({"re": None, "error": error})
        await self._tell()

    def _hear(self, frame):
        super()._hear(frame)
        if isinstance(frame.get("ok"), dict) and "credential" in frame["ok"]:
            self._opened(frame["ok"]["credential"])

    def _opened(self, credential):
        if self.credential is None:
            self.credential = credential
            if self._reader is None:
                self.begin_reading()


class EventStreamClient(HTTPClient):
    """`connect` opens the session with the stream itself; `open` and the command `connect` by POST do it in two steps."""

    transport = "eventstream"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.position = None  # the last `id:` line
        self.heartbeats = 0

    @classmethod
    async def connect(cls, url, token, channels=None, *, validate=True, lawful=True, **how):
        client = await cls.open(url, validate=validate, **how)
        client.expect(0, "connect")
        answer = client._asked[0][1]
        query = [("channel", f"{name}@{since}") for name, since in (channels or {}).items()]
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        client._reader = asyncio.create_task(client._read(None, params=query, headers=headers))
        client.welcome = await asyncio.wait_for(answer, 20)
        return client

    async def _read(self, position, params=(), headers=None):
        path = "/v1/events" + ("?" + urlencode(params, quote_via=quote, safe="") if params else "")
        headers = {**self.headers, **(headers or {}), **({"Last-Event-ID": position} if position else {})}
        parser = Parser()
        try:
            async with self.http.stream("GET", path, headers=headers) as response:
                if response.status_code != 200:
                    await response.aread()
                    await self._refused(response)
                    return
                async for data in response.aiter_raw():
                    self.frames += 1
                    for block in parser.feed(data):
                        self._take(block)
                    await self._tell()
                    await self._may_read.wait()
        except httpx.HTTPError:
            pass
        finally:
            await self._over(next((frame["code"] for frame in self.heard[-1:] if frame["type"] == "bye"), 1006))

    async def _refused(self, response):
        error = refusal_of(response)
        self.status = response.status_code
        if 0 in self._asked:
            _, answer = self._asked.pop(0)
            answer.set_exception(Refused(error))

    def _take(self, block):
        if block.id is not None:
            self.position = block.id
        if block.comment is not None:
            self.heartbeats += 1
        if block.data is not None:
            self._hear(block.frame)

    async def quiet(self):
        # The reply comes on another connection than the pushes, which the hub has written before it.
        await self.ask("ping")
        await asyncio.sleep(0.1)


class PollClient(HTTPClient):
    """`connect` opens the session with the first poll; `open` and the command `connect` by POST do it in two steps."""

    transport = "poll"
    wait = None  # as long as the hub allows
    pause_between = 0

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.after = None
        self.answers = 0
        self._alone = asyncio.Event()  # no `quiet` has the reader wait
        self._alone.set()
        self._waiting = None  # the reader's poll while the hub holds it
        self._twice_from = None  # from this index of `heard` on an entry may come in two answers

    @classmethod
    async def connect(cls, url, token, channels=None, *, validate=True, lawful=True, **how):
        client = await cls.open(url, validate=validate, **how)
        client.expect(0, "connect")
        answer = client._asked[0][1]
        await client._poll(cls.members_of_connect(token, channels), wait=None)
        client.welcome = await asyncio.wait_for(answer, 20)
        return client

    async def _read(self, position):
        self.after = position or self.after
        while not self.ended.is_set():
            await self._may_read.wait()
            await self._alone.wait()
            self._waiting = asyncio.ensure_future(self._poll({}, self.wait))
            try:
                await self._waiting
            finally:
                self._waiting.cancel()
            if self.pause_between:
                await asyncio.sleep(self.pause_between)

    async def _poll(self, body, wait):
        if self.after is not None:
            body = {**body, "after": self.after}
        query = {} if wait is None else {"wait": wait}
        try:
            response = await self.http.post(
                "/v1/poll", params=query, content=json.dumps(body) if body else "", headers=self.headers)
        except httpx.HTTPError:
            await self._over()
            return
        if response.status_code != 200:
            error = refusal_of(response)
            self.status = response.status_code
            if 0 in self._asked:
                self._asked.pop(0)[1].set_exception(Refused(error))
            await self._over()
            return
        answer = response.json()
        check_poll_answer(answer)
        self.frames += 1
        self.answers += 1
        self.after = answer["after"]
        for frame in answer["events"]:
            if self._twice_from is None or frame.get("type") != "entry" or frame not in self.heard[self._twice_from:]:
                self._hear(frame)
        await self._tell()
        if answer["events"] and answer["events"][-1].get("type") == "bye":
            await self._over(answer["events"][-1]["code"])

    async def quiet(self):
        """A poll that begins after the reply returns everything from before it, and answers the waiting poll at once."""
        await self.ask("ping")
        if self._reader is None or self.ended.is_set():
            return
        self._alone.clear()
        self._twice_from = len(self.heard)
        try:
            while True:
                await self._poll({}, 0)
                newest = self.after
                if self._waiting is None or (await asyncio.wait([self._waiting], timeout=0.2))[0]:
                    break
            self.after = newest
        finally:
            self._twice_from = None
            self._alone.set()


class ShortPollClient(PollClient):
    """Polls repeatedly, without a wait."""

    transport = "short-poll"
    wait = 0
    pause_between = 0.05


def _objects(text):
    for line in text.split("\n"):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value


TRANSPORTS = {one.transport: one for one in (Client, EventStreamClient, PollClient)}
