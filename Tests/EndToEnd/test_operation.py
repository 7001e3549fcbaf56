"""What an operator relies on: the log, readiness, and an end that comes whatever hangs."""

import asyncio
import contextlib
import ctypes
import os
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path

import psycopg
import pytest

from hubclient import Client
from rig import event, free_port, person


def answer_of(hub, path, seconds=10):
    try:
        with urllib.request.urlopen(hub.url + path, timeout=seconds) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def metric(hub, name):
    return next(float(line.split()[-1]) for line in answer_of(hub, "/metrics")[1].splitlines() if line.startswith(name))


class UnreadPipe:
    """A full pipe, as a log collector leaves behind that has stopped reading."""

    def __init__(self):
        self.reading, self.writing = os.pipe()
        self.fill()

    def fill(self):
        # A descriptor of its own, because the hub must find its own to be one that waits.
        filling = os.open(f"/proc/self/fd/{self.writing}", os.O_WRONLY | os.O_NONBLOCK)
        try:
            for size in (65_536, 1):
                while True:
                    os.write(filling, b"\n" * size)
        except BlockingIOError:
            pass
        finally:
            os.close(filling)

    def read(self):
        return os.read(self.reading, 1 << 20).decode()

    def close(self):
        os.close(self.reading)
        os.close(self.writing)


async def test_a_log_that_nobody_reads_holds_nothing_up(platform):
    pipe = UnreadPipe()
    hub = platform.hub("log-unread")
    try:
        await asyncio.to_thread(hub.start, errors=pipe.writing)
        name = person()
        client = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
        async with asyncio.timeout(110):
            while metric(hub, "hub_log_lines_dropped_total") == 0:
                for _ in range(200):
                    hub.process.send_signal(signal.SIGHUP)  # a line of the main thread each
                    await asyncio.sleep(0.0002)
                await asyncio.to_thread(platform.broker.produce, *["rubbish"] * 100)  # lines of the intake
        platform.broker.produce(event(f"user:{name}"), key=name)
        assert (await client.next("entry", seconds=30))["seq"] == 1, "intake, store and loop go on"
        assert (await client.ask("ack", channel="inbox", seq=1))["delivered"] == 1
        assert answer_of(hub, "/readyz") == (200, "ready\n")
        dropped = metric(hub, "hub_log_lines_dropped_total")
        heard = ""
        async with asyncio.timeout(30):
            while "log lines were dropped" not in heard:
                heard += await asyncio.to_thread(pipe.read)
        told = int(heard.partition("log lines were dropped")[2].partition("lines=")[2].split()[0])
        assert 0 < told <= dropped
        assert "hang-up ignored" in heard
        pipe.fill()
        hub.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(hub.process.wait, 20) == 0
    finally:
        if hub.process.poll() is None:
            hub.process.kill()
        pipe.close()


class FrozenThread:
    """Stops one thread of the hub, as a call that does not return would. To be used by one thread of the test, which traces it."""

    def __init__(self, hub, name):
        self._hub = hub
        tasks = Path(f"/proc/{hub.process.pid}/task")
        self._thread = next(int(task.name) for task in tasks.iterdir() if (task / "comm").read_text().strip() == name)
        self._trace = ctypes.CDLL(None, use_errno=True).ptrace
        self._trace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        seize, interrupt = 0x4206, 0x4207
        for request in (seize, interrupt):
            if self._trace(request, self._thread, None, None):
                raise OSError(ctypes.get_errno(), "ptrace")
        self._hear(seconds=10)

    def _hear(self, seconds):
        """What the kernel has to tell of the thread. A process has not ended before its tracer has heard of its threads' ends."""
        every_thread, end = 0x40000000, time.monotonic() + seconds
        while (told := os.waitpid(self._thread, every_thread | os.WNOHANG))[0] == 0:
            assert time.monotonic() < end, "nothing to hear of the thread"
            time.sleep(0.02)
        return told[1]

    def wait_for_end(self, seconds):
        """The exit code of the hub."""
        while not os.WIFEXITED(status := self._hear(seconds)) and not os.WIFSIGNALED(status):
            pass
        return self._hub.process.wait(seconds)


@pytest.mark.parametrize("thread", ["store", "intake", "loop-0"])
async def test_a_hub_with_a_thread_that_hangs_is_not_ready_and_ends_when_told_to(platform, thread):
    # Several loops: the questions about its health reach another one than the frozen.
    hub = platform.hub("frozen-thread", extra={"HUB_LOOPS_COUNT": "4", "HUB_DRAIN_WITHIN": "4s"})
    try:
        hub.start()
        assert answer_of(hub, "/readyz")[0] == answer_of(hub, "/livez")[0] == 200
        frozen = FrozenThread(hub, thread)
        said = ""
        async with asyncio.timeout(60):
            while f"thread {thread} has not run for" not in said:
                await asyncio.sleep(0.3)
                with contextlib.suppress(OSError):
                    status, said = answer_of(hub, "/readyz", seconds=1)
        assert status == 503
        async with asyncio.timeout(20):
            while "a thread hangs" not in hub.tail():
                await asyncio.sleep(0.3)
        hub.process.send_signal(signal.SIGTERM)
        code = frozen.wait_for_end(20)
        assert f"thread={thread}" in hub.tail()
        assert "left behind" in hub.tail()
        assert code == (0 if thread == "intake" else 1)
    finally:
        if hub.process.poll() is None:
            hub.process.kill()


async def test_metrics_have_a_listener_of_their_own_when_asked_for(platform):
    port = free_port()
    async with platform.running("metrics", extra={"HUB_METRICS_LISTEN": f"127.0.0.1:{port}", "HUB_LOOPS_COUNT": "1"}) as hub:
        assert answer_of(hub, "/metrics")[0] == 404
        hub_of_metrics = type("Listener", (), {"url": f"http://127.0.0.1:{port}"})
        status, text = answer_of(hub_of_metrics, "/metrics")
        assert status == 200 and "hub_sockets 0" in text and 'hub_thread_silence_seconds{thread="metrics"}' in text
        for path in ("/livez", "/readyz"):
            assert answer_of(hub_of_metrics, path)[0] == answer_of(hub, path)[0] == 200
        assert answer_of(hub_of_metrics, "/v1/socket")[0] == 404
        # It answers while the loop that serves clients hangs, and says so.
        frozen = FrozenThread(hub, "loop-0")
        async with asyncio.timeout(30):
            while "thread loop-0 has not run for" not in answer_of(hub_of_metrics, "/readyz")[1]:
                await asyncio.sleep(0.3)
        hub.process.kill()
        frozen.wait_for_end(10)


async def test_a_drain_reaches_every_loop_and_waits_for_open_commands(platform):
    port = free_port()
    extra = {"HUB_LOOPS_COUNT": "4", "HUB_DRAIN_SPREAD": "0s", "HUB_METRICS_LISTEN": f"127.0.0.1:{port}"}
    probe = type("Listener", (), {"url": f"http://127.0.0.1:{port}"})
    async with platform.running("drain", extra=extra) as hub:
        assert answer_of(probe, "/readyz")[0] == 200
        clients = [await Client.connect(hub.socket_url, hub.token(person()), {"inbox": 0}) for _ in range(24)]
        with psycopg.connect(hub.database) as holder:
            holder.execute("LOCK TABLE hub.entry IN ACCESS EXCLUSIVE MODE")
            sending = [asyncio.create_task(client.ask("send", to=person(), key="1", body="À suivre")) for client in clients[:4]]
            await asyncio.sleep(0.5)
            hub.process.send_signal(signal.SIGTERM)
            # Those with nothing open are told at once, whatever loop they are on.
            for client in clients[4:]:
                bye = await client.next("bye", seconds=5)
                assert (bye["code"], bye["reason"]) == (4200, "draining")
            assert not any(task.done() for task in sending)
            status, said = answer_of(probe, "/readyz")
            assert status == 503 and "not ready: draining or starting" in said, "a load balancer sends nobody any more"
        for task in sending:
            assert (await asyncio.wait_for(task, 10))["seq"] == 1, "the reply comes before the end"
        for client in clients[:4]:
            assert (await client.next("bye", seconds=5))["code"] == 4200
        assert await asyncio.to_thread(hub.process.wait, 20) == 0


async def test_readiness_sees_the_store_go_and_come_back(platform):
    async with platform.running("readiness") as hub:
        assert answer_of(hub, "/readyz")[0] == 200
        await asyncio.to_thread(platform.database.stop, "immediate")
        try:
            async with asyncio.timeout(20):
                while (found := answer_of(hub, "/readyz"))[0] != 503:
                    await asyncio.sleep(0.1)
            assert "not ready: PostgreSQL is away" in found[1]
            assert 'hub_up{part="store"} 0' in answer_of(hub, "/metrics")[1]
            assert answer_of(hub, "/livez")[0] == 200
        finally:
            await asyncio.to_thread(platform.database.start)
        async with asyncio.timeout(20):
            while answer_of(hub, "/readyz")[0] != 200:
                await asyncio.sleep(0.1)
