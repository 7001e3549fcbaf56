"""Three hubs, of which one after the other is killed or frozen, and whose bus is cut. Longer, and over each engine, with `make chaos`."""

import pytest

from chaosnodes import NodeChaos, NodeScale, engines
from conftest import Platform
from redisserver import Redis
from test_several_hubs import over


@pytest.mark.alone
@pytest.mark.chaos
@pytest.mark.parametrize("engine", engines())
async def test_no_failure_of_one_of_three_hubs_loses_or_doubles_anything(engine):
    platform, redis = Platform(), Redis() if engine == "redis" else None
    try:
        hubs = [
            platform.hub(f"node-{number}", extra={"HUB_KAFKA_GROUP": "nodes", "HUB_LIMITS_UNANSWERED": "0", **over(engine, redis)})
            for number in range(3)]
        try:
            for hub in hubs:
                hub.start()
                hub.keep_address()
            scale = NodeScale.from_environment()
            cuts = {"redis": (lambda: redis.kill(), lambda: redis.start()), "kafka": (platform.broker.down, platform.broker.up)}
            chaos = NodeChaos(platform, hubs, scale, *cuts.get(engine, (None, None)))
            # The mock broker may forget a group whose sessions timed out while it was away.
            chaos.CUT_SECONDS = 2 if engine == "kafka" else chaos.CUT_SECONDS
            await chaos.run()
        finally:
            for hub in hubs:
                hub.stop()
        print(f"seed {scale.seed}; faults {chaos.faults}; {chaos.statistics}")
        assert chaos.wrong == [], f"CHAOS_SEED={scale.seed}"
        assert chaos.statistics.gaps == 0
        assert set(chaos.faults) == set(scale.faults())
    finally:
        platform.wipe()
        if redis:
            redis.wipe()
