"""A private Redis server, and a proxy before it that loses, repeats, delays and reorders what is published."""

import asyncio
import contextlib
import random
import re
import shutil
import socket
import subprocess
import threading

from processes import scratch, wait_until
from rig import free_port


class Redis:
    def __init__(self, name="redis", options=()):
        self.folder = scratch(name)
        self.port = free_port()
        self._options = options
        self.start()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def start(self):
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "", "--appendonly", "no",
             *self._options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._answers, "redis-server answers")

    def _answers(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def kill(self):
        self._process.kill()
        self._process.wait(20)

    def wipe(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def older_redis(redis, version=b"6.2.15"):
    """Passes everything on, but the server tells that it is of this version, which has as many characters as the true one."""
    listener = socket.create_server(("127.0.0.1", 0))

    def copy(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(re.sub(rb"redis_version:[0-9.]+", lambda told: (b"redis_version:" + version).ljust(len(told[0]), b"0"), data))
        for end in (source, sink):
            end.close()

    def serve():
        with contextlib.suppress(OSError):
            while True:
                client = listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", redis.port))
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=copy, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


class FaultyRedis:
    """Passes everything on, but of what the server pushes to its subscribers it loses, repeats, delays and reorders messages."""

    def __init__(self, redis, seed=1, lose=0.2, repeat=0.2, delay=0.3, longest_delay=0.4):
        self._redis = redis
        self._random = random.Random(seed)
        self._lose, self._repeat, self._delay, self._longest = lose, repeat, delay, longest_delay
        self.lost = self.repeated = self.delayed = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *error):
        self._server.close()

    async def _serve(self, reader, writer):
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._redis.port)
        forward = asyncio.create_task(self._copy(reader, server_writer))
        try:
            while True:
                whole, is_message = await self._reply(server_reader)
                if not is_message:
                    writer.write(whole)
                    continue
                if self._random.random() < self._lose:
                    self.lost += 1
                    continue
                again = self._random.random() < self._repeat
                self.repeated += again
                for _ in range(1 + again):
                    if self._random.random() < self._delay:
                        self.delayed += 1
                        asyncio.get_running_loop().call_later(self._random.uniform(0, self._longest), writer.write, whole)
                    else:
                        writer.write(whole)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            forward.cancel()
            writer.close()
            server_writer.close()

    async def _copy(self, reader, writer):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    async def _reply(self, reader):
        """One reply of RESP 2, whole, and whether it is a published message."""
        line = await reader.readuntil(b"\r\n")
        if line[:1] == b"$" and line != b"$-1\r\n":
            return line + await reader.readexactly(int(line[1:]) + 2), False
        if line[:1] == b"*":
            parts = [(await self._reply(reader))[0] for _ in range(int(line[1:]))]
            return line + b"".join(parts), bool(parts) and parts[0] == b"$7\r\nmessage\r\n"
        return line, False
