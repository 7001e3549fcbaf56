"""examples/avenirs: the platform's notification table, real Debezium with its settings, the gateway's signed context, a ticket and a socket."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
import uuid

import httpx
import psycopg
import pytest

from debezium import Debezium, FETCH_WAIT
from hubclient import Client
from processes import run, scratch
from protocol import ROOT
from rig import Postgres, person

EXAMPLE = ROOT / "examples" / "avenirs"
PREFIX = "avenirs_rt"
SECRET = b"the-gateway-s-secret-of-32-bytes"


@pytest.fixture(scope="module")
def table(platform):
    """The platform's database, with one row from before."""
    postgres = Postgres("avenirs", settings={"wal_level": "logical", "max_replication_slots": 4, "max_wal_senders": 4})
    run("psql", "-qX", "-v", "ON_ERROR_STOP=1", postgres.url, "-f", EXAMPLE / "schema.sql")
    debezium = Debezium(postgres.url, platform.broker.brokers, name="avenirs", prefix=PREFIX, tables="dev.*")
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("insert into dev.notification (type, element_id, user_id) values ('ASK_FOR_FEEDBACK', gen_random_uuid(), 'earlier')")
        try:
            yield connection, debezium
        finally:
            debezium.wipe()
    postgres.wipe()


@pytest.fixture(scope="module")
def behind_gateway(platform, table):
    run("kcat", "-P", "-b", platform.broker.brokers, "-t", f"{PREFIX}.dev.notification", "-K", "\t", "-Z", text='{"id":0}\t\n')
    keys = scratch("avenirs") / "context-keys.json"
    encoded = base64.urlsafe_b64encode(SECRET).rstrip(b"=").decode()
    keys.write_text(json.dumps({"keys": [{"kty": "oct", "alg": "HS256", "kid": "v1", "k": encoded}]}))
    hub = platform.hub("avenirs-hub", extra={
        "HUB_RULES_FILE": str(EXAMPLE / "rules.yaml"), "HUB_RULES_TOPICS": rf"^{PREFIX}\..*", "HUB_AUTH_CONTEXT_KEYS": str(keys),
        "HUB_KAFKA_FETCH_WAIT": FETCH_WAIT})
    try:
        hub.start()
        table[1].start()
        yield hub
    finally:
        hub.stop()


async def through_the_gateway(hub, user, roles=("ROLE_STAFF",)):
    """A ticket as the page gets it, and a socket with it."""
    now = int(time.time())
    context = json.dumps({"sub": user, "iat": now, "exp": now + 300, "authorities": list(roles), "roles": list(roles)})
    signature = base64.b64encode(hmac.new(SECRET, context.encode(), hashlib.sha256).digest()).decode()
    fields = {"X-Signed-Context": context, "X-Context-Signature": signature, "X-Context-Kid": "v1"}
    answer = await asyncio.to_thread(httpx.post, f"{hub.url}/v1/ticket", headers=fields)
    client = await Client.open(hub.socket_url)
    client.welcome = await client.ask("connect", ticket=answer.json()["ticket"], channels=[{"channel": "inbox", "since": 0}])
    assert client.welcome["user"] == user
    return client


async def unread(client, number):
    def found():
        told = [one["unread"] for frame in client.heard if frame["type"] == "counters" for one in frame["channels"] if one["channel"] == "inbox"]
        return True if told and told[-1] == number else None

    await client._until(found, f"{number} unread", 20)


def notify(table, user, type="ASK_FOR_FEEDBACK", element=None, category="STAFF"):
    element = element or uuid.uuid4()
    return table[0].execute(
        "insert into dev.notification (type, element_id, user_category, user_id, parameters) values (%s, %s, %s, %s, %s) returning id",
        (type, element, category, user, '["a secret text"]')).fetchone()[0]


async def test_a_row_is_an_entry_until_it_is_deleted(behind_gateway, table):
    user = person("teacher") + "@univ.example"
    client = await through_the_gateway(behind_gateway, user)
    row = notify(table, user)
    entry = await client.next("entry", channel="inbox")
    assert (entry["event"], entry["form"]) == ("platform.ask-for-feedback", "hint")
    assert entry["title"]["fr"] == "Un étudiant attend votre retour"
    assert entry["data"]["id"] == str(row) and entry["data"]["user_category"] == "STAFF"
    assert "secret" not in json.dumps(client.heard), "only the columns that the rule names leave"
    await unread(client, 1)
    table[0].execute("delete from dev.notification where id = %s", (row,))
    told = await client.next("entry", channel="inbox")
    assert (told["kind"], told["refers"]) == ("retraction", entry["seq"])
    await unread(client, 0)


async def test_what_the_old_page_marks_as_seen_leaves_the_new_one(behind_gateway, table):
    user = person("student")
    client = await through_the_gateway(behind_gateway, user, ["ROLE_STUDENT"])
    row = notify(table, user, "ACTIVITY_MODIFIED", category="STUDENT")
    entry = await client.next("entry", channel="inbox")
    table[0].execute("update dev.notification set seen = true, updated_at = now() where id = %s", (row,))
    told = await client.next("entry", channel="inbox")
    assert (told["kind"], told["refers"]) == ("retraction", entry["seq"])
    await unread(client, 0)


async def test_ten_changes_of_one_activity_count_once(behind_gateway, table):
    user, element = person("student"), uuid.uuid4()
    client = await through_the_gateway(behind_gateway, user)
    for _ in range(10):
        notify(table, user, "ACTIVITY_MODIFIED", element)
    await client.entries("inbox", 10)
    await unread(client, 1)


async def test_a_type_without_a_rule_of_its_own_reaches_its_user(behind_gateway, table):
    user = person("student")
    client = await through_the_gateway(behind_gateway, user)
    notify(table, user, "SOMETHING_NEW")
    entry = await client.next("entry", channel="inbox")
    assert (entry["event"], entry["data"]["type"]) == ("platform.notification", "SOMETHING_NEW")


async def test_rows_from_before_notify_nobody(behind_gateway, table):
    notify(table, marker := person("marker"))
    await (await through_the_gateway(behind_gateway, marker)).entries("inbox", 1)
    client = await through_the_gateway(behind_gateway, "earlier")
    assert not client.entries_of("inbox")
