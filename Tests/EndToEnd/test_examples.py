"""The code in the tutorial and the examples works as described."""

import asyncio
import os
import re
import subprocess
import sys

import pytest

from hubclient import Client
from protocol import ROOT
from rig import person

EXAMPLES = ROOT / "examples"


def environment(hub, **more):
    return {**os.environ, **hub.facts, **more}


async def test_the_tutorial(hub, tmp_path):
    text = (ROOT / "docs" / "tutorial" / "first-steps.md").read_text()
    client, publisher = re.findall(r"```python\n(.*?)```", text, re.S)
    name = person("tutorial")
    (tmp_path / "client.py").write_text(client)
    (tmp_path / "publish.py").write_text(publisher.replace("user:alice", f"user:{name}"))

    async def publish(*arguments):
        process = await asyncio.create_subprocess_exec(sys.executable, "publish.py", *arguments, cwd=tmp_path, env=environment(hub))
        assert await process.wait() == 0

    async def follow(*lines, then=()):
        """Runs the client until it has printed `lines`; `then` is published when it has printed the first."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-u", "client.py", cwd=tmp_path, env=environment(hub, HUB_TOKEN=hub.token(name)), stdout=asyncio.subprocess.PIPE)
        try:
            for number, line in enumerate(lines):
                assert (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip() == line
                if number == 0 and then:
                    await publish(*then)
                    await publish(*then)
        finally:
            process.kill()
            await process.wait()

    first = f"greeting-1-{name}"
    await follow(f"connected as {name}", "1: example.greeting: Hello Alice", "unread: 1", then=(first, "Hello Alice"))
    await publish(f"greeting-2-{name}", "While you were away")
    await publish(f"greeting-3-{name}", "And another one")
    await follow(f"connected as {name}", "2: example.greeting: While you were away", "3: example.greeting: And another one")


@pytest.mark.parametrize("command", [[sys.executable, "publish.py"], ["bash", "publish.sh"]], ids=["python", "shell"])
async def test_a_publisher(hub, command):
    name = person("publisher")
    client = await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})
    process = await asyncio.create_subprocess_exec(*command, name, 'Hello "you"', cwd=EXAMPLES / "publishers", env=environment(hub))
    assert await process.wait() == 0
    assert [entry["title"] for entry in await client.entries("inbox", 1)] == ['Hello "you"']


def test_nginx_accepts_its_example(tmp_path):
    (tmp_path / "hub.conf").write_text((EXAMPLES / "proxies" / "nginx.conf").read_text().replace("/var/log/nginx", str(tmp_path)))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    (tmp_path / "nginx.conf").write_text(
        f"error_log {tmp_path}/error.log; pid {tmp_path}/pid; events {{}}\nhttp {{ access_log off;\n"
        + "".join(f"{kind}_temp_path {tmp_path}/{kind};\n" for kind in kinds) + f"include {tmp_path}/hub.conf; }}\n")
    subprocess.run(["/usr/sbin/nginx", "-t", "-q", "-c", tmp_path / "nginx.conf"], check=True)


def test_haproxy_accepts_its_example():
    subprocess.run(["/usr/sbin/haproxy", "-c", "-q", "-f", EXAMPLES / "proxies" / "haproxy.cfg"], check=True)
