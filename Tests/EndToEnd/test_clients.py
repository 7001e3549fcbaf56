"""Three independent clients behave the same on the same hub: Python's websockets, aiohttp, and Chromium's own WebSocket."""

import asyncio
import json
import random

import aiohttp
import pytest
import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, PerMessageDeflate

import protocol
from browser import Browser
from hubclient import Client, Lost
from rig import event, person


async def the_same_for_all(hub, name, ask, hear):
    """What every client must see: `ask(command, **members)` gives the ok, `hear()` the next push."""
    welcome = await ask("connect", token=hub.token(name), channels=[{"channel": "inbox", "since": 0}])
    assert welcome["user"] == name
    assert (await hear())["signal"] == "live"
    long = "longue lecture " * 200
    await asyncio.to_thread(hub.kafka.produce, event(f"user:{name}", id="c-1", title="À vous", body=long), key=name)
    entry = await hear()
    assert (entry["type"], entry["seq"], entry["title"], entry["body"]) == ("entry", 1, "À vous", long)
    assert (await ask("ack", channel="inbox", seq=1))["delivered"] == 1
    assert (await ask("mark-read", channel="inbox", seq=1))["unread"] == 0
    sent = await ask("send", to=person("other"), key="k", body="Bonjour 👋 " + long)
    assert sent["seq"] == 1
    page = await ask("history", channel=sent["channel"])
    assert page["entries"][0]["body"] == "Bonjour 👋 " + long


async def test_websockets(hub):
    for compression in (None, "deflate"):
        client = await Client.open(hub.socket_url, compression=compression)
        assert bool(client.socket.protocol.extensions) == bool(compression)

        async def hear():
            return await client._until(lambda: next(
                (client._taken.add(i) or f for i, f in enumerate(client.heard) if i not in client._taken and f["type"] != "counters"), None), "a push", 15)

        await the_same_for_all(hub, person("websockets"), client.ask, hear)
        assert await client.close() == 1000


async def test_each_client_gets_frames_for_its_own_window(hub):
    """Clients that have agreed on different windows follow one channel. A frame for a large window cannot be read with a small one."""
    name = person("windows")
    noise = "".join(random.Random(1).choices("0123456789abcdef", k=4000))
    clients = []
    for bits in [None, 9, 15, 12] * 4:
        extensions = [ClientPerMessageDeflateFactory(server_max_window_bits=bits)] if bits else None
        client = await Client.open(hub.socket_url, compression=None, extensions=extensions)
        assert bool(client.socket.protocol.extensions) == bool(bits)
        await client.ask("connect", token=hub.token(name), channels=[{"channel": "inbox", "since": 0}])
        clients.append(client)
    # What is repeated lies 4000 bytes back, further than 9 bits reach.
    await asyncio.to_thread(hub.kafka.produce, event(f"user:{name}", body=noise + noise), key=name)
    for client in clients:
        assert (await client.next("entry"))["body"] == noise + noise


class TakesOver(ClientPerMessageDeflateFactory):
    """Compresses with context takeover, whatever the server's answer says."""

    def process_response_params(self, params, accepted_extensions):
        agreed = super().process_response_params(params, accepted_extensions)
        return PerMessageDeflate(agreed.remote_no_context_takeover, False, agreed.remote_max_window_bits, agreed.local_max_window_bits)


OLD_SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.2 Safari/605.1.15"


async def test_a_safari_that_takes_its_context_over_although_it_must_not(hub):
    client = await Client.open(hub.socket_url, extensions=[TakesOver()], agent=OLD_SAFARI)
    assert not client.socket.protocol.extensions
    await client.ask("connect", token=hub.token(person("safari")))
    for _ in range(3):
        await client.ask("ping", filler="the same words, to which a later message can refer " * 3)
    # The same client under another name shows what it would do.
    other = await Client.open(hub.socket_url, extensions=[TakesOver()])
    assert other.socket.protocol.extensions
    with pytest.raises((Lost, websockets.ConnectionClosed)):
        await other.ask("connect", token=hub.token(person("other")))
        for _ in range(3):
            await other.ask("ping", filler="the same words, to which a later message can refer " * 3)
    assert await other.closed() == 1007


@pytest.mark.parametrize("compress", [0, 15], ids=["plain", "deflate"])
async def test_aiohttp(hub, compress):
    async with aiohttp.ClientSession() as http, http.ws_connect(
            hub.socket_url, protocols=["hub.v1.json"], compress=compress, autoping=True) as socket:
        assert socket.protocol == "hub.v1.json"
        assert bool(socket.compress) == bool(compress)
        replies, pushes, commands = {}, asyncio.Queue(), {}

        async def listen():
            async for message in socket:
                assert message.type == aiohttp.WSMsgType.TEXT
                for line in protocol.lines(message.data):
                    protocol.check(line, commands.get(line.get("re")))
                    if "re" in line:
                        replies[line["re"]].set_result(line)
                    elif line["type"] != "counters":
                        pushes.put_nowait(line)

        listening = asyncio.create_task(listen())

        async def ask(command, **members):
            number = len(replies)
            replies[number] = asyncio.get_running_loop().create_future()
            commands[number] = command
            await socket.send_str(json.dumps({"id": number, "type": command, **members}))
            return (await asyncio.wait_for(replies[number], 15))["ok"]

        async def hear():
            return await asyncio.wait_for(pushes.get(), 15)

        await the_same_for_all(hub, person("aiohttp"), ask, hear)
        await socket.close()
        await listening
        assert socket.close_code == 1000


IN_THE_BROWSER = """
window.hear = [], window.replies = new Map(), window.raw = [];
window.ready = new Promise((resolve, reject) => {
  const socket = window.socket = new WebSocket(location.origin.replace("http", "ws") + "/v1/socket", ["hub.v1.json"]);
  socket.onopen = () => resolve([socket.protocol, socket.extensions]);
  socket.onerror = reject;
  socket.onclose = ({code, wasClean}) => window.ended = [code, wasClean];
  socket.onmessage = ({data}) => { for (const line of data.split("\\n")) {
    const frame = JSON.parse(line); window.raw.push(frame);
    if ("re" in frame) window.replies.get(frame.re)(frame.ok ?? frame.error);
    else if (frame.type !== "counters") window.hear.push(frame);
  } };
});
window.ask = (command) => new Promise((resolve) => { const id = window.replies.size; window.replies.set(id, resolve);
  window.socket.send(JSON.stringify({id, ...command})); });
window.ready
"""


async def test_chromium(hub):
    browser = await Browser.start()
    try:
        page = await browser.open(hub.url.rstrip("/") + "/livez")
        subprotocol, extensions = await page.evaluate(IN_THE_BROWSER)
        assert subprotocol == "hub.v1.json"
        assert "permessage-deflate" in extensions, "Chromium offers it, the hub agrees"

        async def ask(command, **members):
            return await page.evaluate(f"window.ask({json.dumps({'type': command, **members})})")

        async def hear():
            await page.until("window.hear.length > 0")
            return await page.evaluate("window.hear.shift()")

        await the_same_for_all(hub, person("chromium"), ask, hear)
        for frame in await page.evaluate("window.raw"):
            protocol.check(frame)
        await page.evaluate("window.socket.close(1000)")
        await page.until("window.ended")
        assert await page.evaluate("window.ended") == [1000, True]
    finally:
        await browser.close()
