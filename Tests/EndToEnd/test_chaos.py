"""Two hundred clients, ten thousand events, messages both ways, and each part fails in every way. Longer with `make chaos`."""

import pytest

from chaos import Chaos, LogReader, Scale
from conftest import Platform


@pytest.mark.alone
@pytest.mark.chaos
async def test_nothing_is_lost_and_nobody_sees_what_is_not_theirs():
    platform = Platform()
    try:
        hub = platform.hub("chaos", extra={"HUB_LOG_LEVEL": "debug"})
        log = LogReader(hub.log)
        try:
            hub.start(errors=log.errors)
            hub.keep_address()
            scale = Scale.from_environment()
            chaos = Chaos(platform, hub, scale, log)
            await chaos.run()
        finally:
            hub.stop()
            log.close()
        print(f"seed {scale.seed}; faults {chaos.faults}; {chaos.statistics}")
        assert chaos.wrong == [], f"CHAOS_SEED={scale.seed}"
        assert chaos.statistics.gaps == 0
        assert set(chaos.faults) == set(scale.faults())
    finally:
        platform.wipe()
