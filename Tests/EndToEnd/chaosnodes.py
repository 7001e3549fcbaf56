"""The long run over several hubs: users connect to any of them, and hubs are killed, frozen and cut from their bus."""

import asyncio
import os
import time
from dataclasses import dataclass

from chaos import Chaos, Scale


@dataclass
class NodeScale(Scale):
    """How big a run over several hubs is. `CHAOS_MINUTES=20 CHAOS_HUB_KILLS=100` …"""

    clients: int = 120
    users: int = 90
    events: int = 3_000
    messages: int = 600
    hub_kills: int = 5
    freezes: int = 1
    bus_cuts: int = 1
    minutes: float = 0.8

    @staticmethod
    def faults():
        return {"hub": "hub_kills", "freeze": "freezes", "bus": "bus_cuts"}


class AnyHub:
    """Several hubs under one name: each question for the address gives that of one that runs."""

    def __init__(self, hubs, dice):
        self.hubs, self._dice, self.away = hubs, dice, set()

    @property
    def socket_url(self):
        return self._dice.choice([hub for hub in self.hubs if hub not in self.away] or self.hubs).socket_url

    def any(self):
        return self._dice.choice([hub for hub in self.hubs if hub not in self.away])


class NodeChaos(Chaos):
    """One hub at a time fails, and the others take over. `cut` and `mend` cut the bus and bring it back; None: it has no server of its own."""

    # Longer than a hub may stand still: it ends its sessions when it goes on.
    FREEZE_SECONDS = 12
    CUT_SECONDS = 10

    def __init__(self, platform, hubs, scale, cut=None, mend=None):
        super().__init__(platform, None, scale)
        self.hub = AnyHub(hubs, self.random)
        self._cut, self._mend = cut, mend

    async def _break(self):
        kinds = [kind for kind, name in self.scale.faults().items() for _ in range(getattr(self.scale, name))]
        self.random.shuffle(kinds)
        span = self.scale.minutes * 60
        moments = sorted(self.random.uniform(0.05 * span, 0.95 * span) for _ in kinds)
        for moment, kind in zip(moments, kinds):
            await asyncio.sleep(max(0, self.began + moment - time.monotonic()))
            await {"hub": self._kill, "freeze": self._freeze, "bus": self._cut_bus}[kind]()
            self.faults.append(kind)

    async def _kill(self):
        victim = self.hub.any()
        self.log(f"kill -9 of {victim.url}")
        self.hub.away.add(victim)
        victim.kill()
        await self._verify_acks_so_far()
        await asyncio.sleep(self.random.uniform(0, 3))
        await asyncio.to_thread(victim.start)
        self.hub.away.discard(victim)

    async def _freeze(self):
        victim = self.hub.any()
        self.log(f"SIGSTOP of {victim.url}")
        self.hub.away.add(victim)
        with victim.frozen():
            await asyncio.sleep(self.FREEZE_SECONDS)
        self.hub.away.discard(victim)

    async def _cut_bus(self):
        if self._cut is None:
            return
        self.log("the bus is cut")
        await asyncio.to_thread(self._cut)
        await asyncio.sleep(self.CUT_SECONDS)
        await asyncio.to_thread(self._mend)
        self.log("the bus is back")

    async def _restore(self):
        """The run with one hub restores a backup."""


def engines():
    return os.environ.get("CHAOS_BUS", "redis").split(",")
