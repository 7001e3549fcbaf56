"""Rows of a PostgreSQL, captured by real Debezium, notify people by the rules of examples/cdc, and take their entries back."""

import asyncio
import contextlib
import json
import random
import re
import subprocess
import time
import urllib.request

import psycopg
import pytest

from debezium import FETCH_WAIT, PREFIX, RULES, CapturedDatabase, create_topics
from hubclient import Client, Refused
from processes import hub_program, wait_until
from rig import person

SNAPSHOT_ROWS = 1_000


@pytest.fixture(scope="module")
def rows(platform):
    """The platform's database. Its rows from before Debezium's start are open reviews of one person."""
    database = CapturedDatabase(platform.broker.brokers, [
        "insert into app.review (activity, reviewer, title, status) "
        f"select 1, 'earlier', 'Review ' || number, 'open' from generate_series(1, {SNAPSHOT_ROWS}) number"])
    try:
        yield database
    finally:
        database.wipe()


@pytest.fixture(scope="module")
def ruled(platform, rows):
    create_topics(platform.broker.brokers)
    hub = platform.hub("debezium", extra={**RULES, "HUB_KAFKA_FETCH_WAIT": FETCH_WAIT})
    try:
        hub.start()
        # The snapshot then passes through the hub.
        rows.debezium.start()
        yield hub
    finally:
        hub.stop()


def discarded(hub, reason):
    """How many records notified nobody for this reason."""
    text = urllib.request.urlopen(hub.url + "/metrics").read().decode()
    return sum(int(number) for number in re.findall(rf'^hub_intake_discards_total{{[^}}]*reason="{reason}"[^}}]*}} (\d+)', text, re.M))


async def until_discarded(hub, reason, count):
    await asyncio.to_thread(wait_until, lambda: discarded(hub, reason) >= count, f"{count} records are {reason}", 40)


async def unread(client, number):
    """Waits until the client was told of this number of unread entries in its inbox."""

    def found():
        told = [one["unread"] for frame in client.heard if frame["type"] == "counters" for one in frame["channels"] if one["channel"] == "inbox"]
        return True if told and told[-1] == number else None

    await client._until(found, f"{number} unread", 20)


async def connected(hub, name):
    return await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})


async def all_before_are_stored(hub, rows):
    """Rows in every partition notify somebody: all changes before them have had their effect."""
    markers = [person("marker") for _ in range(40)]
    clients = [await connected(hub, name) for name in markers]
    for name in markers:
        rows.review(name)
    for client in clients:
        await client.entries("inbox", 1)
        client.drop()


def left(client):
    """The reviews that the client shows after all that it heard: one id for each entry."""
    entries = client.entries_of("inbox")
    taken_back = {entry["refers"] for entry in entries if entry["kind"] == "retraction"}
    return [entry["data"]["id"] for entry in entries if entry["kind"] == "notification" and entry["seq"] not in taken_back]


async def test_an_inserted_row_notifies_and_its_delete_takes_the_entry_back(ruled, rows):
    name = person()
    client = await connected(ruled, name)
    review = rows.review(name, "Rapport d’été")
    entry = await client.next("entry", channel="inbox")
    assert entry["event"] == "review.requested" and entry["link"] == f"/reviews/{review}" and entry["data"]["id"] == review
    assert entry["title"] == {"fr": "Relecture demandée : Rapport d’été", "en": "Review requested: Rapport d’été"}
    await unread(client, 1)
    rows("delete from app.review where id = %s", review)
    told = await client.next("entry", channel="inbox")
    assert (told["kind"], told["refers"]) == ("retraction", entry["seq"])
    await unread(client, 0)


async def test_a_status_that_goes_back_and_forth_leaves_one_entry(ruled, rows):
    name = person()
    client = await connected(ruled, name)
    review = rows.review(name, status="draft")
    for number, status in enumerate(("open", "done", "open", "draft", "open"), 1):
        rows("update app.review set status = %s where id = %s", status, review)
        await client.entries("inbox", number)
    assert [(entry["kind"], entry.get("refers")) for entry in client.entries_of("inbox")] == [
        ("notification", None), ("retraction", 1), ("notification", None), ("retraction", 3), ("notification", None)]
    await unread(client, 1)
    # A column that no rule asks for.
    rows("update app.review set due = now() where id = %s", review)
    # Faster than the hub stores: what begins and ends in between need not be told.
    for status in ("done", "open") * 20:
        rows("update app.review set status = %s where id = %s", status, review)
    await all_before_are_stored(ruled, rows)
    assert len(left(client)) == 1
    await unread(client, 1)
    rows("update app.review set status = 'done' where id = %s", review)
    await client._until(lambda: True if left(client) == [] else None, "the entry is taken back", 20)
    await unread(client, 0)


async def member(hub, name, activity):
    """A session that follows the broadcast of the activity, as soon as it may."""
    client = await Client.connect(hub.socket_url, hub.token(name))
    for _ in range(300):
        with contextlib.suppress(Refused):
            await client.ask("subscribe", channel=f"broadcast:activity:{activity}")
            return client
        await asyncio.sleep(0.1)
    raise AssertionError("the right did not come")


async def test_a_revoked_role_takes_the_channel_from_the_living_session(ruled, rows):
    name = person()
    assignment = rows("insert into app.assignment (activity, login) values (1, %s) returning id", name)[0][0]
    client = await member(ruled, name, 1)
    rows("update app.assignment set role = 'NONE' where id = %s", assignment)
    signal = await client.next("signal", signal="unsubscribed")
    assert signal["channel"] == "broadcast:activity:1"
    with pytest.raises(Refused) as error:
        await client.ask("subscribe", channel="broadcast:activity:1")
    assert error.value.code == "forbidden"
    rows("update app.assignment set role = 'STAFF' where id = %s", assignment)
    client = await member(ruled, name, 1)
    rows("delete from app.assignment where id = %s", assignment)
    await client.next("signal", signal="unsubscribed")


async def test_a_validity_that_passes_takes_the_channel_although_no_row_changes(ruled, rows):
    name = person()
    began = time.monotonic()
    rows(
        "insert into app.assignment (activity, login, validity_start, validity_end) "
        "values (1, %s, now() + interval '1 second', now() + interval '8 seconds')", name)
    client = await member(ruled, name, 1)
    assert time.monotonic() - began > 0.9, "not before it begins"
    await client.next("signal", signal="unsubscribed", seconds=20)
    assert time.monotonic() - began > 7.9


async def test_what_is_rolled_back_notifies_nobody(ruled, rows):
    name = person()
    client = await connected(ruled, name)
    with psycopg.connect(rows.url) as other:
        other.execute("insert into app.review (activity, reviewer, title, status) values (1, %s, 'Undone', 'open')", [name])
        other.rollback()
        other.execute("insert into app.review (activity, reviewer, title, status) values (1, %s, 'First', 'open')", [name])
        other.execute("savepoint here")
        other.execute("insert into app.review (activity, reviewer, title, status) values (1, %s, 'Undone, too', 'open')", [name])
        other.execute("rollback to here")
        await all_before_are_stored(ruled, rows)
        assert client.entries_of("inbox") == [], "not committed yet"
        other.commit()
    assert (await client.next("entry", channel="inbox"))["title"]["en"] == "Review requested: First"
    await all_before_are_stored(ruled, rows)
    assert len(client.entries_of("inbox")) == 1


async def test_a_table_that_changes_goes_on_notifying(ruled, rows):
    name = person()
    client = await connected(ruled, name)
    before = rows.review(name, "Before")
    rows("alter table app.review add column words integer not null default 0, alter column reviewer type varchar(200)")
    after = rows("insert into app.review (activity, reviewer, title, status, words) values (1, %s, 'After', 'open', 12) returning id", name)[0][0]
    # A review that ends before its entry is stored makes none.
    await client.entries("inbox", 2)
    rows("update app.review set status = 'done' where id = %s", before)
    rows("alter table app.review drop column words")
    rows("update app.review set status = 'done' where id = %s", after)
    await client.entries("inbox", 4)
    entries = client.entries_of("inbox")
    assert sorted(entry["data"]["id"] for entry in entries if entry["kind"] == "notification") == [before, after]
    assert sorted(entry["refers"] for entry in entries if entry["kind"] == "retraction") == sorted(
        entry["seq"] for entry in entries if entry["kind"] == "notification")


async def test_a_truncate_is_counted_and_takes_nothing_back(ruled, rows):
    name = person()
    client = await connected(ruled, name)
    rows.review(name)
    await client.entries("inbox", 1)
    before = discarded(ruled, "truncate")
    rows("truncate app.review")
    await until_discarded(ruled, "truncate", before + 1)
    await all_before_are_stored(ruled, rows)
    assert len(client.entries_of("inbox")) == 1


async def test_rows_of_the_initial_snapshot_notify_nobody(ruled, rows):
    await until_discarded(ruled, "snapshot", SNAPSHOT_ROWS)
    client = await connected(ruled, "earlier")
    await all_before_are_stored(ruled, rows)
    await client.quiet()
    assert client.entries_of("inbox") == []
    # One of them still has its rule, from its next change on.
    review = rows.review("earlier", status="draft")
    rows("update app.review set status = 'open' where id = %s", review)
    assert (await client.next("entry", channel="inbox"))["data"]["id"] == review


async def test_records_with_their_schemas_have_the_same_effect(ruled, rows):
    await asyncio.to_thread(rows.debezium.stop)
    await asyncio.to_thread(rows.debezium.start, "on")
    name = person()
    client = await connected(ruled, name)
    [review], = rows(
        "insert into app.review (activity, reviewer, title, status, due) values (1, %s, 'Typed', 'open', '2027-01-31 12:00+01') returning id", name)
    entry = await client.next("entry", channel="inbox")
    assert entry["data"] == {"id": review, "due": "2027-01-31T11:00:00.000Z"}
    rows("delete from app.review where id = %s", review)
    assert (await client.next("entry", channel="inbox"))["refers"] == entry["seq"]
    await asyncio.to_thread(rows.debezium.stop)
    await asyncio.to_thread(rows.debezium.start)


def test_the_slot_moves_on_while_only_another_database_is_written(ruled, rows):
    def position():
        return rows("select confirmed_flush_lsn from pg_replication_slots")[0][0]

    rows("create database other")
    with psycopg.connect(rows.url.rpartition("/")[0] + "/other", autocommit=True) as other:
        other.execute("create table busy as select generate_series(1, 1000) number")
        [written] = other.execute("select pg_current_wal_lsn()").fetchone()
    wait_until(lambda: rows("select %s::pg_lsn <= %s::pg_lsn", written, position())[0][0], "the slot has passed what the other database wrote", 40)


async def test_a_killed_debezium_loses_nothing_and_notifies_nobody_twice(ruled, rows):
    name, chance = person(), random.Random(11)
    client = await connected(ruled, name)
    expected = {}

    def write(until):
        """Opens reviews; of some the state ends, of some the row."""
        with psycopg.connect(rows.url, autocommit=True) as connection:
            while time.monotonic() < until:
                [review] = connection.execute(
                    "insert into app.review (activity, reviewer, title, status) values (1, %s, 'Essay', 'open') returning id", [name]).fetchone()
                expected[review] = True
                if expected and chance.random() < 0.5:
                    ended = chance.choice(list(expected))
                    expected[ended] = False
                    connection.execute(
                        chance.choice(["update app.review set status = 'done' where id = %s", "delete from app.review where id = %s"]), [ended])
                time.sleep(0.005)

    for _ in range(2):
        writing = asyncio.create_task(asyncio.to_thread(write, time.monotonic() + 3))
        await asyncio.sleep(1.5)
        rows.debezium.kill()
        await writing
        await asyncio.to_thread(rows.debezium.start)
    await all_before_are_stored(ruled, rows)
    still_open = sorted(review for review, is_open in expected.items() if is_open)
    await client._until(lambda: True if sorted(left(client)) == still_open else None, "the client shows what is open", 30)
    # What was opened and ended between two looks of the hub need not be told. The rest is told once, also when Debezium sent it again.
    notified = [entry["data"]["id"] for entry in client.entries_of("inbox") if entry["kind"] == "notification"]
    assert len(notified) == len(set(notified)) and set(notified) <= set(expected)
    await unread(client, len(still_open))
    assert len(still_open) > 100


async def test_hub_doctor_finds_nothing_wrong_and_a_dead_debezium_is_an_alarm(platform, ruled, rows):
    beats = f"__debezium-heartbeat.{PREFIX}"
    extra = {
        **RULES, "HUB_KAFKA_FETCH_WAIT": FETCH_WAIT, "HUB_RULES_TOPICS": rf"^({PREFIX}\.app\..*|{beats})$", "HUB_SOURCE_SILENT_AFTER": "8s",
        "HUB_SOURCE_DATABASE_URL": rows.url}

    def doctor(hub):
        done = subprocess.run([hub_program(), "doctor", "--json"], env=hub._environment, capture_output=True, text=True, timeout=60)
        return done.returncode, [one for one in json.loads(done.stdout)["findings"] if one["grade"] != "good"]

    def silent(hub):
        text = urllib.request.urlopen(hub.url + "/metrics").read().decode()
        return re.findall(rf'^hub_source_silent{{source="{PREFIX}"}} (\d)', text, re.M)

    async with platform.running("watching-debezium", extra=extra) as hub:
        await asyncio.to_thread(wait_until, lambda: silent(hub) == ["0"], "the connector is heard", 40)
        code, findings = await asyncio.to_thread(doctor, hub)
        assert code == 0 and [one["part"] for one in findings] == ["database"] and "unlimited" in findings[0]["finding"], findings
        rows.debezium.kill()
        try:
            await asyncio.to_thread(wait_until, lambda: silent(hub) == ["1"], "the connector is silent", 40)
            await asyncio.to_thread(wait_until, lambda: doctor(hub)[0] == 1, "nobody reads the slot", 20)
            _, findings = await asyncio.to_thread(doctor, hub)
            assert any("no connector reads hub" in one["finding"] for one in findings), findings
            assert any(f"the source {PREFIX} is silent" in one["finding"] for one in findings), findings
        finally:
            await asyncio.to_thread(rows.debezium.start)
        await asyncio.to_thread(wait_until, lambda: silent(hub) == ["0"], "the connector is heard again", 40)
