"""The long run: users connect and leave, services publish, and each part is killed, stopped, locked or slowed. At the end the database is
restored from a backup.

Verified at the end: every durable entry is with every entitled device exactly once and in order, nowhere else; every
acknowledgement that got a reply is in hub.cursor, also looked at after each fault before a hub works again; every message that got a
reply exists exactly once.
"""

import asyncio
import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

from chaosdevice import Device
from rig import TOPIC, event, query


@dataclass
class Scale:
    """How big a run is. `CHAOS_EVENTS=200000 CHAOS_MINUTES=30 …` change it."""

    clients: int = 200
    users: int = 160
    events: int = 10_000
    messages: int = 1_500
    hub_kills: int = 3
    database_stops: int = 1
    broker_stops: int = 1
    # The hub is stopped by SIGSTOP; a table is locked; PostgreSQL is at its limit of transaction ids; nobody reads the log; devices do not read.
    freezes: int = 1
    locks: int = 1
    limits: int = 1
    stalled_logs: int = 1
    slow_readers: int = 1
    minutes: float = 1.2  # over which the events are spread
    settle_seconds: float = 180
    seed: int = 0

    @staticmethod
    def faults():
        """The name of each kind of fault, and the member that holds how many there are."""
        return {
            "hub": "hub_kills", "database": "database_stops", "broker": "broker_stops", "freeze": "freezes", "lock": "locks",
            "limit": "limits", "log": "stalled_logs", "readers": "slow_readers"}

    @classmethod
    def from_environment(cls):
        scale = cls()
        minutes = float(os.environ.get("CHAOS_MINUTES", scale.minutes))
        grown = minutes / scale.minutes
        scale.minutes = minutes
        scale.events, scale.messages = int(scale.events * grown), int(scale.messages * grown)
        for name in scale.faults().values():
            setattr(scale, name, max(1, round(getattr(scale, name) * grown)))
        for name, kind in cls.__annotations__.items():
            if name != "minutes" and (given := os.environ.get("CHAOS_" + name.upper())):
                setattr(scale, name, kind(given))
        scale.seed = scale.seed or random.SystemRandom().randrange(1, 2**32)
        return scale


@dataclass
class Statistics:
    connections: int = 0
    losses: int = 0
    entries: int = 0
    again: int = 0
    gaps: int = 0
    acks: int = 0
    repeats: int = 0
    refusals: dict = field(default_factory=dict)


@dataclass
class User:
    name: str
    institution: str


class LogReader:
    """Reads what the hub writes to its stderr into its log, as a log collector does, through a pipe as small as there is."""

    def __init__(self, path):
        own, self.errors = os.pipe()
        fcntl.fcntl(own, fcntl.F_SETPIPE_SZ, 4_096)
        with path.open("ab") as log:
            self._process = subprocess.Popen(["cat"], stdin=own, stdout=log)
        os.close(own)

    async def stall(self, seconds):
        self._process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self._process.send_signal(signal.SIGCONT)

    def close(self):
        os.close(self.errors)
        self._process.kill()
        self._process.wait()


class Chaos:
    def __init__(self, platform, hub, scale, log=None):
        """`log` reads the stderr of the running hub."""
        self.platform, self.hub, self.scale, self.log_reader = platform, hub, scale, log
        self.random = random.Random(scale.seed)
        self.statistics = Statistics()
        self.faults = []
        self.wrong = []
        self.unrest = True
        self.restored = False
        self._tasks = set()
        self._tokens = {}
        self.users = [User(f"chaos-{i}", f"chaos-u{i % 2}") for i in range(scale.users)]
        self.devices = [Device(self, self.users[i % scale.users], i) for i in range(scale.clients)]
        self.published = {}  # event id → channels as stored
        self.answered = {}  # (sender, key) → (channel, seq)

    def expect(self, truth, otherwise):
        if not truth and len(self.wrong) < 50:
            self.wrong.append(otherwise)

    def keep(self, task):
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def token(self, user):
        if user.name not in self._tokens:
            self._tokens[user.name] = self.platform.issuer.token(user.name, institution=user.institution, ttl=24 * 3_600)
        return self._tokens[user.name]

    def log(self, text):
        print(f"[{time.monotonic() - self.began:6.1f} s] {text}", file=sys.stderr, flush=True)

    # What the services publish

    def _record(self, number):
        dice = self.random.random()
        if dice < 0.95:
            to = [f"user:{user.name}" for user in self.random.sample(self.users, 1 if dice < 0.9 else 3)]
        elif dice < 0.985:
            to = [f"broadcast:institution:chaos-u{self.random.randrange(2)}"]
        else:
            to = ["broadcast:system"]
        identifier = f"chaos-{self.scale.seed}-{number}"
        self.published[identifier] = ["inbox:" + one.removeprefix("user:") if one.startswith("user:") else one for one in to]
        return event(
            *to, id=identifier, title=f"Événement {number}", data={"for": [one.removeprefix("user:") for one in to]},
            priority=self.random.choice(("low", "normal", "high")))

    async def _publish(self, first=0, count=None, pause=None):
        batch = 100
        count = self.scale.events if count is None else count
        pause = self.scale.minutes * 60 / (self.scale.events / batch) if pause is None else pause
        for start in range(first, first + count, batch):
            due = time.monotonic() + pause
            records = [self._record(start + i) for i in range(min(batch, first + count - start))]
            lines = "".join(f"{record['to'][0]}\t{json.dumps(record)}\n" for record in records)
            while True:  # a repeat after a failure is de-duplicated by id
                kcat = await asyncio.create_subprocess_exec(
                    "kcat", "-P", "-b", self.platform.broker.brokers, "-t", TOPIC, "-K", "\t", "-X", "message.timeout.ms=20000",
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
                await kcat.communicate(lines.encode())
                if kcat.returncode == 0:
                    break
            await asyncio.sleep(max(0, due - time.monotonic()))

    async def _write(self):
        """Messages both ways between random pairs."""
        pause = self.scale.minutes * 60 / self.scale.messages
        pairs = [self.random.sample(range(len(self.users)), 2) for _ in range(self.scale.users // 2)]

        async def one(number):
            pair = self.random.choice(pairs)
            sender, receiver = self.random.sample(pair, 2)
            key = f"m-{number}"
            self.answered[self.users[sender].name, key] = None
            answer = await self.devices[sender].send(self.users[receiver].name, key, f"Message {number}")
            self.answered[self.users[sender].name, key] = answer

        sending = []
        for number in range(self.scale.messages):
            sending.append(asyncio.create_task(one(number)))
            await asyncio.sleep(pause)
        await asyncio.gather(*sending)

    # What goes wrong

    async def _break(self):
        kinds = [kind for kind, name in self.scale.faults().items() for _ in range(getattr(self.scale, name))]
        self.random.shuffle(kinds)
        span = self.scale.minutes * 60
        moments = sorted(self.random.uniform(0.05 * span, 0.95 * span) for _ in kinds)
        for moment, kind in zip(moments, kinds):
            await asyncio.sleep(max(0, self.began + moment - time.monotonic()))
            if kind == "hub":
                self.log("kill -9 of the hub")
                self.hub.kill()
                await self._verify_acks_so_far()
                await asyncio.sleep(self.random.uniform(0, 2))
                await asyncio.to_thread(self.hub.start, errors=self.log_reader.errors)
            elif kind == "database":
                self.log("pg_ctl stop -m immediate")
                await asyncio.to_thread(self.platform.database.stop, "immediate")
                await asyncio.sleep(self.random.uniform(0, 3))
                # What it tries again would hide what was lost.
                with self.hub.frozen():
                    await asyncio.to_thread(self.platform.database.start)
                    await self._verify_acks_so_far()
            elif kind == "broker":
                self.log("broker down")
                self.platform.broker.down()
                await asyncio.sleep(self.random.uniform(0.5, 2))  # see StandaloneHub on session.timeout.ms
                self.platform.broker.up()
            elif kind == "freeze":
                self.log("SIGSTOP of the hub")
                with self.hub.frozen():
                    await asyncio.sleep(self.random.uniform(0.5, 3))
            elif kind == "lock":
                await self._lock(self.random.choice(("hub.entry", "hub.channel", "hub.cursor", "hub.member")), self.random.uniform(1, 4))
            elif kind == "limit":
                self.log("no transaction ids are left")
                limit = self.platform.database.without_transaction_ids()
                await asyncio.to_thread(limit.__enter__)
                await asyncio.sleep(self.random.uniform(1, 3))
                await asyncio.to_thread(limit.__exit__, None, None, None)
            elif kind == "log":
                self.log("nobody reads the hub's log")
                # During the faults that follow: a hub that is well writes little.
                self.keep(asyncio.create_task(self.log_reader.stall(self.random.uniform(10, 30))))
            else:
                self.log("devices stop reading")
                slow = self.random.sample(self.devices, len(self.devices) // 10)
                await asyncio.gather(*[device.stop_reading(self.random.uniform(2, 6)) for device in slow])
            self.faults.append(kind)
            self.log(f"{kind} is back")

    async def _lock(self, table, seconds):
        """As a migration of somebody else, or a backup tool, does."""
        self.log(f"lock of {table}")
        statement = f"SET lock_timeout = '20s'; BEGIN; LOCK TABLE {table}; SELECT pg_sleep({seconds:.1f}); COMMIT"
        psql = await asyncio.create_subprocess_exec(
            "psql", "-qX", self.platform.database.url, "-c", statement, stdout=asyncio.subprocess.DEVNULL)
        await psql.wait()

    async def _restore(self):
        """A backup is put back below the running hub. What it lacks are events, which Kafka has; every device begins anew."""
        database = self.platform.database
        self.log("a backup is made")
        await asyncio.to_thread(database.stop)
        saved = await asyncio.to_thread(database.save)
        await asyncio.to_thread(database.start)
        await self._publish(first=self.scale.events, count=500, pause=0.2)
        await self._settle()
        self.log("the backup is restored")
        await asyncio.to_thread(database.stop, "immediate")
        await asyncio.to_thread(database.restore, saved)
        self.restored = True
        epochs = {device.epoch for device in self.devices}
        await asyncio.to_thread(database.start)
        await self._settle(lambda: all(device.epoch not in epochs for device in self.devices))
        self.expect(len(epochs) == 1, f"before the restore the devices have the epochs {epochs}")
        self.expect(len({device.epoch for device in self.devices}) == 1, "after it the devices have one epoch")

    # The run

    async def run(self):
        self.began = time.monotonic()
        self.log(f"seed {self.scale.seed}: {self.scale}")
        running = [asyncio.create_task(device.run()) for device in self.devices]
        try:
            await asyncio.gather(self._publish(), self._write(), self._break())
            self.unrest = False
            self.log(f"all published and written; {self.statistics}")
            await self._settle()
            self._verify()
            await self._restore()
        finally:
            for device in self.devices:
                device.stop = True
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        self._verify()
        self.log(f"verified; {self.statistics}")

    def _stored(self):
        """Channel → [(sender, id)] in order of seq, of what this run made."""
        rows = query(
            self.platform.database.url,
            "SELECT name, seq, sender, source_id FROM hub.entry JOIN hub.channel ON channel.id = channel_id ORDER BY name, seq")
        stored = {}
        for name, seq, sender, identifier in rows:
            stored.setdefault(name, [])
            self.expect(seq == len(stored[name]) + 1, f"{name} has a gap before {seq}")
            stored[name].append((sender, identifier))
        return stored

    def _members(self):
        rows = query(self.platform.database.url, "SELECT name, user_id FROM hub.member JOIN hub.channel ON channel.id = channel_id")
        members = {}
        for name, user in rows:
            members.setdefault(name, set()).add(user)
        return members

    def _entitled(self, user, members):
        shared = {name for name, people in members.items() if user.name in people}
        return {f"inbox:{user.name}", "broadcast:system", f"broadcast:institution:{user.institution}"} | shared

    async def _settle(self, besides=lambda: True):
        """Waits until the store has everything, every device has caught up, and `besides` is so."""
        due = sum(len(channels) for channels in self.published.values()) + len(self.answered)
        end = time.monotonic() + self.scale.settle_seconds
        while time.monotonic() < end:
            await asyncio.sleep(1)
            stored, members = await asyncio.to_thread(lambda: (self._stored(), self._members()))
            have = sum(len(entries) for entries in stored.values())
            behind = sum(
                1 for device in self.devices for name in self._entitled(device.user, members)
                if len(device.channels.get(self._wire(name), [])) < len(stored.get(name, [])))
            if have >= due and behind == 0 and besides():
                return
        self.log(f"did not settle: {have} of {due} entries stored, {behind} (device, channel) behind")

    @staticmethod
    def _wire(name):
        return "inbox" if name.startswith("inbox:") else name

    def _verify(self):
        stored, members = self._stored(), self._members()
        # Everything published and answered is stored, once, where it belongs.
        places = {}
        for name, entries in stored.items():
            for entry in entries:
                places.setdefault(entry, []).append(name)
        for identifier, channels in self.published.items():
            self.expect(sorted(places.get((None, identifier), [])) == sorted(channels), f"{identifier} is in {places.get((None, identifier))}, not {channels}")
        for (sender, key), answer in self.answered.items():
            self.expect(answer is not None, f"{sender} {key} was never answered")
            if answer:
                channel, seq = answer
                self.expect(places.get((sender, key)) == [channel] and stored[channel][seq - 1] == (sender, key), f"{sender} {key} is not at {answer}")
        total = sum(map(len, stored.values()))
        due = sum(len(channels) for channels in self.published.values()) + len(self.answered)
        self.expect(total == due, f"{total} entries stored, {due} made")
        # Every device has every entry of its channels, in order, and nothing else.
        for device in self.devices:
            entitled = self._entitled(device.user, members)
            for name in entitled:
                have, should = device.channels.get(self._wire(name), []), stored.get(name, [])
                self.expect(have == should, f"{device.user.name}/{device.number}: {name}: has {len(have)}, should have {len(should)}")
            foreign = {channel for channel, ids in device.channels.items() if ids} - {self._wire(name) for name in entitled}
            self.expect(not foreign, f"{device.user.name} hears {foreign}")
        self._verify_acks(self._acknowledged())

    def _acknowledged(self):
        """(user, channel as stored, seq) of every acknowledgement that got a reply."""
        return [
            (device.user.name, f"inbox:{device.user.name}" if channel == "inbox" else channel, seq)
            for device in self.devices for channel, seq in device.acked.items()]

    async def _verify_acks_so_far(self):
        """While no hub works: a later acknowledgement would hide a lost one."""
        await asyncio.to_thread(self._verify_acks, self._acknowledged())

    def _verify_acks(self, acknowledged):
        """Every acknowledgement that got a reply is durable."""
        delivered = {
            (user, name): seq for user, name, seq in query(
                self.platform.database.url, "SELECT user_id, name, delivered FROM hub.cursor JOIN hub.channel ON channel.id = channel_id")}
        for user, name, seq in acknowledged:
            have = delivered.get((user, name), 0)
            self.expect(have >= seq, f"{user}: ack {seq} of {name} was answered, hub.cursor has {have}")
