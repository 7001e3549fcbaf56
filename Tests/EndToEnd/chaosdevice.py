"""One device of the long run: connects, follows, acknowledges, is cut off, and checks what it is sent."""

import asyncio
import json
import random

import websockets

import protocol
from hubclient import SUBPROTOCOL


class Device:
    """One client of one user. Keeps per channel the ids in order of seq; survives every connection."""

    # One line of so many is held against the schema: all of them would cost more than the hub. The other tests check every line.
    CHECKED = 50

    def __init__(self, chaos, user, number):
        self.chaos, self.user, self.number = chaos, user, number
        self.random = random.Random(f"{chaos.scale.seed}/{number}")
        self.channels = {"inbox": [], "broadcast:system": [], f"broadcast:institution:{user.institution}": []}
        self.acked = {}  # channel → greatest seq with a reply
        self.epoch = None
        self.waiting = {}
        self.socket = None
        self.next_id = 0
        self.lines = 0
        self.stop = False
        self.following = set()
        self.connected = asyncio.Event()

    async def run(self):
        while not self.stop:
            try:
                await self._one_connection()
            except (OSError, websockets.WebSocketException, asyncio.TimeoutError, EOFError):
                pass
            finally:
                self.connected.clear()
                self.following = set()
                for future in self.waiting.values():
                    if not future.done():
                        future.set_result(None)
                self.waiting = {}
            self.chaos.statistics.losses += 1
            await asyncio.sleep(self.random.uniform(0.05, 0.8))

    async def _one_connection(self):
        async with asyncio.timeout(30):
            socket = await websockets.connect(
                self.chaos.hub.socket_url, subprotocols=[SUBPROTOCOL], compression="deflate" if self.number % 4 == 0 else None,
                proxy=None, max_size=None, ping_interval=None, open_timeout=20, close_timeout=1)
        self.socket = socket
        self.chaos.statistics.connections += 1
        life = self.random.expovariate(1 / 25) if self.chaos.unrest else 3_600
        helpers = [asyncio.create_task(self._introduce()), asyncio.create_task(self._leave_after(life)), asyncio.create_task(self._acknowledge())]
        try:
            async for text in socket:
                for line in protocol.lines(text):
                    self._hear(line)
        finally:
            for helper in helpers:
                helper.cancel()
            socket.transport.abort()

    async def _introduce(self):
        token = self.chaos.token(self.user)
        channels = [{"channel": name, **self._position(name)} for name in self.channels]
        self.following = set(self.channels)
        welcome = await self.ask("connect", token=token, channels=channels)
        if welcome is None or "error" in welcome:
            return self.socket.transport.abort()
        welcome = welcome["ok"]
        if self.epoch not in (None, welcome["epoch"]):
            self.chaos.expect(self.chaos.restored, f"{self.user.name}: epoch {welcome['epoch']} after {self.epoch}")
            self.chaos.expect(
                {one["channel"]: one["code"] for one in welcome.get("refused", [])} == dict.fromkeys(self.channels, "position_unknown"),
                f"{self.user.name}: {welcome.get('refused')} in another epoch")
            self._forget()
            self.epoch = welcome["epoch"]
            return self.socket.transport.abort()
        self.epoch = welcome["epoch"]
        self.chaos.expect("refused" not in welcome, f"{self.user.name}: {welcome.get('refused')}")
        self.connected.set()
        for state in welcome["channels"]:
            await self.follow(state["channel"])

    def _position(self, channel):
        return {"since": len(self.channels[channel]), **({"epoch": self.epoch} if self.epoch else {})}

    def _forget(self):
        """The numbers of what it has may have been given again."""
        self.channels = {name: [] for name in self.channels}
        self.acked = {}

    async def stop_reading(self, seconds):
        """What it is sent fills the buffers of the connection, if the connection lives so long."""
        if self.socket is None:
            return
        transport = self.socket.transport
        transport.pause_reading()
        await asyncio.sleep(seconds)
        if not transport.is_closing():
            transport.resume_reading()

    async def follow(self, channel):
        if channel in self.following:
            return
        self.following.add(channel)
        self.channels.setdefault(channel, [])
        reply = await self.ask("subscribe", channel=channel, **self._position(channel))
        if reply is None or "error" in reply:
            self.following.discard(channel)
            if reply is not None:
                self.socket.transport.abort()  # come back and try again

    async def _leave_after(self, seconds):
        await asyncio.sleep(seconds)
        if self.random.random() < 0.5:
            self.socket.transport.abort()
        else:
            await self.socket.close()

    async def _acknowledge(self):
        await self.connected.wait()
        while True:
            await asyncio.sleep(self.random.uniform(0.5, 2.5))
            for channel, ids in list(self.channels.items()):
                seq = len(ids)
                if channel not in self.following or seq <= self.acked.get(channel, 0):
                    continue
                reply = await self.ask("ack", channel=channel, seq=seq)
                if reply is not None and "ok" in reply:
                    self.chaos.expect(reply["ok"]["delivered"] >= seq, f"ack {seq} of {channel} answered {reply}")
                    self.acked[channel] = max(seq, self.acked.get(channel, 0))
                    self.chaos.statistics.acks += 1

    async def ask(self, command, **members):
        """The whole reply; None when the connection was lost first."""
        self.next_id += 1
        number = self.next_id
        self.waiting[number] = future = asyncio.get_running_loop().create_future()
        future.command = command
        try:
            await self.socket.send(json.dumps({"id": number, "type": command, **members}))
        except websockets.ConnectionClosed:
            return None
        reply = await future
        if reply is not None and "error" in reply:
            code = reply["error"]["code"]
            self.chaos.statistics.refusals[code] = self.chaos.statistics.refusals.get(code, 0) + 1
        return reply

    def _hear(self, line):
        self.lines += 1
        if "re" in line:
            future = self.waiting.pop(line["re"], None)
            if self.lines % self.CHECKED == 0:
                protocol.check(line, future.command if future else None)
            if future and not future.done():
                future.set_result(line)
            return
        if self.lines % self.CHECKED == 0:
            protocol.check(line)
        if line["type"] == "entry":
            self._entry(line)
        elif line["type"] == "signal" and line["signal"] == "conversation":
            task = asyncio.create_task(self.follow(line["channel"]))
            self.chaos.keep(task)

    def _entry(self, line):
        channel, seq = line["channel"], line["seq"]
        ids = self.channels.get(channel)
        self.chaos.expect(ids is not None, f"{self.user.name} hears {channel}, which it never asked for")
        if line["kind"] == "notification":
            self.chaos.expect(self.user.name in line["data"]["for"] or channel in line["data"]["for"], f"{self.user.name} got what is for {line['data']['for']}")
        else:
            self.chaos.expect(line["sender"] == self.user.name or self.user.name in line["data"]["for"], f"{self.user.name} got a foreign message")
        if seq <= len(ids):
            self.chaos.statistics.again += 1
            self.chaos.expect(ids[seq - 1] == (line.get("sender"), line["id"]), f"{channel} {seq} was another entry before")
        elif seq == len(ids) + 1:
            ids.append((line.get("sender"), line["id"]))
            self.chaos.statistics.entries += 1
        else:
            self.chaos.statistics.gaps += 1
            self.chaos.expect(False, f"{self.user.name}/{self.number}: {channel} jumps from {len(ids)} to {seq}")

    async def send(self, other, key, body):
        """Tries until it is answered; the (channel, seq) it got."""
        while not self.stop:
            await self.connected.wait()
            reply = await self.ask("send", to=other, key=key, body=body, data={"for": [other]})
            if reply is not None and "ok" in reply:
                return reply["ok"]["channel"], reply["ok"]["seq"]
            if reply is not None and not reply["error"]["temporary"]:
                self.chaos.expect(False, f"send refused: {reply}")
                return None
            self.chaos.statistics.repeats += 1
            await asyncio.sleep(self.random.uniform(0.1, 0.6))
        return None
