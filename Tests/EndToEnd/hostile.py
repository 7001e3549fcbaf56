"""One hostile user, and what the others notice of it.

An attack runs in a process of its own at the lowest priority, because it stands for machines elsewhere. The victims are clients in the test's
process, which do what people do and measure how long it takes.

    python hostile.py ATTACK HOST PORT CHANNEL < tokens    runs one attack until it is killed
"""

import asyncio
import contextlib
import json
import os
import random
import struct
import socket as sockets
import sys
import time
import urllib.request
import uuid
from pathlib import Path

from rawsocket import frame, head

KINDS = ("connect", "ack", "send", "delivery")


# The attacks


class Attacker:
    """Raw sockets with the sessions of one user."""

    def __init__(self, host, port, tokens, channel):
        self.address, self.tokens, self.channel = (host, port), tokens, channel

    async def open(self, reads=True, deflate=False):
        """A connected session. Its replies are read and thrown away, or not read at all."""
        extra = {"Sec_WebSocket_Extensions": "permessage-deflate; server_no_context_takeover"} if deflate else {}
        while True:
            try:
                reader, writer = await asyncio.open_connection(*self.address, limit=1 << 16)
                writer.write(head(**extra))
                await reader.readuntil(b"\r\n\r\n")
                writer.write(frame(1, json.dumps({"id": 0, "type": "connect", "token": self.tokens[0]})))
                await asyncio.wait_for(reader.read(1 << 16), 30)
            except (OSError, EOFError, TimeoutError):
                await asyncio.sleep(0.05)
                continue
            if reads:
                writer.drinker = asyncio.create_task(self._drink(reader, writer))
            else:
                writer.transport.pause_reading()
            return writer

    @staticmethod
    async def _drink(reader, writer):
        with contextlib.suppress(OSError, EOFError):
            while await reader.read(1 << 20):
                pass
        writer.close()

    async def flood(self, count, command, *, batch=32, pause=0.0, reads=True, deflate=False):
        """So many sessions send commands as fast as they are taken, and come back when they are closed."""

        async def one():
            number = 0
            while True:
                writer = await self.open(reads, deflate)
                with contextlib.suppress(OSError):
                    while not writer.is_closing():
                        lines = b""
                        for _ in range(batch):
                            number += 1
                            lines += frame(1, json.dumps({"id": number, **command(number)}))
                        writer.write(lines)
                        await writer.drain()
                        await asyncio.sleep(pause)
                writer.transport.abort()

        await asyncio.gather(*[one() for _ in range(count)])

    async def conversations(self):
        """Opens conversations with invented users, and lists them."""
        await self.flood(4, lambda n: {"type": "open", "with": f"invented-{uuid.uuid4().hex}"} if n % 8 else {
            "type": "conversations", "limit": 1})

    async def history(self):
        """Asks for many pages on many sockets, and breaks the connections."""
        while True:
            writers = await asyncio.gather(*[self.open() for _ in range(50)])
            for writer in writers:
                writer.write(b"".join(
                    frame(1, json.dumps({"id": n, "type": "history", "channel": "inbox", "limit": 100})) for n in range(1, 61)))
            await asyncio.sleep(0.5)
            for writer in writers:
                raw = writer.get_extra_info("socket")
                raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()

    async def deflate(self):
        """Has a megabyte of text that hardly compresses compressed again and again."""
        await self.flood(
            1, lambda n: {"type": "history", "channel": "inbox", "limit": 100}, batch=2, pause=0.02, deflate=True)

    async def unread(self):
        """Asks for pages on many sockets and reads none."""
        writers = []
        for _ in range(150):
            writer = await self.open(reads=False)
            writer.write(b"".join(
                frame(1, json.dumps({"id": n, "type": "history", "channel": "inbox", "limit": 100})) for n in range(1, 7)))
            writers.append(writer)
        await asyncio.Event().wait()

    async def messages(self):
        """Writes to somebody who does not answer."""
        stranger = f"stranger-{uuid.uuid4().hex}"
        await self.flood(4, lambda n: {"type": "send", "to": stranger, "key": uuid.uuid4().hex, "body": "x"})

    async def marks(self):
        """Marks sets of a thousand entries as read and unread."""
        seqs = list(range(1, 100, 2))
        await self.flood(4, lambda n: {"type": ("mark-read", "mark-unread")[n % 2], "channel": "inbox", "seqs": seqs}, batch=8)

    async def refreshes(self):
        """Sends tokens whose signature is wrong."""
        start, _, signature = self.tokens[0].rpartition(".")
        await self.flood(4, lambda n: {
            "type": "refresh", "token": start + "." + "".join(random.sample(signature, len(signature)))}, batch=8)

    async def pings(self):
        """Sends the cheapest command as fast as it can."""
        await self.flood(8, lambda n: {"type": "ping"}, batch=200)

    async def connects(self):
        """Connects and leaves, again and again."""

        async def one():
            while True:
                (await self.open()).transport.abort()

        await asyncio.gather(*[one() for _ in range(16)])

    async def strangers(self):
        """Connects with tokens whose signature is wrong."""
        start, _, signature = self.tokens[0].rpartition(".")

        async def one():
            while True:
                with contextlib.suppress(OSError, EOFError, TimeoutError):
                    reader, writer = await asyncio.open_connection(*self.address, limit=1 << 16)
                    writer.write(head())
                    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
                    for number in range(50):
                        forged = start + "." + "".join(random.sample(signature, len(signature)))
                        writer.write(frame(1, json.dumps({"id": number, "type": "connect", "token": forged})))
                    await asyncio.wait_for(reader.read(), 30)
                    writer.transport.abort()

        await asyncio.gather(*[one() for _ in range(16)])


ATTACKS = ("conversations", "history", "deflate", "unread", "messages", "marks", "refreshes", "pings", "connects", "strangers")


@contextlib.asynccontextmanager
async def attack(name, hub, token, channel="inbox"):
    """Runs an attack meanwhile."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, name, *map(str, hub.address), channel, stdin=asyncio.subprocess.PIPE, cwd=Path(__file__).parent,
        preexec_fn=lambda: os.nice(19))
    process.stdin.write(token.encode() + b"\n")
    await process.stdin.drain()
    process.stdin.close()
    try:
        yield process
        assert process.returncode is None, "the attack has ended by itself"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


# The victims


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


class Victims:
    """Two people who talk with each other, and a third who comes and goes. All is measured in milliseconds."""

    def __init__(self, hub, Client, names):
        self.hub, self.Client = hub, Client
        self.tokens = [hub.token(name) for name in names]
        self.names = names
        self.seq = 0

    async def start(self):
        how = {"validate": False}
        self.writer = await self.Client.connect(self.hub.socket_url, self.tokens[0], **how)
        self.channel = (await self.writer.ask("open", **{"with": self.names[1]}))["channel"]
        self.reader = await self.Client.connect(self.hub.socket_url, self.tokens[1], {self.channel: 0}, **how)
        await self.reader.ask("send", channel=self.channel, key="first", body="yes?")
        self.seq = 1
        return self

    async def measure(self, seconds, pause=0.05):
        """Lists of milliseconds by kind, and the greatest of `/livez` and `/readyz`."""
        taken = {kind: [] for kind in KINDS} | {"health": []}
        end = time.monotonic() + seconds

        @contextlib.contextmanager
        def timed(kind):
            began = time.perf_counter()
            yield
            taken[kind].append((time.perf_counter() - began) * 1_000)

        async def talk():
            while time.monotonic() < end:
                self.seq += 1
                began = time.perf_counter()
                with timed("send"):
                    await self.writer.ask("send", channel=self.channel, key=f"{self.seq}", body="a message of usual length")
                await self.reader.next("entry", channel=self.channel, seq=self.seq)
                taken["delivery"].append((time.perf_counter() - began) * 1_000)
                with timed("ack"):
                    await self.reader.ask("ack", channel=self.channel, seq=self.seq)
                await asyncio.sleep(pause)

        async def come_and_go():
            while time.monotonic() < end:
                with timed("connect"):
                    client = await self.Client.connect(self.hub.socket_url, self.tokens[2], {"inbox": 0}, validate=False)
                client.drop()
                await asyncio.sleep(pause)

        async def look():
            while time.monotonic() < end:
                with timed("health"):
                    for path in ("livez", "readyz"):
                        await asyncio.to_thread(lambda: urllib.request.urlopen(f"{self.hub.url.rstrip('/')}/{path}", timeout=10).read())
                await asyncio.sleep(0.2)

        await asyncio.gather(talk(), come_and_go(), look())
        return taken


def resident_bytes(pid):
    fields = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in fields.splitlines() if line.startswith("VmRSS:"))) * 1024


if __name__ == "__main__":
    _, chosen, host, port, channel = sys.argv
    attacker = Attacker(host, int(port), [line.strip() for line in sys.stdin], channel)
    asyncio.run(getattr(attacker, chosen)())
