"""What an operator relies on: the log, readiness, and an end that comes whatever hangs."""

import asyncio
import os
import signal
import urllib.error
import urllib.request

from hubclient import Client
from rig import event, person


def answer_of(hub, path):
    try:
        with urllib.request.urlopen(hub.url + path, timeout=10) as answer:
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
        async with asyncio.timeout(60):
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
        hub.kill()
        pipe.close()
