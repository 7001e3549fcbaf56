"""A TCP proxy between a browser and the hub, with the faults of real proxies."""

import asyncio
import random


class Proxy:
    """Passes bytes on. Its faults are switched while it runs.

    A request is recognized by its first line at the beginning of a piece: browsers send a request head in one piece.
    """

    def __init__(self, host, port):
        self._target = host, port
        self._connections = set()
        self.requests = []  # (method, path) of everything that passed
        self.upgrades_live = None  # (least, most) seconds after which a WebSocket is cut; None leaves it alone
        self.holds_streams = False  # an event stream is collected until it ends, the head as well
        self.refuses = False  # new connections are closed at once: the hub is away

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        self.cut()

    def cut(self, *paths):
        """Ends connections at once: all, or those whose last request had one of the paths."""
        for connection in [one for one in self._connections if not paths or one.path in paths]:
            connection.cut()

    def count(self, path):
        return sum(one == path for _, one in self.requests)

    async def _serve(self, reader, writer):
        if self.refuses:
            return writer.transport.abort()
        try:
            upstream = await asyncio.open_connection(*self._target)
        except OSError:
            return writer.transport.abort()
        connection = Connection(self, writer, upstream[1])
        self._connections.add(connection)
        try:
            await asyncio.gather(connection.requests(reader), connection.answers(upstream[0]))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            connection.cut()
            self._connections.discard(connection)


class Connection:
    def __init__(self, proxy, browser, hub):
        self._proxy = proxy
        self._browser = browser
        self._hub = hub
        self._timer = None
        self.path = None

    def cut(self):
        if self._timer:
            self._timer.cancel()
        self._browser.transport.abort()
        self._hub.transport.abort()

    async def requests(self, reader):
        while piece := await reader.read(65536):
            line = piece.split(b"\r\n", 1)[0].split(b" ")
            if len(line) == 3 and line[2].startswith(b"HTTP/1."):
                self.path = line[1].decode().partition("?")[0]
                self._proxy.requests.append((line[0].decode(), self.path))
                if self.path == "/v1/socket" and (life := self._proxy.upgrades_live):
                    self._timer = asyncio.get_running_loop().call_later(random.uniform(*life), self.cut)
            self._hub.write(piece)
            await self._hub.drain()
        self.cut()

    async def answers(self, reader):
        held = b""
        while piece := await reader.read(65536):
            if self.path == "/v1/events" and self._proxy.holds_streams:
                held += piece
                continue
            self._browser.write(held + piece)
            held = b""
            await self._browser.drain()
        if held:
            self._browser.write(held)
            await self._browser.drain()
        self.cut()
