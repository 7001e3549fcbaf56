"""Rules over changes of rows: records of Debezium's form come in, people get entries, and lose them when the row changes its mind."""

import asyncio
import json
import subprocess
import urllib.request

import pytest

from hubclient import Client
from processes import hub_program, scratch, wait_until
from rig import person, query

TOPIC = "platform.app.review"
RULES = """
version: 1
tables:
  app.review: { identity: full }
rules:
  - name: review-open
    table: app.review
    when: became(after.status, "open")
    to: "user:{reviewer}"
    type: review.requested
    title: { fr: "Relecture de {title}", en: "Review of {title}" }
    link: /reviews/{id}
    data: [id]
"""


class Table:
    """Writes the records that Debezium would write for a table, with a log that only grows."""

    def __init__(self, hub, topic=TOPIC):
        self.hub, self.topic, self.lsn, self.sent = hub, topic, 1_000, []

    def row(self, id, status, reviewer, title="Essai"):
        return {"id": id, "status": status, "reviewer": reviewer, "title": title, "secret": "stays"}

    def change(self, op, before, after):
        self.lsn += 8
        id = (after or before)["id"]
        value = {
            "before": before, "after": after, "op": op, "ts_ms": 1_764_500_000_000 + self.lsn,
            "source": {
                "version": "3.6.3", "connector": "postgresql", "name": "platform", "ts_ms": 1_764_500_000_000 + self.lsn, "snapshot": "false",
                "db": "platform", "sequence": json.dumps([str(self.lsn - 8), str(self.lsn)]), "schema": "app", "table": "review",
                "txId": self.lsn, "lsn": self.lsn, "xmin": None}}
        self.sent.append((json.dumps({"id": id}), json.dumps(value, ensure_ascii=False)))
        self.write(self.sent[-1])

    def write(self, *records):
        text = "".join(f"{key}\t{value}\n" for key, value in records)
        subprocess.run(
            ["kcat", "-P", "-b", self.hub.kafka.brokers, "-t", self.topic, "-K", "\t"], input=text, text=True, check=True, timeout=60)


@pytest.fixture(scope="module")
def ruled(platform):
    folder = scratch("rules")
    file = folder / "rules.yaml"
    file.write_text(RULES)
    hub = platform.hub("ruled", extra={"HUB_RULES_FILE": str(file), "HUB_RULES_TOPICS": r"^platform\.app\..*"})
    hub.rules_file = file
    # A pattern finds topics that are there when the group is joined, and new ones only at the client's next look.
    subprocess.run(
        ["kcat", "-P", "-b", platform.broker.brokers, "-t", TOPIC, "-K", "\t"], input='{"id":0}\tnull\n', text=True, check=True, timeout=60)
    try:
        yield hub.start()
    finally:
        hub.stop()


def metric(hub, name):
    text = urllib.request.urlopen(hub.url + "/metrics").read().decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name) and line[len(name)] in " {")


async def test_a_row_in_the_state_notifies_and_leaves_with_it(ruled):
    name = person()
    client = await Client.connect(ruled.socket_url, ruled.token(name), {"inbox": 0})
    table = Table(ruled)
    id = abs(hash(name)) % 10**9
    draft, opened, done = (table.row(id, status, name) for status in ("draft", "open", "done"))
    table.change("c", None, draft)
    table.change("u", draft, opened)
    entry = await client.next("entry", channel="inbox")
    assert entry["event"] == "review.requested" and entry["form"] == "hint" and entry["data"] == {"id": id}
    assert entry["title"] == {"fr": "Relecture de Essai", "en": "Review of Essai"} and entry["link"] == f"/reviews/{id}"
    assert "stays" not in json.dumps(entry)
    table.change("u", opened, done)
    retraction = await client.next("entry", channel="inbox", kind="retraction")
    assert retraction["refers"] == entry["seq"]
    assert query(
        ruled.database, "SELECT e.kind, e.retracted_at IS NOT NULL FROM hub.entry e JOIN hub.channel c ON c.id = e.channel_id "
        "WHERE c.name = %s ORDER BY e.seq", f"inbox:{name}")[0] == ("notification", True)


async def test_a_deleted_row_takes_its_entry_along(ruled):
    name = person()
    client = await Client.connect(ruled.socket_url, ruled.token(name), {"inbox": 0})
    table = Table(ruled)
    row = table.row(abs(hash(name)) % 10**9, "open", name)
    table.change("c", None, row)
    entry = await client.next("entry", channel="inbox")
    table.change("d", row, None)
    assert (await client.next("entry", channel="inbox", kind="retraction"))["refers"] == entry["seq"]


async def test_toggling_ends_in_the_last_state_also_when_the_connector_sends_it_again(ruled):
    name = person()
    client = await Client.connect(ruled.socket_url, ruled.token(name), {"inbox": 0})
    table = Table(ruled)
    id = abs(hash(name)) % 10**9
    opened, done = table.row(id, "open", name), table.row(id, "done", name)
    table.change("c", None, opened)
    for _ in range(5):
        table.change("u", opened, done)
        table.change("u", done, opened)
    table.write(*table.sent)
    other = person()
    table.change("c", None, table.row(id + 1, "open", other))
    live = "SELECT count(*) FROM hub.entry e JOIN hub.channel c ON c.id = e.channel_id WHERE c.name = %s AND e.kind = 'notification' AND e.retracted_at IS NULL"
    await asyncio.to_thread(wait_until, lambda: query(ruled.database, live, f"inbox:{other}") == [(1,)], "the last change is stored")
    await asyncio.to_thread(wait_until, lambda: metric(ruled, "hub_kafka_lag_records") == 0, "all records are stored")
    assert query(ruled.database, live, f"inbox:{name}") == [(1,)]
    fresh = await Client.connect(ruled.socket_url, ruled.token(name))
    (state,) = [channel for channel in fresh.welcome["channels"] if channel["channel"] == "inbox"]
    assert state["unread"] == 1


async def test_rows_of_a_snapshot_notify_nobody(ruled):
    name, other = person(), person()
    client = await Client.connect(ruled.socket_url, ruled.token(name), {"inbox": 0})
    table = Table(ruled)
    table.change("r", None, table.row(1, "open", name))
    table.change("c", None, table.row(1, "open", other))
    follower = await Client.connect(ruled.socket_url, ruled.token(other), {"inbox": 0})
    await follower.entries("inbox", 1)
    assert client.entries_of("inbox") == []


async def test_changed_rules_apply_and_a_refused_file_changes_nothing(ruled):
    name = person()
    client = await Client.connect(ruled.socket_url, ruled.token(name), {"inbox": 0})
    table = Table(ruled)
    ruled.rules_file.write_text(RULES.replace("review.requested", "review.asked"))
    await asyncio.to_thread(wait_until, lambda: ruled.log.read_text().count("rules loaded") > 1, "the changed rules are loaded")
    table.change("c", None, table.row(abs(hash(name)) % 10**9, "open", name))
    assert (await client.next("entry", channel="inbox"))["event"] == "review.asked"
    ruled.rules_file.write_text(RULES + "  - nonsense: true\n")
    await asyncio.to_thread(wait_until, lambda: metric(ruled, "hub_rules_up_to_date") == 0, "the file is refused")
    table.change("c", None, table.row(abs(hash(name)) % 10**9 + 1, "open", name))
    assert [entry["event"] for entry in await client.entries("inbox", 2)] == ["review.asked"] * 2
    ruled.rules_file.write_text(RULES)
    await asyncio.to_thread(wait_until, lambda: metric(ruled, "hub_rules_up_to_date") == 1, "the file is good again")


async def test_a_hub_does_not_start_without_the_rules_that_it_is_to_use(platform):
    folder = scratch("rules-refused")
    (folder / "rules.yaml").write_text("version: 1\nrules: [{ name: a }]\n")
    hub = platform.hub("unruled", extra={"HUB_RULES_FILE": str(folder / "rules.yaml"), "HUB_RULES_TOPICS": "platform.app.other"})
    served = subprocess.run([hub_program(), "serve"], env=hub._environment, capture_output=True, text=True, timeout=60)
    assert served.returncode != 0 and "reading the rules" in served.stderr and "line 2: rule a: table: missing" in served.stderr
    check = subprocess.run([hub_program(), "check"], env=hub._environment, capture_output=True, text=True, timeout=60)
    assert check.returncode != 0 and "rules: " in check.stdout and "line 2: rule a: table: missing" in check.stdout
    (folder / "rules.yaml").write_text(RULES)
    check = subprocess.run([hub_program(), "check"], env=hub._environment, capture_output=True, text=True, timeout=60)
    assert "1 rules, no fault" in check.stdout and "platform.app.other" in check.stdout
