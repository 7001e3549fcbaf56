"""What operators ask of rules: why somebody got an entry, what a rule would do, and what an outage left out."""

import asyncio
import json
import subprocess
import time

import pytest

from hubclient import Client
from processes import hub_program, scratch, wait_until
from rig import person, query
from test_rules import RULES, Table

TOPIC = "platform.app.review"


def command(hub, *arguments, **environment):
    """Exit status, lines of stdout, stderr."""
    done = subprocess.run(
        [str(hub_program()), *arguments], env={**hub._environment, **environment}, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout.splitlines(), done.stderr


@pytest.fixture(scope="module")
def ruled(platform):
    folder = scratch("time-machine")
    file = folder / "rules.yaml"
    file.write_text(RULES)
    subprocess.run(
        ["kcat", "-P", "-b", platform.broker.brokers, "-t", TOPIC, "-K", "\t"], input='{"id":0}\tnull\n', text=True, check=True, timeout=60)
    hub = platform.hub("time", extra={"HUB_RULES_FILE": str(file), "HUB_RULES_TOPICS": TOPIC})
    hub.rules_file, hub.folder = file, folder
    try:
        yield hub.start()
    finally:
        hub.stop()


# MARK: hub why


async def test_why_tells_the_rule_the_row_the_record_and_what_became_of_the_entry(ruled):
    name = person()
    client = await Client.connect(ruled.socket_url, ruled.token(name), {"inbox": 0})
    table = Table(ruled)
    opened, done = (table.row(abs(hash(name)) % 10**9, status, name) for status in ("open", "done"))
    table.change("c", None, opened)
    entry = await client.next("entry", channel="inbox")
    status, lines, errors = command(ruled, "why", entry["id"])
    assert status == 0, errors
    text = "\n".join(lines)
    assert lines[0] == f"{entry['id']} is entry {entry['seq']} of inbox:{name}"
    assert "why: rule review-open: insert or update of a row of app.review when" in text
    assert f'row: database platform, table app.review, key {{"id":{opened["id"]}}}' in text
    assert f"record: topic {TOPIC}, partition " in text and f"stored: {entry['createdAt']}" in text
    assert f"{name}: not delivered, not seen, not read" in text and "Essai" not in text and "stays" not in text
    await client.ask("mark-read", channel="inbox", seq=entry["seq"])
    table.change("u", opened, done)
    await client.next("entry", channel="inbox", kind="retraction")
    status, lines, errors = command(ruled, "why", "--channel", f"inbox:{name}", "--seq", str(entry["seq"]), "--json")
    assert status == 0, errors
    (found,) = json.loads(lines[0])["entries"]
    assert found["rule"] == "review-open" and found["record"]["topic"] == TOPIC and found["retracted_at"]
    assert found["retracted_because"] == "because the row changed or was deleted"
    assert [(one["user"], one["read"]) for one in found["people"]] == [(name, True)]
    assert command(ruled, "why", entry["id"], "--user", name, "--language", "fr")[1][0].endswith(f"est l’entrée {entry['seq']} de inbox:{name}")


def test_why_says_plainly_what_it_does_not_find(ruled):
    assert command(ruled, "why", "no-such-entry")[0::2] == (
        1, "hub: no entry has the id no-such-entry; entries beyond the retention are removed\n")
    assert "there is no channel inbox:nobody" in command(ruled, "why", "x", "--user", "nobody-at-all")[2].replace("nobody-at-all", "nobody")
    assert command(ruled, "why")[0] == 64
    assert command(ruled, "why", "x", HUB_DATABASE_URL="postgresql://hub@127.0.0.1:1/hub")[0] == 69
