"""Many sessions of every transport and one broadcast, every delivery counted. Also a program of its own:

    python crowd.py URL COUNT CHANNEL ID < tokens

opens COUNT sessions of each transport, prints "open", and then how often each heard the entry with this id.

Each session is a socket and a few strings, so that thousands fit into one process.
"""

import asyncio
import json
import sys
from collections import Counter
from urllib.parse import quote

from rawsocket import frame, head

TRANSPORTS = ("websocket", "eventstream", "poll")


class Member:
    """One session that waits for the entry with this id."""

    def __init__(self, address, token, channel, wanted):
        self.address, self.token, self.channel, self.wanted = address, token, channel, wanted.encode()
        self.open = asyncio.get_running_loop().create_future()
        self.heard = 0

    async def run(self, transport):
        self.reader, self.writer = await asyncio.open_connection(*self.address, limit=1 << 20)
        try:
            await getattr(self, transport)()
        except Exception as error:  # one that fails shall not end the others; it is counted as deaf
            if not self.open.done():
                self.open.set_exception(error)
        finally:
            self.writer.close()

    def _count(self, data):
        self.heard += data.count(b'"id":"' + self.wanted + b'"')

    def _ready(self, data):
        if b'"signal":"live"' in data and not self.open.done():
            self.open.set_result(None)

    def _ask(self, method, path, body=b"", **headers):
        lines = [f"{method} {path} HTTP/1.1", "Host: hub", f"Content-Length: {len(body)}", *[f"{k.replace('_', '-')}: {v}" for k, v in headers.items()]]
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    async def _head(self, status):
        text = await self.reader.readuntil(b"\r\n\r\n")
        assert text.startswith(b"HTTP/1.1 %d" % status), text
        return text.lower()

    async def websocket(self):
        self.writer.write(head())
        await self._head(101)
        connect = {"id": 1, "type": "connect", "token": self.token, "channels": [{"channel": self.channel, "since": 0}]}
        self.writer.write(frame(1, json.dumps(connect)))
        while data := await self.reader.read(65_536):
            self._ready(data)
            self._count(data)

    async def eventstream(self):
        self._ask("GET", f"/v1/events?channel={quote(self.channel, safe='')}%400", Authorization=f"Bearer {self.token}")
        await self._head(200)
        while data := await self.reader.read(65_536):
            self._ready(data)
            self._count(data)

    async def poll(self):
        body, credential = {"token": self.token, "channels": [{"channel": self.channel, "since": 0}]}, None
        while True:
            self._ask("POST", "/v1/poll", json.dumps(body).encode(), **({"Hub_Session": credential} if credential else {}))
            size = (await self._head(200)).split(b"content-length: ")[1].split(b"\r\n")[0]
            data = await self.reader.readexactly(int(size))
            answer = json.loads(data)
            if credential is None:
                credential = answer["events"][0]["ok"]["credential"]
            body = {"after": answer["after"]}
            self._ready(data)
            self._count(data)


class Crowd:
    def __init__(self, address, channel, wanted):
        self._how = address, channel, wanted
        self.members = []
        self._running = []

    async def gather(self, tokens, transports=TRANSPORTS, together=50):
        """One session a token of each transport in turn; returns when all are live."""
        address, channel, wanted = self._how
        gate = asyncio.Semaphore(together)

        async def one(transport, token):
            async with gate:
                member = Member(address, token, channel, wanted)
                self.members.append((transport, member))
                self._running.append(asyncio.create_task(member.run(transport)))
                await asyncio.wait_for(member.open, 60)

        await asyncio.gather(*[one(transports[number % len(transports)], token) for number, token in enumerate(tokens)])

    def heard(self):
        """How often each transport heard it: {transport: Counter({times: sessions})}."""
        counted = {}
        for transport, member in self.members:
            counted.setdefault(transport, Counter())[member.heard] += 1
        return counted

    async def until_all_heard(self, seconds):
        try:
            async with asyncio.timeout(seconds):
                while any(member.heard == 0 for _, member in self.members):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pass
        await asyncio.sleep(0.5)  # for what should not come twice
        return self.heard()

    async def leave(self):
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


async def main(url, count, channel, wanted):
    host, _, port = url.removeprefix("http://").rstrip("/").rpartition(":")
    tokens = [line.strip() for line in sys.stdin if line.strip()]
    crowd = Crowd((host, int(port)), channel, wanted)
    await crowd.gather((tokens * (3 * count // len(tokens) + 1))[:3 * count])
    print("open", flush=True)
    print(json.dumps({transport: dict(times) for transport, times in (await crowd.until_all_heard(120)).items()}), flush=True)
    await crowd.leave()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]))
