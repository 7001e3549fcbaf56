"""Fixtures: one embedded and one standalone hub for the whole run, coroutine tests, and the check of every frame against the schemas."""

import asyncio
import contextlib
import inspect
import os

import pytest

import protocol
from httpclients import TRANSPORTS
from hubclient import Session
from processes import scratch
from rig import OUT, Broker, EmbeddedHub, Issuer, Postgres, StandaloneHub

TEST_SECONDS = 150
# These files take longest. The workers begin with them, so that in the end they do not all wait for one.
LONGEST = (
    "test_debezium.py", "test_avenirs.py", "test_page.py", "test_demo_cdc.py",
    "test_recovery.py", "test_several_hubs.py", "test_browser_transports.py", "test_browser_client.py", "test_browser_ladder.py",
    "test_embedded.py", "test_cluster.py", "test_any_hub.py", "test_source.py")


def pytest_collection_modifyitems(items):
    """The workers take whole files, because fixtures are made once for a file, in this order."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Runs `async def` tests, each in its own event loop, and closes the clients that the test opened."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    limit = None if pyfuncitem.get_closest_marker("chaos") else TEST_SECONDS

    async def whole():
        try:
            async with asyncio.timeout(limit):
                await pyfuncitem.obj(**arguments)
        finally:
            while Session.living:
                Session.living.pop().drop()

    asyncio.run(whole())
    return True


def pytest_generate_tests(metafunc):
    """A test that takes `Client` runs once with the client of each transport, or of those that its marker names."""
    if "Client" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("only_over")
        names = [marker.args[0]] if marker else list(TRANSPORTS)
        metafunc.parametrize("Client", [TRANSPORTS[name] for name in names], ids=names)


@pytest.fixture(scope="session", autouse=True)
def artifacts():
    OUT.mkdir(parents=True, exist_ok=True)
    return OUT


@pytest.fixture(autouse=True)
def every_frame_is_documented():
    """Every line that any client heard in the test obeys docs/reference/schemas."""
    protocol.violations.clear()
    yield
    assert protocol.violations == []


@pytest.fixture(scope="session")
def hub():
    """`hub serve --embedded`, shared by the tests: each test uses its own users."""
    hub = EmbeddedHub()
    try:
        yield hub.start()
    finally:
        hub.wipe()


class Platform:
    """A database, a broker and an issuer that outlive the hub."""

    def __init__(self):
        self.folder = scratch("platform")
        self.issuer = Issuer(self.folder)
        self.database = Postgres()
        self.broker = Broker()
        self.hubs = []

    def hub(self, name="standalone", extra=None, **how):
        # A consumer group of its own, which it keeps over its restarts: the mock broker lets a group's next member wait for up to 16 s.
        extra = {"HUB_KAFKA_GROUP": f"{name}-{len(self.hubs)}", **(extra or {})}
        hub = StandaloneHub(self.database, self.broker, self.issuer, name=name, extra=extra, **how)
        self.hubs.append(hub)
        return hub

    @contextlib.asynccontextmanager
    async def running(self, name, **how):
        """A hub that runs during one test."""
        hub = self.hub(name, **how)
        try:
            yield await asyncio.to_thread(hub.start)
        finally:
            await asyncio.to_thread(hub.stop)

    def wipe(self):
        for hub in self.hubs:
            if hub.process and hub.process.poll() is None:
                hub.kill()
        self.broker.wipe()
        self.database.wipe()


@pytest.fixture(scope="session")
def platform():
    platform = Platform()
    try:
        yield platform
    finally:
        platform.wipe()


ALLOWED_ORIGIN = "https://app.example.org"


@pytest.fixture(scope="module")
def brisk(platform):
    """A hub with short times of the fallbacks, two loops, a small backlog, no bounds on messages, and one allowed origin."""
    hub = platform.hub("brisk", extra={
        "HUB_FALLBACK_HEARTBEAT": "1s", "HUB_FALLBACK_POLL_WAIT": "2s", "HUB_FALLBACK_DETACHED": "4s", "HUB_LIMITS_IDLE": "5s",
        "HUB_WEBSOCKET_ORIGINS": ALLOWED_ORIGIN, "HUB_LOOPS_COUNT": "2", "HUB_AUTH_LEEWAY": "0s",
        # Its tests write faster than people do.
        "HUB_LIMITS_SENDS_PER_SECOND": "0", "HUB_LIMITS_UNANSWERED": "0", "HUB_LIMITS_SENDS_TO_ONE_PER_SECOND": "0",
        "HUB_OUTBOUND_HIGH_WATERMARK_BYTES": "64KiB", "HUB_OUTBOUND_LOW_WATERMARK_BYTES": "16KiB"})
    try:
        yield hub.start()
    finally:
        hub.stop()
