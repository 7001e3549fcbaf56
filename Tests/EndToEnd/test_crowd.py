"""A broadcast reaches every session of every transport, each counted."""

import asyncio
import resource
import uuid

import pytest

from crowd import TRANSPORTS, Crowd
from rig import event, person

pytestmark = pytest.mark.alone
EACH = 300


async def test_one_broadcast_to_hundreds_of_each_transport(platform):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8 * EACH)), hard))
    async with platform.running("crowd") as hub:
        activity = uuid.uuid4().hex[:8]
        channel, wanted = f"broadcast:activity:{activity}", f"crowd-{activity}"
        tokens = [hub.token(person(), channels=[f"activity:{activity}"]) for _ in range(3 * EACH)]
        crowd = Crowd(hub.address, channel, wanted)
        try:
            await crowd.gather(tokens)
            await asyncio.to_thread(hub.kafka.produce, event(channel, id=wanted))
            counted = await crowd.until_all_heard(30)
        finally:
            await crowd.leave()
        assert counted == {transport: {1: EACH} for transport in TRANSPORTS}
