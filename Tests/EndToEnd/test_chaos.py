"""Two hundred clients, ten thousand events, messages both ways, and each part is killed. Longer with `make chaos`."""

import pytest

from chaos import Chaos, Scale
from conftest import Platform


@pytest.mark.chaos
async def test_nothing_is_lost_and_nobody_sees_what_is_not_theirs():
    platform = Platform()
    try:
        hub = platform.hub("chaos").start()
        hub.keep_address()
        scale = Scale.from_environment()
        chaos = Chaos(platform, hub, scale)
        await chaos.run()
        print(f"seed {scale.seed}; faults {chaos.faults}; {chaos.statistics}")
        assert chaos.wrong == [], f"CHAOS_SEED={scale.seed}"
        assert chaos.statistics.gaps == 0
        assert set(chaos.faults) >= {"hub", "database", "broker"}
    finally:
        platform.wipe()
