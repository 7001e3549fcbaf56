"""`hub serve --embedded` and the commands around it, as a new user sees them."""

import json
import os
import signal
import stat
import subprocess

import pytest

from hubclient import Client
from processes import alive, descendants, hub_program, mentioning, wait_until
from rig import EmbeddedHub, event, person, query


@pytest.fixture
def own():
    hub = EmbeddedHub("own")
    yield hub
    hub.wipe()
    assert mentioning(str(hub.data)) == {}


def clean_environment():
    return {key: value for key, value in os.environ.items() if not key.startswith("HUB_")}


async def test_a_second_start_finds_the_data_of_the_first(own):
    own.start()
    name, other = person(), person()
    client = await Client.connect(own.socket_url, own.token(name), {"inbox": 0})
    own.kafka.produce(event(f"user:{name}", id="first"), event(f"user:{name}", id="second"), key=name)
    await client.entries("inbox", 2)
    await client.ask("ack", channel="inbox", seq=2)
    sent = await client.ask("send", to=other, key="k", body="reste là")
    assert own.interrupt() == 0

    own.start()
    client = await Client.connect(own.socket_url, own.token(name), {"inbox": 0, sent["channel"]: 0})
    assert [entry["id"] for entry in await client.entries("inbox", 2)] == ["first", "second"]
    assert (await client.next("entry", channel=sent["channel"]))["body"] == "reste là"
    inbox = next(state for state in client.welcome["channels"] if state["channel"] == "inbox")
    assert inbox["delivered"] == 2
    # The broker starts empty: its offsets begin anew, and must not be taken for records that are already stored.
    own.kafka.produce(event(f"user:{name}", id="third"), {"type": "a.b", "to": [f"user:{name}"], "title": "sans id"}, key=name)
    entries = await client.entries("inbox", 4)
    assert entries[2]["id"] == "third" and [entry["seq"] for entry in entries] == [1, 2, 3, 4]


async def test_tokens_outlive_a_restart(own):
    own.start()
    token = own.token(person())
    own.interrupt()
    own.start()
    await Client.connect(own.socket_url, token)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_no_process_is_left_after_the_end(own, how):
    own.start()
    family = descendants(own.process.pid)
    assert family, "a private PostgreSQL belongs to it"
    own.process.send_signal(how)
    assert own.process.wait(20) == 0
    wait_until(lambda: not any(alive(pid) for pid in family), "every process of the hub has ended", 10)
    assert mentioning(str(own.data)) == {}


def test_no_process_is_left_after_ctrl_c_in_a_terminal(own):
    """A terminal sends SIGINT to every process of the group, not to the hub alone."""
    own.start()
    family = descendants(own.process.pid)
    os.killpg(own.process.pid, signal.SIGINT)
    assert own.process.wait(20) == 0
    wait_until(lambda: not any(alive(pid) for pid in family), "every process of the hub has ended", 10)


async def test_a_start_takes_over_the_server_of_a_killed_hub(own):
    own.start()
    name = person()
    client = await Client.connect(own.socket_url, own.token(name), {"inbox": 0})
    own.kafka.produce(event(f"user:{name}"), key=name)
    await client.next("entry")
    await client.ask("ack", channel="inbox", seq=1)
    own.kill()
    own.start()
    client = await Client.connect(own.socket_url, own.token(name), {"inbox": 0})
    await client.next("entry")
    assert query(own.database, "SELECT delivered FROM hub.cursor WHERE user_id = %s", name) == [(1,)]
    family = descendants(own.process.pid)
    assert own.interrupt() == 0
    wait_until(lambda: not any(alive(pid) for pid in family) and not mentioning(str(own.data)), "nothing is left", 10)


def test_only_the_owner_can_read_the_keys(own):
    own.start()
    for path in own.data.rglob("*"):
        if path.is_file() and any(word in path.name for word in ("key", "jwk", "pem")) and "postgres" not in str(path) and "pg" not in path.parts:
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, f"{path} can be read by others"


def test_a_second_hub_on_the_same_data_is_refused(own):
    own.start()
    second = subprocess.run(
        [hub_program(), "serve", "--embedded", "--listen", "127.0.0.1:0", "--data", own.data], capture_output=True, text=True, timeout=30,
        env=clean_environment())
    assert second.returncode != 0 and str(own.data) in second.stderr
    assert own.process.poll() is None


def test_embedded_is_for_loopback_only(own):
    done = subprocess.run(
        [hub_program(), "serve", "--embedded", "--listen", "0.0.0.0:0", "--data", own.data], capture_output=True, text=True, timeout=30,
        env=clean_environment())
    assert done.returncode != 0 and "loopback" in done.stderr.lower()


def test_it_warns_that_it_is_not_for_production(own):
    own.start()
    assert "not for production" in own.tail().lower()


def test_the_plain_endpoints_answer(hub):
    import urllib.request

    for path, word in (("livez", ""), ("readyz", "ready"), ("metrics", "hub_")):
        with urllib.request.urlopen(f"{hub.url.rstrip('/')}/{path}", timeout=10) as answer:
            assert answer.status == 200 and word in answer.read().decode()


async def test_token_publish_and_tail(hub):
    name = person()
    facts = [
        hub_program(), "tail", "--token", hub.token(name), "--channel", "inbox"]
    tail = subprocess.Popen(
        facts, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**clean_environment(), **hub.facts})
    try:
        assert tail.stderr.readline() == "hub tail: live\n"
        published = subprocess.run(
            [hub_program(), "publish", "--to", f"user:{name}", "--type", "a.b", "--title", "Par la ligne de commande", "--body", "…",
             "--form", "hint", "--event-data", '{"n": [1]}'],
            capture_output=True, text=True, timeout=30, env={**clean_environment(), **hub.facts})
        assert published.returncode == 0, published.stderr
        while True:
            line = json.loads(tail.stdout.readline())
            if line.get("type") == "entry":
                break
        assert (line["title"], line["event"]) == ("Par la ligne de commande", "a.b")
        assert (line["form"], line["data"]) == ("hint", {"n": [1]})
    finally:
        tail.terminate()
        tail.wait(10)


async def test_tail_prints_readable_lines_when_asked(hub):
    name = person()
    env = {**clean_environment(), **hub.facts, "LANG": "fr_FR.UTF-8"}
    hub.kafka.produce(event(f"user:{name}", title={"en": "Hello", "fr": "Bonjour"}, type="a.b", priority="high"), key=name)
    done = subprocess.run(
        [hub_program(), "tail", "--token", hub.token(name), "--channel", "inbox", "--since", "0", "--entries", "1", "--format", "text"],
        capture_output=True, text=True, timeout=30, env=env)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].strip().startswith(f"connected as {name}, ")
    assert lines[-1][19:].startswith("  inbox #1  [high] a.b: Bonjour")


async def test_tail_ends_at_once_after_enough_entries_and_their_acks_are_stored(hub):
    name = person()
    env = {**clean_environment(), **hub.facts}
    for number in range(2):
        subprocess.run(
            [hub_program(), "publish", "--to", f"user:{name}", "--type", "a.b", "--title", f"{number}"], check=True, timeout=30, env=env,
            capture_output=True)
    token = hub.token(name)
    # The hub's next ping comes after 25 s: the command must not wait for it.
    done = subprocess.run(
        [hub_program(), "tail", "--token", token, "--channel", "inbox", "--since", "0", "--entries", "2", "--ack"],
        capture_output=True, text=True, timeout=15, env=env)
    assert done.returncode == 0, done.stderr
    assert [line["title"] for line in map(json.loads, done.stdout.splitlines()) if line.get("type") == "entry"] == ["0", "1"]
    [[delivered]] = wait_until(lambda: query(
        hub.database, "SELECT delivered FROM hub.cursor JOIN hub.channel c ON c.id = channel_id WHERE user_id = %s AND c.name = %s",
        name, f"inbox:{name}"), "the acks are stored")
    assert delivered == 2


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["token", "--help"], ["publish", "--help"], ["tail", "--help"]])
def test_the_help_texts_have_examples(arguments):
    done = subprocess.run([hub_program(), *arguments], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0 and len(done.stdout.splitlines()) > 5
