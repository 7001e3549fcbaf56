"""What operators ask of rules: why somebody got an entry, what a rule would do, and what an outage left out."""

import asyncio
import json
import subprocess
import time

import psycopg
import pytest

from hubclient import Client, Refused
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


def test_why_gives_up_a_search_that_takes_too_long(ruled):
    with psycopg.connect(ruled.database) as connection:
        connection.execute("LOCK TABLE hub.entry IN ACCESS EXCLUSIVE MODE")
        status, _, errors = command(ruled, "why", "x", "--within", "1s")
        connection.rollback()
    assert status == 1 and "did not end within 1s: name --channel or --user" in errors


# MARK: hub rules try

CANDIDATE = RULES.replace('when: became(after.status, "open")', 'when: after.status != "done"').replace(
    "data: [id]", "data: [id, secret]") + """
  - name: broken
    table: app.review
    to: "user:{reviewer}"
    type: review.broken
    title: "{missing}"
"""


@pytest.fixture(scope="module")
def trial(ruled):
    """A topic that no hub reads, with three changes of interest and a record that nobody can read."""
    topic = f"trial.{person()}.app.review"
    table = Table(ruled, topic)
    alice, bob = person("alice"), person("bob")
    draft, opened, done = (table.row(1, status, alice) for status in ("draft", "open", "done"))
    table.change("c", None, draft)
    table.change("u", draft, opened)
    table.change("u", opened, done)
    table.change("c", None, table.row(2, "open", bob))
    table.write(table.sent[-1])
    table.write(('{"id":9}', "no JSON"))
    ruled.candidate = ruled.folder / "candidate.yaml"
    ruled.candidate.write_text(CANDIDATE)
    return topic, alice, bob


def attempt(ruled, topic, *arguments):
    return command(
        ruled, "rules", "try", str(ruled.candidate), "--topic", topic, "--against", str(ruled.rules_file), *arguments)


def test_a_candidate_is_compared_with_the_live_rules(ruled, trial):
    topic, alice, bob = trial
    status, lines, errors = attempt(ruled, topic, "--from", "beginning", "--json")
    assert status == 0, errors
    found = json.loads(lines[0])
    assert found["records"] == 6 and found["whole"] and found["topics"] == [topic] and found["refused"] == []
    assert found["rules"]["review-open"] == {"live": 2, "candidate": 3} and found["entries"] == {"live": 2, "candidate": 3}
    assert found["repeated"] == {"live": 1, "candidate": 1}
    assert found["top"][0] == {"channel": f"inbox:{alice}", "live": 1, "candidate": 2}
    assert [one["channel"] for one in found["more"]] == [f"inbox:{alice}"] and found["less"] == []
    assert found["busiest_hour_candidate"]["entries"] >= 1
    assert found["new_columns"] == [
        {"table": "app.review", "column": "secret", "rule": "review-open"}, {"table": "app.review", "column": "missing", "rule": "broken"}]
    assert [(one["name"], one["live"], one["candidate"]) for one in found["rejected"]] == [("not-json", 1, 1)]
    (failed,) = found["failed"]
    assert failed["name"] == "broken" and failed["live"] == 0 and "no column missing" in failed["example"]
    status, lines, _ = attempt(ruled, topic, "--from", "1h")
    text = "\n".join(lines)
    assert status == 0 and "6 records of " in lines[0] and "review-open" in text and "app.review.secret by rule review-open" in text
    assert query(ruled.database, "SELECT count(*) FROM hub.channel WHERE name = %s", f"inbox:{bob}") == [(0,)], "nothing was sent"


def test_a_candidate_beyond_a_limit_is_refused_with_the_reason(ruled, trial):
    topic, alice, _ = trial
    status, lines, errors = attempt(
        ruled, topic, "--from", "beginning", "--new-columns", "refuse", "--failures", "refuse", "--most-growth", "10",
        "--most-per-person-hour", "0")
    assert status == 1 and lines
    assert "refused: columns would newly leave: app.review.secret (rule review-open)" in errors
    assert "refused: rule broken would fail for " in errors and "3 entries instead of 2: more than 10 % more" in errors
    assert f"would get" in errors and "more than 0" in errors
    status, _, errors = attempt(ruled, topic, "--from", "beginning", "--limit", "2", "--most-growth", "1000")
    assert status == 1 and "the range was not read to its end" in errors
    assert attempt(ruled, topic, "--from", "beginning", "--limit", "2")[0] == 0


def test_a_range_by_offsets_and_times(ruled, trial):
    topic, _, _ = trial
    offsets = json.loads(attempt(ruled, topic, "--from", "0", "--to", "1", "--json")[1][0])
    # One record of each partition that has any.
    assert 1 <= offsets["records"] <= 4
    past = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
    earlier = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 7200))
    status, _, errors = attempt(ruled, topic, "--from", earlier, "--to", past)
    assert status == 64 and "no record lies in the range" in errors
    assert json.loads(attempt(ruled, topic, "--from", past, "--json")[1][0])["records"] == 6


def test_what_cannot_be_read_has_a_clear_error(ruled, trial):
    topic, _, _ = trial
    assert attempt(ruled, topic, "--from", "tomorrow")[0::2] == (
        64, "hub: --from tomorrow: expected a time (2026-11-30T08:00:00Z, 2026-11-30), a duration ago (2h), an offset, beginning or end\n")
    status, _, errors = attempt(ruled, topic, "--from", "2999-01-01")
    assert status == 64 and "in the future" in errors
    assert attempt(ruled, topic, "--from", "2h", "--to", "3h")[0] == 64
    status, _, errors = attempt(ruled, topic, "--from", "900", "--to", "901")
    assert status == 64 and "no record lies in the range; the records that are kept have the offsets" in errors
    status, _, errors = attempt(ruled, "no.such.topic", "--from", "beginning")
    assert status == 69 and "there is no topic no.such.topic; there are: " in errors
    status, _, errors = command(
        ruled, "rules", "try", str(ruled.candidate), "--from", "1h", HUB_KAFKA_BROKERS="127.0.0.1:1")
    assert status == 69 and "Kafka at 127.0.0.1:1" in errors
    (ruled.folder / "faulty.yaml").write_text("version: 1\nrules: [{ name: a }]\n")
    status, _, errors = command(ruled, "rules", "try", str(ruled.folder / "faulty.yaml"), "--from", "1h")
    assert status == 78 and "line 2: rule a: table: missing" in errors


# MARK: hub rules replay


def replay(ruled, topic, *arguments):
    return command(ruled, "rules", "replay", str(ruled.rules_file), "--rule", "review-open", "--topic", topic, *arguments)


async def test_what_an_outage_left_out_is_sent_once_and_only_where_it_is_still_true(ruled):
    topic = f"missed.{person()}.app.review"
    missed = Table(ruled, topic)
    alice, bob, carol = person("alice"), person("bob"), person("carol")
    id = abs(hash(alice)) % 10**9
    still, ended, deleted = missed.row(id, "open", alice), missed.row(id + 1, "open", bob), missed.row(id + 2, "open", carol)
    for row in (still, ended, deleted):
        missed.change("c", None, row)
    missed.change("u", ended, {**ended, "status": "done"})
    await asyncio.sleep(1.1)
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    await asyncio.sleep(1.1)
    missed.change("d", deleted, None)

    status, lines, errors = replay(ruled, topic, "--from", "1h", "--to", end, "--dry-run")
    text = "\n".join(lines)
    assert status == 0, errors
    assert "4 records of " in text and "1 after it" in text
    assert "rule review-open made 3 events in the range, of which 1 are missing" in text
    assert "2 are of rows that have left the state or were deleted" in text and f"to inbox:{alice}" in text
    assert query(ruled.database, "SELECT count(*) FROM hub.channel WHERE name = %s", f"inbox:{alice}") == [(0,)]

    client = await Client.connect(ruled.socket_url, ruled.token(alice), {"inbox": 0})
    status, lines, errors = replay(ruled, topic, "--from", "1h", "--to", end)
    assert status == 0 and lines[-1].startswith("sent 1 events to "), errors
    entry = await client.next("entry", channel="inbox")
    assert entry["event"] == "review.requested" and entry["data"] == {"id": id} and entry["link"] == f"/reviews/{id}"
    found = json.loads(command(ruled, "why", entry["id"], "--user", alice, "--json")[1][0])["entries"][0]
    assert found["rule"] == "review-open" and found["row"]["key"] == f'{{"id":{id}}}'

    status, lines, _ = replay(ruled, topic, "--from", "1h", "--to", end)
    assert status == 0 and "of which 0 are missing" in "\n".join(lines) and "1 are stored" in "\n".join(lines)
    for name in (bob, carol):
        assert query(ruled.database, "SELECT count(*) FROM hub.channel WHERE name = %s", f"inbox:{name}") == [(0,)]

    live = Table(ruled)
    live.lsn = missed.lsn
    live.change("u", still, {**still, "status": "done"})
    retraction = await client.next("entry", channel="inbox", kind="retraction")
    assert retraction["refers"] == entry["seq"]


async def test_what_the_hub_has_stored_is_not_sent_again(ruled):
    name = person()
    client = await Client.connect(ruled.socket_url, ruled.token(name), {"inbox": 0})
    table = Table(ruled)
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    table.change("c", None, table.row(abs(hash(name)) % 10**9, "open", name))
    await client.next("entry", channel="inbox")
    status, lines, errors = replay(ruled, TOPIC, "--from", start, "--to", "end")
    assert status == 0 and "of which 0 are missing" in "\n".join(lines), errors
    assert len(client.entries_of("inbox")) == 1


def test_a_replay_that_cannot_be_made_says_why_and_sends_nothing(ruled, trial):
    topic, _, bob = trial
    status, _, errors = command(
        ruled, "rules", "replay", str(ruled.rules_file), "--rule", "nothing", "--topic", topic, "--from", "1h", "--to", "end")
    assert status == 64 and "has no rule nothing; there are: review-open" in errors
    status, lines, errors = replay(ruled, topic, "--from", "1h", "--to", "end", "--limit", "1")
    assert status == 1 and "--limit 1 was reached" in errors
    other = ruled.folder / "other.yaml"
    other.write_text(RULES.replace("review-open", "review-other") + RULES[RULES.index("  - name"):].replace("review-open", "second"))
    status, lines, errors = command(
        ruled, "rules", "replay", str(other), "--rule", "second", "--topic", topic, "--from", "1h", "--to", "end", "--dry-run")
    assert status == 0 and "has no rule second: its entries are taken back only when their rows are deleted" in "\n".join(lines), errors
    assert query(ruled.database, "SELECT count(*) FROM hub.channel WHERE name = %s", f"inbox:{bob}") == [(0,)]
    (ruled.folder / "many.yaml").write_text(RULES.replace('when: became(after.status, "open")', "operations: insert"))
    status, lines, errors = command(
        ruled, "rules", "replay", str(ruled.folder / "many.yaml"), "--rule", "review-open", "--topic", topic, "--from", "1h", "--to", "end",
        "--most", "1")
    assert status == 1 and "nothing was sent: 2 events are more than --most 1" in errors, lines


def test_a_replay_waits_for_hubs_that_keep_rows_and_for_its_services(ruled, trial):
    topic, _, _ = trial
    query_older = "INSERT INTO hub.node (id, name, version, started_at, seen_at, state) VALUES ('older', 'hub-old-1', '0.6', now(), now(), '{\"schema\": 14}')"
    with psycopg.connect(ruled.database, autocommit=True) as connection:
        connection.execute(query_older)
        try:
            status, lines, errors = replay(ruled, topic, "--from", "1h", "--to", "end")
            assert status == 1 and "would not keep the rows of the entries: hub-old-1; update them first" in errors and not lines
        finally:
            connection.execute("DELETE FROM hub.node WHERE id = 'older'")
    arguments = ["rules", "replay", str(ruled.rules_file), "--rule", "review-open", "--topic", topic, "--from", "1h", "--to", "end"]
    assert command(ruled, *arguments, HUB_KAFKA_BROKERS="127.0.0.1:1")[0] == 69
    assert command(ruled, *arguments, HUB_DATABASE_URL="postgresql://hub@127.0.0.1:1/hub")[0] == 69


# MARK: why, asked by the person


async def test_a_person_is_told_why_they_have_an_entry(ruled):
    name = person()
    client = await Client.connect(ruled.socket_url, ruled.token(name), {"inbox": 0})
    table = Table(ruled)
    table.change("c", None, table.row(abs(hash(name)) % 10**9, "open", name))
    entry = await client.next("entry", channel="inbox")
    told = await client.ask("why", channel="inbox", seq=entry["seq"])
    assert (told["by"], told["rule"], told["event"], told["mute"]) == ("rule", "review-open", "review.requested", "review.requested")
    assert "« review-open »" in told["reason"]["fr"] and "to you personally" in told["reason"]["en"]
    for channel, seq, code in (("inbox", 99, "bad_request"), ("conversation:7b0d4a1e-52c5-4f0e-9a55-0a3c6f1f2b11", 1, "forbidden")):
        with pytest.raises(Refused) as refused:
            await client.ask("why", channel=channel, seq=seq)
        assert refused.value.code == code
    assert "why" in client.welcome["features"]
