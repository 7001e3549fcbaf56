"""Rights that rows of the platform's tables grant: they begin and end with the row, its condition and its dates, on living sessions."""

import asyncio
import json
import subprocess
import time

import pytest

from hubclient import Client, Refused
from processes import scratch
from rig import event, person, query

TOPIC = "rights.app.assignment"
RULES = """
version: 1
access:
  - name: members
    table: app.assignment
    when: after.role == "STUDENT"
    user: "{login}"
    channel: "broadcast:activity:{activity}"
    from: starts
    until: ends
tables:
  app.assignment:
    columns: {id: integer, login: text, activity: text, role: text, starts: timestamptz, ends: timestamptz}
"""


class Assignments:
    """Writes the records that Debezium would write, with REPLICA IDENTITY DEFAULT."""

    lsn = 5_000

    def __init__(self, hub):
        self.hub = hub

    def write(self, op, id, login=None, activity=None, role="STUDENT", starts=None, ends=None):
        Assignments.lsn += 8
        lsn = Assignments.lsn
        def moment(seconds):
            return None if seconds is None else time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"
        row = {"id": id, "login": login, "activity": activity, "role": role, "starts": moment(starts), "ends": moment(ends)}
        deleted = {"id": id, "login": None, "activity": None, "role": None, "starts": None, "ends": None}
        value = {
            "before": deleted if op == "d" else None, "after": None if op == "d" else row, "op": op, "ts_ms": 1_764_500_000_000 + lsn,
            "source": {
                "version": "3.6.3", "connector": "postgresql", "name": "rights", "ts_ms": 1_764_500_000_000 + lsn, "snapshot": "false",
                "db": "platform", "sequence": json.dumps([str(lsn - 8), str(lsn)]), "schema": "app", "table": "assignment",
                "txId": lsn, "lsn": lsn, "xmin": None}}
        subprocess.run(
            ["kcat", "-P", "-b", self.hub.kafka.brokers, "-t", TOPIC, "-K", "\t"], input=f'{{"id":{id}}}\t{json.dumps(value)}\n', text=True,
            check=True, timeout=60)


@pytest.fixture(scope="module")
def guarded(platform):
    file = scratch("access") / "rules.yaml"
    file.write_text(RULES)
    subprocess.run(
        ["kcat", "-P", "-b", platform.broker.brokers, "-t", TOPIC, "-K", "\t"], input='{"id":0}\tnull\n', text=True, check=True, timeout=60)
    hub = platform.hub("guarded", extra={"HUB_RULES_FILE": str(file), "HUB_RULES_TOPICS": TOPIC})
    try:
        yield hub.start()
    finally:
        hub.stop()


async def follow(hub, login, activity):
    """A session of the user, which follows the activity as soon as it may."""
    client = await Client.connect(hub.socket_url, hub.token(login))
    for _ in range(200):
        try:
            await client.ask("subscribe", channel=f"broadcast:activity:{activity}")
            return client
        except Refused as error:
            assert error.code == "forbidden"
            await asyncio.sleep(0.1)
    raise AssertionError("the right did not come")


async def lost(client, activity):
    signal = await client.next("signal", signal="unsubscribed")
    assert signal["channel"] == f"broadcast:activity:{activity}"
    with pytest.raises(Refused) as error:
        await client.ask("subscribe", channel=f"broadcast:activity:{activity}")
    assert error.value.code == "forbidden"
    with pytest.raises(Refused):
        await client.ask("history", channel=f"broadcast:activity:{activity}")


async def test_a_row_grants_and_its_deletion_takes_the_channel_from_the_living_session(guarded):
    rows, alice, activity = Assignments(guarded), person("alice"), person("a")
    rows.write("c", 1, alice, activity)
    client = await follow(guarded, alice, activity)
    guarded.kafka.produce(event(f"broadcast:activity:{activity}", title="For members"), key=activity)
    assert (await client.next("entry"))["title"] == "For members"
    rows.write("d", 1)
    await lost(client, activity)
    guarded.kafka.produce(event(f"broadcast:activity:{activity}", title="Not for her"), key=activity)
    await asyncio.sleep(1)
    assert not [frame for frame in client.heard if frame.get("title") == "Not for her"]


async def test_a_role_that_changes_ends_the_right(guarded):
    rows, bob, activity = Assignments(guarded), person("bob"), person("a")
    rows.write("c", 2, bob, activity)
    client = await follow(guarded, bob, activity)
    rows.write("u", 2, bob, activity, role="STAFF")
    await lost(client, activity)
    rows.write("u", 2, bob, activity)
    await follow(guarded, bob, activity)


async def test_dates_pass_without_any_row_changing(guarded):
    rows, carol, activity = Assignments(guarded), person("carol"), person("a")
    now = time.time()
    rows.write("c", 3, carol, activity, starts=now + 2, ends=now + 7)
    client = await follow(guarded, carol, activity)
    assert time.time() >= now + 2, "not before it begins"
    await lost(client, activity)
    assert time.time() >= now + 7


async def test_rows_of_a_snapshot_grant_too(guarded):
    rows, dora, activity = Assignments(guarded), person("dora"), person("a")
    rows.write("r", 4, dora, activity)
    client = await follow(guarded, dora, activity)
    assert not [frame for frame in client.heard if frame["type"] == "entry"]


async def test_a_row_that_names_no_user_is_a_dead_letter_and_the_others_go_on(guarded, platform):
    rows, eve, activity = Assignments(guarded), person("eve"), person("a")
    rows.write("c", 5, eve, activity)
    client = await follow(guarded, eve, activity)
    rows.write("u", 5, "x" * 300, activity)
    await lost(client, activity)
    fay = person("fay")
    rows.write("c", 6, fay, activity)
    await follow(guarded, fay, activity)
    assert query(platform.database.url, "select count(*) from hub.access_grant where user_id = %s", fay) == [(1,)]
