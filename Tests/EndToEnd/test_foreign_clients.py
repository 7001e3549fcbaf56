"""The fallbacks with clients and proxies that the hub's authors did not write: curl, Chromium, nginx, haproxy."""

import asyncio
import contextlib
import json
import shutil

import pytest
import websockets

import protocol
from browser import Browser
from eventstream import Parser
from fallback import Talk, bearer, command, opened, poll, requests, seqs, session, stream
from httpclients import EventStreamClient, PollClient
from hubclient import Client, Lost
from proxies import Cutter, haproxy, nginx
from rig import event, person

CURL = shutil.which("curl")


# curl


async def curl(*arguments, text=None):
    process = await asyncio.create_subprocess_exec(
        CURL, "-sS", "--noproxy", "*", *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, error = await asyncio.wait_for(process.communicate((text or "").encode()), 20)
    assert process.returncode == 0, error.decode()
    return out.decode()


@pytest.mark.parametrize("version", ["--http1.1", "--http1.0"])
async def test_curl_follows_the_stream_and_gives_commands(hub, version):
    name = person()
    token = hub.token(name)
    address = hub.url.rstrip("/")
    process = await asyncio.create_subprocess_exec(
        CURL, "-sSN", "--noproxy", "*", version, "-H", f"Authorization: Bearer {token}", f"{address}/v1/events?channel=inbox%400",
        stdout=asyncio.subprocess.PIPE)
    parser, frames = Parser(), []

    async def read_until(kind):
        async with asyncio.timeout(15):
            while not any(("re" in frame) if kind == "reply" else frame.get("type") == kind for frame in frames):
                data = await process.stdout.read(65_536)
                assert data, "the stream ended"
                frames.extend(block.frame for block in parser.feed(data) if block.data)

    try:
        await read_until("reply")
        await asyncio.to_thread(hub.kafka.produce, event(f"user:{name}", title="Été"), key=name)
        await read_until("entry")
        for frame in frames:
            protocol.check(frame, "connect" if "re" in frame else None)
        credential = frames[0]["ok"]["credential"]
        reply = await curl(
            version, "-H", f"Hub-Session: {credential}", "--data-binary", "@-", f"{address}/v1/commands",
            text='{"id":1,"type":"ack","channel":"inbox","seq":1}\n{"id":2,"type":"ping"}\n')
        assert sorted(json.loads(one)["re"] for one in reply.splitlines()) == [1, 2]
        answer = json.loads(await curl(version, "-X", "POST", "-H", f"Hub-Session: {credential}", f"{address}/v1/poll?wait=0"))
        assert set(answer) == {"after", "events"}
        await read_until("bye")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


# Chromium


SESSION = """
window.begin = async (base, token, channel) => {
  window.base = base; window.frames = []; window.events = 0; window.opens = 0;
  const answer = await fetch(base + "/v1/commands", {method: "POST",
    body: JSON.stringify({id: 1, type: "connect", token, channels: [{channel, since: 0}]})});
  window.credential = JSON.parse(await answer.text()).ok.credential;
  const source = window.source = new EventSource(`${base}/v1/events?session=${encodeURIComponent(window.credential)}`);
  source.onopen = () => window.opens += 1;
  for (const kind of ["entry", "cursor", "receipt", "counters", "signal", "activity", "features", "bye"]) {
    source.addEventListener(kind, (event) => { window.frames.push(JSON.parse(event.data)); });
  }
  source.onmessage = () => window.unnamed = true;
};
window.order = async (command) => (await (await fetch(base + "/v1/commands", {method: "POST", headers: {"Hub-Session": window.credential},
  body: JSON.stringify({id: 1, ...command})})).json());
window.has = (seq) => window.frames.some((frame) => frame.type === "entry" && frame.seq === seq);
"""


@contextlib.asynccontextmanager
async def chromium():
    browser = await Browser.start()
    try:
        yield browser
    finally:
        await browser.close()


async def follow(page, talk, base):
    """What a page does with an EventSource and fetch."""
    await page.evaluate(SESSION)
    await page.evaluate(f"window.begin({json.dumps(base)}, {json.dumps(talk.token)}, {json.dumps(talk.channel)})")
    await talk.write(1)
    await page.until("window.has(1)")
    reply = await page.evaluate(f"window.order({json.dumps({'type': 'ack', 'channel': talk.channel, 'seq': 1})})")
    assert reply["ok"]["delivered"] == 1
    for frame in await page.evaluate("window.frames"):
        protocol.check(frame)
    assert not await page.evaluate("window.unnamed")


async def test_chromium_follows_by_event_source_and_reconnects_by_itself(hub):
    talk = await Talk.begin(hub)
    async with chromium() as browser, Cutter(hub).running() as proxied:
        page = await browser.open(proxied.url + "livez")
        await follow(page, talk, "")
        opens = await page.evaluate("window.opens")
        # Another page takes the stream; EventSource comes back by itself and takes it again, with its Last-Event-ID.
        async with requests(hub) as http, stream(http, **session(await page.evaluate("window.credential"))) as other:
            await talk.write(1)
            await page.until(f"window.opens > {opens}")
            await other.rest()
        await page.until("window.has(2)")
        await talk.write(1)
        await page.until("window.has(3)")
        numbers = await page.evaluate("window.frames.filter((frame) => frame.type === 'entry').map((frame) => frame.seq)")
        assert list(dict.fromkeys(numbers)) == [1, 2, 3]
        await page.evaluate("window.source.close()")


async def serve_blank_page():
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 22\r\nConnection: close\r\n\r\n<!doctype html><p>page")
        await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0)


async def test_chromium_from_another_origin_needs_it_to_be_configured(platform):
    allowed, foreign = await serve_blank_page(), await serve_blank_page()
    addresses = ["http://127.0.0.1:{}".format(one.sockets[0].getsockname()[1]) for one in (allowed, foreign)]
    async with platform.running("origins", extra={"HUB_WEBSOCKET_ORIGINS": addresses[0]}) as hub, chromium() as browser:
        base = hub.url.rstrip("/")
        talk = await Talk.begin(hub)
        page = await browser.open(addresses[0])
        await follow(page, talk, base)  # the header Hub-Session makes the browser ask before (a preflight)
        status = await page.evaluate(
            "fetch(base + '/v1/poll?wait=0', {method: 'POST', headers: {'Hub-Session': 'x', 'Content-Type': 'application/json'}, body: '{}'})"
            ".then(async (answer) => [answer.status, (await answer.json()).error.code])")
        assert status == [404, "session_unknown"], "a page may read why it was refused"
        await page.evaluate("window.source.close()")

        page = await browser.open(addresses[1])
        await page.evaluate(SESSION)
        outcome = await page.evaluate(
            f"window.begin({json.dumps(base)}, {json.dumps(talk.token)}, {json.dumps(talk.channel)}).then(() => 'in', () => 'out')")
        assert outcome == "out"
        query = f"{base}/v1/events?session="
        refused = await page.evaluate(
            f"new Promise((done) => {{ const source = new EventSource({json.dumps(query)}); source.onerror = () => done(source.readyState); }})")
        assert refused == 2, "closed for good"
    allowed.close()
    foreign.close()


async def test_chromium_polls_and_streams_by_fetch(hub):
    talk = await Talk.begin(hub)
    async with chromium() as browser:
        page = await browser.open(hub.url.rstrip("/") + "/livez")
        await page.evaluate(SESSION)
        await page.evaluate(f"""(async () => {{
          window.frames = [];
          const ask = async (path, body, headers) => (await fetch(path, {{method: "POST", headers, body: JSON.stringify(body)}})).json();
          let {{after, events}} = await ask("/v1/poll", {{token: {json.dumps(talk.token)}, channels: [{{channel: {json.dumps(talk.channel)}, since: 0}}]}});
          window.credential = events[0].ok.credential; window.frames.push(...events);
          (async () => {{ while (!window.has(2)) {{
            const answer = await ask("/v1/poll", {{after}}, {{"Hub-Session": window.credential}});
            after = answer.after; window.frames.push(...answer.events);
          }}
          const answer = await fetch("/v1/events", {{headers: {{"Hub-Session": window.credential, "Last-Event-ID": after}}}});
          window.text = ""; const decoder = new TextDecoder();
          for await (const part of answer.body) window.text += decoder.decode(part, {{stream: true}});
          }})();
        }})()""")
        await talk.write(1)
        await page.until("window.has(1)")
        await talk.write(1)
        await page.until("window.has(2) && window.text !== undefined")
        await talk.write(1)
        await page.until("window.text.includes('event: entry')")
        text = await page.evaluate("window.text")
        assert seqs([block.frame for block in Parser().feed(text.encode()) if block.data]) == [3]


# Proxies


@pytest.fixture(scope="module", params=[nginx, haproxy], ids=["nginx", "haproxy"])
def proxied(request, brisk):
    with request.param(brisk) as proxied:
        yield proxied


@pytest.mark.parametrize("kind", [EventStreamClient, PollClient], ids=["eventstream", "poll"])
async def test_through_a_proxy_with_its_default_settings(proxied, kind):
    name = person()
    client = await kind.connect(proxied.socket_url, proxied.token(name), {"inbox": 0})
    await asyncio.to_thread(proxied.kafka.produce, *[event(f"user:{name}", body="x" * 3_000) for _ in range(150)], key=name)
    assert [entry["seq"] for entry in await client.entries("inbox", 150)] == list(range(1, 151))
    assert (await client.ask("ack", channel="inbox", seq=150))["delivered"] == 150
    for number in range(3):
        # Each comes at once, not when some buffer of the proxy is full.
        await asyncio.to_thread(proxied.kafka.produce, event(f"user:{name}"), key=name)
        await client.entries("inbox", 151 + number, seconds=5)
    await client.quiet()


async def test_a_refusal_passes_a_proxy(proxied):
    async with requests(proxied) as http:
        for method, path in (("GET", "/v1/events"), ("POST", "/v1/poll"), ("POST", "/v1/commands")):
            response = await http.request(method, path, headers=session("x"))
            assert (response.status_code, response.json()["error"]["code"]) == (404, "session_unknown")


async def test_a_stream_through_a_proxy_stays_open_and_its_end_is_seen_by_the_hub(proxied):
    talk = await Talk.begin(proxied.hub)
    async with requests(proxied) as http, requests(proxied.hub) as direct:
        async with stream(http, talk.query, **bearer(talk.token)) as events:
            credential = (await events.frame("reply"))["ok"]["credential"]
            while (await events.block(seconds=25)).comment is None:
                pass
            await talk.write(1)
            position = await events.id_behind(1, talk.channel)
        # The client has left: what is written now comes by the next transport.
        await talk.write(1)
        position, frames = await poll(direct, credential, 2, after=position)
        seen = seqs(frames)
        async with asyncio.timeout(10):
            while 2 not in seen:
                position, frames = await poll(direct, credential, 2, after=position)
                seen += seqs(frames)


async def test_nginx_lets_no_upgrade_through_and_the_client_learns_it_at_once(hub):
    with nginx(hub) as proxied:
        with pytest.raises(websockets.InvalidStatus) as refused:
            await Client.open(proxied.socket_url)
        assert 400 <= refused.value.response.status_code < 500


async def test_haproxy_lets_upgrades_through(hub):
    with haproxy(hub) as proxied:
        await (await Client.connect(proxied.socket_url, hub.token(person()))).quiet()


async def test_the_fallbacks_work_where_a_proxy_cuts_upgrades(hub):
    """A proxy accepts the upgrade and cuts it 100 to 500 ms later: what the WebSocket brought until then counts."""
    name, total = person(), 200
    cutter = Cutter(hub)
    kept = []

    def keep(client):
        for entry in client.entries_of("inbox"):
            if entry["seq"] == len(kept) + 1:
                kept.append(entry["id"])

    async def pour():
        for start in range(0, total, 10):
            await asyncio.to_thread(hub.kafka.produce, *[event(f"user:{name}", id=str(start + i)) for i in range(10)], key=name)
            await asyncio.sleep(0.05)

    async with cutter.running() as proxied:
        pouring = asyncio.create_task(pour())
        for _ in range(3):
            with contextlib.suppress(Lost):
                client = await Client.connect(proxied.socket_url, hub.token(name), {"inbox": len(kept)})
                await client.closed(5)
                keep(client)
        assert cutter.cut == 3
        for kind in (EventStreamClient, PollClient):
            client = await kind.connect(proxied.socket_url, hub.token(name), {"inbox": len(kept)})
            want = total if kind is PollClient else max(total // 2, len(kept) + 1)
            if want > len(kept):
                await client.entries("inbox", want - len(kept), seconds=40)
            keep(client)
            await client.ask("ack", channel="inbox", seq=len(kept))
            client.drop()
        await pouring
    assert kept == [str(i) for i in range(total)]


async def test_two_streams_through_one_connection_of_a_proxy_do_not_mix(proxied):
    """A proxy may send the requests of several people over one connection to the hub."""
    talks = [await Talk.begin(proxied.hub) for _ in range(4)]
    async with requests(proxied) as http:
        credentials = [(await opened(http, talk.token, talk.channels))["credential"] for talk in talks]
        for talk in talks:
            await talk.write(1, body=talk.bob)
        for talk, credential in zip(talks, credentials):
            seen = []
            async with asyncio.timeout(10):
                while not seen:
                    seen += [frame["body"] for frame in (await poll(http, credential, 2))[1] if frame.get("type") == "entry"]
            assert seen == [talk.bob]
            await command(http, credential, "ack", channel=talk.channel, seq=1)
