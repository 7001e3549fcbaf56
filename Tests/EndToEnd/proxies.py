"""Proxies between a browser and the hub: nginx and haproxy as a default installation has them, and a proxy that cuts upgrades."""

import asyncio
import contextlib
import random
import shutil
import socket
import subprocess
from pathlib import Path

from processes import scratch, wait_until
from rig import free_port

# What `proxy_pass` alone does: HTTP/1.0 to the hub, `Connection: close`, buffered answers, no upgrade.
NGINX = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/client;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://{host}:{hub}; }}
    }}
}}
"""

# The `defaults` of Debian's haproxy.cfg.
HAPROXY = """
global
    maxconn 4096
defaults
    mode http
    timeout connect 5000
    timeout client 50000
    timeout server 50000
frontend front
    bind 127.0.0.1:{port}
    default_backend hub
backend hub
    server hub {host}:{hub}
"""


class Proxied:
    """The hub under a proxy's address."""

    def __init__(self, hub, port):
        self.hub, self.port = hub, port
        self.address = ("127.0.0.1", port)
        self.url = f"http://127.0.0.1:{port}/"
        self.socket_url = f"ws://127.0.0.1:{port}/v1/socket"
        self.kafka, self.token = hub.kafka, hub.token


def listens(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def _running(name, hub, configuration, command):
    folder, port = scratch(name), free_port()
    file = folder / f"{name}.conf"
    host, target = hub.address
    file.write_text(configuration.format(folder=folder, port=port, host=host, hub=target))
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen([*command, str(file)], stdout=out, stderr=out)
    try:
        wait_until(lambda: listens(port) or process.poll() is not None, f"{name} listens")
        assert process.poll() is None, log.read_text()
        yield Proxied(hub, port)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "proxies"


def _example(name, first, second, wrapped="{example}"):
    """One of the examples, with these two hubs instead of its own, and with places for `_running` to fill in."""
    text = (EXAMPLES / name).read_text().replace("{", "{{").replace("}", "}}")
    for before, after in (
            ("127.0.0.1:8080", "%s:%d" % first.address), ("127.0.0.1:8081", "%s:%d" % second.address), ("listen 8088", "listen 127.0.0.1:{port}"),
            ("bind :8088", "bind 127.0.0.1:{port}"), ("/var/log/nginx", "{folder}")):
        text = text.replace(before, after)
    return wrapped.replace("{example}", text)


NGINX_FRAME = NGINX[:NGINX.index("    server {{")] + "{example}\n}}\n"


def example_nginx(first, second):
    return _running("nginx", first, _example("nginx.conf", first, second, NGINX_FRAME), ["/usr/sbin/nginx", "-e", "stderr", "-c"])


def example_haproxy(first, second):
    return _running("haproxy", first, _example("haproxy.cfg", first, second), ["/usr/sbin/haproxy", "-f"])


def nginx(hub):
    return _running("nginx", hub, NGINX, ["/usr/sbin/nginx", "-e", "stderr", "-c"])


def haproxy(hub):
    return _running("haproxy", hub, HAPROXY, ["/usr/sbin/haproxy", "-f"])


class Cutter:
    """Passes everything on, but cuts a connection 100 to 500 ms after the hub has accepted its upgrade."""

    def __init__(self, hub, seed=1):
        self._hub = hub
        self._chance = random.Random(seed)
        self.cut = 0

    @contextlib.asynccontextmanager
    async def running(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield Proxied(self._hub, server.sockets[0].getsockname()[1])
        finally:
            server.close()

    async def _serve(self, reader, writer):
        upstream_reader, upstream_writer = await asyncio.open_connection(*self._hub.address)
        upgraded = asyncio.Event()

        async def forward(source, sink, watch):
            begun = b""
            try:
                while data := await source.read(65_536):
                    sink.write(data)
                    await sink.drain()
                    if watch and len(begun) < 12:
                        begun += data[:12]
                        if begun.startswith(b"HTTP/1.1 101"):
                            upgraded.set()
                sink.write_eof()
            except (OSError, RuntimeError):
                pass

        async def cut():
            await upgraded.wait()
            await asyncio.sleep(self._chance.uniform(0.1, 0.5))
            self.cut += 1

        ways = [asyncio.create_task(forward(reader, upstream_writer, False)), asyncio.create_task(forward(upstream_reader, writer, True))]
        cutting = asyncio.create_task(cut())
        ended = asyncio.create_task(asyncio.wait(ways))
        try:
            await asyncio.wait([ended, cutting], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*ways, ended, cutting):
                task.cancel()
            for end in (writer, upstream_writer):
                end.transport.abort()
