"""Parts that the tests of the fallbacks share: single requests, an event stream read block by block, bytes on a connection."""

import asyncio
import contextlib
import json
import uuid
from urllib.parse import quote, urlencode

import protocol
from eventstream import Parser
from httpclients import check_poll_answer
from httpclients import http as http_client
from httpclients import refusal_of
from hubclient import Client
from rawsocket import RawSocket
from rig import person


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def line(number, kind, **members):
    return json.dumps({"id": number, "type": kind, **members})


@contextlib.asynccontextmanager
async def requests(hub, **how):
    async with http_client(hub.socket_url, **how) as http:
        yield http


async def opened(http, token, channels=None, **how):
    """The `ok` of a session that was opened by a command."""
    response = await http.post("/v1/commands", content=line(1, "connect", **Client.members_of_connect(token, channels)), **how)
    [reply] = protocol.lines(response.text)
    protocol.check(reply, "connect")
    assert response.status_code == 200 and "ok" in reply, response.text
    return reply["ok"]


def session(credential):
    return {"Hub-Session": credential}


async def command(http, credential, kind, **members):
    """The `ok` of one command in a session."""
    response = await http.post("/v1/commands", content=line(1, kind, **members), headers=session(credential))
    assert response.status_code == 200, response.text
    [reply] = protocol.lines(response.text)
    protocol.check(reply, kind)
    return reply["ok"]


async def is_alive(http, credential):
    response = await http.post("/v1/commands", content='{"type":"ping"}', headers=session(credential))
    if response.status_code == 200:
        return True
    assert (response.status_code, refusal_of(response)["code"]) == (404, "session_unknown")
    return False


async def poll(http, credential=None, wait=None, headers=None, **body):
    """Position and frames of one poll."""
    response = await http.post(
        "/v1/poll", params={} if wait is None else {"wait": wait}, content=json.dumps(body) if body else b"",
        headers={**(session(credential) if credential else {}), **(headers or {})})
    assert response.status_code == 200, response.text
    answer = response.json()
    check_poll_answer(answer)
    for frame in answer["events"]:
        protocol.check(frame, "connect" if "re" in frame else None)
    return answer["after"], answer["events"]


def seqs(frames, channel=None):
    return [frame["seq"] for frame in frames if frame.get("type") == "entry" and channel in (None, frame["channel"])]


class Stream:
    """The blocks of one event stream, one after the other."""

    def __init__(self, response):
        self.response = response
        self.position = None
        self.heard = []
        self._parser = Parser()
        self._bytes = response.aiter_raw()
        self._blocks = []
        self._begun = False

    async def block(self, seconds=10):
        """The next block, after the comment that begins every stream; None at the end."""
        block = await self._next(seconds)
        if not self._begun and block is not None and block.comment == "connected":
            block = await self._next(seconds)
        self._begun = True
        return block

    async def _next(self, seconds):
        async with asyncio.timeout(seconds):
            while not self._blocks:
                data = await anext(self._bytes, None)
                if data is None:
                    return None
                self._blocks = self._parser.feed(data)
        block = self._blocks.pop(0)
        if block.id is not None:
            self.position = block.id
        if block.data is not None:
            protocol.check(block.frame, "connect" if block.event == "reply" else None)
            self.heard.append(block.frame)
        return block

    async def frame(self, kind, seconds=10, **members):
        """The next frame of this type with these members; earlier frames are skipped."""
        async with asyncio.timeout(seconds):
            while (block := await self.block(seconds)) is not None:
                if block.event == kind and all(block.frame.get(name) == value for name, value in members.items()):
                    return block.frame
        raise AssertionError(f"the stream ended without {kind} {members}; heard {self.heard}")

    async def id_behind(self, seq, channel):
        """Reads until the position covers this entry, and returns the position."""
        if seq not in seqs(self.heard, channel):
            await self.frame("entry", channel=channel, seq=seq)
        before = self.position
        while self.position == before:
            assert await self.block() is not None
        return self.position

    async def rest(self, seconds=10):
        """Reads to the end, and returns all frames of the stream."""
        while await self.block(seconds) is not None:
            pass
        return self.heard


@contextlib.asynccontextmanager
async def stream(http, query=(), **headers):
    path = "/v1/events" + ("?" + urlencode(query, quote_via=quote, safe="") if query else "")
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.stream("GET", path, headers=headers) as response:
        if response.status_code != 200:
            await response.aread()
        assert response.status_code == 200, response.text
        yield Stream(response)


class Talk:
    """Bob listens over HTTP, alice writes to him from a WebSocket: entries that need no Kafka."""

    @classmethod
    async def begin(cls, hub):
        talk = cls()
        talk.alice, talk.bob = person("alice"), person("bob")
        talk.writer = await Client.connect(hub.socket_url, hub.token(talk.alice))
        talk.channel = (await talk.writer.ask("open", **{"with": talk.bob}))["channel"]
        talk.token = hub.token(talk.bob)
        talk.query = [("channel", f"{talk.channel}@0")]
        talk.channels = {talk.channel: 0}
        return talk

    async def write(self, count, body="Bonjour"):
        answers = [self.writer.begin("send", channel=self.channel, key=uuid.uuid4().hex, body=body) for _ in range(count)]
        return [answer["seq"] for answer in await asyncio.wait_for(asyncio.gather(*answers), 30)]


class RawHTTP(RawSocket):
    """Requests as bytes on one connection."""

    def ask(self, method, path, body=b"", version="1.1", **headers):
        self.send(request(method, path, body, version, **headers))

    async def answer(self, seconds=15):
        """Status, headers and the body, with a Content-Length or in chunks."""
        async with asyncio.timeout(seconds):
            status, headers = await self.head()
            if "chunked" in headers.get("transfer-encoding", ""):
                body = b""
                while chunk := await self.chunk():
                    body += chunk
            elif "content-length" in headers:
                body = await self.reader.readexactly(int(headers["content-length"]))
            elif status in (204, 304) or status < 200:
                body = b""
            else:
                body = await self.reader.read()
            return status, headers, body

    async def head(self):
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = text.split("\r\n")[:-2]
        return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}

    async def chunk(self):
        """The next chunk; empty at the end."""
        size = int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16)
        return (await self.reader.readexactly(size + 2))[:-2]


def request(method, path, body=b"", version="1.1", **headers):
    body = body.encode() if isinstance(body, str) else body
    fields = {"Host": "127.0.0.1", **({"Content-Length": len(body)} if body or method == "POST" else {})}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([f"{method} {path} HTTP/{version}", *lines, "", ""]).encode() + body
