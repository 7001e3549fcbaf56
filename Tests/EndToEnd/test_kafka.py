"""From Kafka through PostgreSQL to the recipients: forms of events, order, duplicates, undecodable records."""

import json
import subprocess
import uuid

import pytest

from hubclient import Client
from processes import wait_until
from rig import DEAD_LETTERS, TOPIC, event, person, query


async def inbox(hub):
    name = person()
    return name, await Client.connect(hub.socket_url, hub.token(name), {"inbox": 0})


async def test_one_record_for_several_people(hub):
    (a, one), (b, two), (_, three) = await inbox(hub), await inbox(hub), await inbox(hub)
    hub.kafka.produce(event(f"user:{a}", f"user:{b}", id="shared"))
    for client in (one, two):
        entry = await client.next("entry")
        assert (entry["channel"], entry["id"], entry["seq"]) == ("inbox", "shared", 1)
    await three.quiet()
    assert three.entries_of("inbox") == []


async def test_the_order_of_a_key_is_the_order_of_its_entries(hub):
    name, client = await inbox(hub)
    hub.kafka.produce(*[event(f"user:{name}", id=str(i)) for i in range(500)], key=name)
    entries = await client.entries("inbox", 500)
    assert [entry["seq"] for entry in entries] == list(range(1, 501))
    assert [entry["id"] for entry in entries] == [str(i) for i in range(500)]


async def test_an_event_published_twice_is_one_entry(hub):
    name, client = await inbox(hub)
    twice = event(f"user:{name}", id="twice")
    hub.kafka.produce(twice, twice, key=name)
    hub.kafka.produce(twice, event(f"user:{name}", id="after"), key=name)
    entries = await client.entries("inbox", 2)
    assert [entry["id"] for entry in entries] == ["twice", "after"]


async def test_records_without_an_id_are_all_kept(hub):
    name, client = await inbox(hub)
    bare = {"type": "a.b", "to": [f"user:{name}"], "title": "sans identifiant"}
    hub.kafka.produce(bare, bare, key=name)
    assert len({entry["id"] for entry in await client.entries("inbox", 2)}) == 2


async def test_a_structured_cloud_event(hub):
    name, client = await inbox(hub)
    hub.kafka.produce(
        {
            "specversion": "1.0", "id": "ce-1", "source": "/portfolio/reviews", "type": "org.example.review",
            "datacontenttype": "application/json",
            "data": {"to": [f"user:{name}"], "title": {"fr": "Relecture"}, "priority": "critical"}}, key=name)
    entry = await client.next("entry")
    assert (entry["id"], entry["event"], entry["title"], entry["priority"]) == ("ce-1", "org.example.review", {"fr": "Relecture"}, "critical")
    rows = query(hub.database, "SELECT source, source_id FROM hub.entry JOIN hub.channel ON channel.id = channel_id WHERE name = %s", f"inbox:{name}")
    assert rows == [("/portfolio/reviews", "ce-1")]


async def test_a_binary_cloud_event_with_its_trace(hub):
    name, client = await inbox(hub)
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    hub.kafka.produce(
        {"to": [f"user:{name}"], "title": "binaire"}, key=name,
        headers={
            "ce_specversion": "1.0", "ce_id": "ce-2", "ce_source": "/x", "ce_type": "org.example.binary",
            "content-type": "application/json", "traceparent": trace})
    entry = await client.next("entry")
    assert (entry["id"], entry["event"], entry["title"], entry["trace"]) == ("ce-2", "org.example.binary", "binaire", trace)


RUBBISH = [
    "rubbish", "{", '{"a":1}', '["to"]', '{"id":"x","type":"t","to":[]}', '{"id":"x","type":"t","to":["nobody:1"],"title":"x"}',
    '{"id":"x","to":["user:u"],"title":"x"}', '{"id":"x","type":"t","to":["user:"],"title":"x"}',
    '{"id":"x","type":"t","to":["user:u"],"title":"x","priority":"shouting"}', '{"id":"x","type":"t","to":["user:u"],"title":"\\u0000"}',
    '{"id":"x","type":"t","to":["user:u"],"title":"x","expiresAt":"tomorrow"}', '{"specversion":"1.0","type":"t","data":{}}',
    "\xff\xfe", "[" * 500,
]


async def test_undecodable_records_become_dead_letters_and_the_partition_goes_on(hub):
    name, client = await inbox(hub)
    mark = uuid.uuid4().hex
    hub.kafka.produce(event(f"user:{name}", id="before"), *RUBBISH, event(f"user:{name}", id="after"), key=mark)
    assert [entry["id"] for entry in await client.entries("inbox", 2)] == ["before", "after"]

    def letters():
        found = [letter for letter in hub.kafka.consume(DEAD_LETTERS) if letter["key"] == mark]
        return found if len(found) >= len(RUBBISH) else None

    found = wait_until(letters, "every bad record among the dead letters")
    assert sorted(letter["payload"] for letter in found) == sorted(RUBBISH)
    for letter in found:
        assert letter["headers"]["hub.dlq.topic"] == TOPIC and letter["headers"]["hub.dlq.reason"]


async def test_one_bad_target_does_not_stop_the_others_and_trying_again_repeats_nothing(hub):
    name, client = await inbox(hub)
    gone = f"conversation:{uuid.uuid4()}"
    hub.kafka.produce(event(f"user:{name}", gone, id="mixed"), event(f"user:{name}", "nobody:1", id="malformed"), key=name)
    assert [entry["id"] for entry in await client.entries("inbox", 2)] == ["mixed", "malformed"]

    def letters():
        found = [letter for letter in hub.kafka.consume(DEAD_LETTERS) if letter["key"] == name]
        return found if len(found) >= 2 else None

    found = {letter["headers"]["hub.dlq.reason"]: letter for letter in wait_until(letters, "both among the dead letters")}
    assert json.loads(found["no_such_conversation"]["headers"]["hub.dlq.targets"]) == [gone]
    assert json.loads(found["bad_target"]["headers"]["hub.dlq.targets"]) == ["nobody:1"]
    hub.kafka.produce(*[letter["payload"] for letter in found.values()], event(f"user:{name}", id="after"), key=name)
    assert [entry["id"] for entry in await client.entries("inbox", 3)] == ["mixed", "malformed", "after"]


async def test_a_tombstone_and_a_null_key_stop_nothing(hub):
    name, client = await inbox(hub)
    subprocess.run(["kcat", "-P", "-b", hub.kafka.brokers, "-t", TOPIC, "-Z", "-K", "|"], input=f"{name}|\n", text=True, check=True)
    hub.kafka.produce(event(f"user:{name}"))
    assert (await client.next("entry"))["seq"] == 1


async def test_a_large_event_arrives_whole_and_a_too_large_one_becomes_a_dead_letter(hub):
    name, client = await inbox(hub)
    large = event(f"user:{name}", body="é" * 14_000, data={"x": list(range(500))})
    too_large = event(f"user:{name}", body="é" * 17_000)
    hub.kafka.produce(too_large, large, key=name)
    entry = await client.next("entry")
    assert entry["body"] == large["body"] and entry["data"] == large["data"]

    def letter():
        return next((one for one in hub.kafka.consume(DEAD_LETTERS) if one["key"] == name), None)

    assert wait_until(letter, "the larger one among the dead letters")["headers"]["hub.dlq.reason"] == "too_large"


async def test_what_is_stored_can_be_read_with_psql(hub):
    name, client = await inbox(hub)
    hub.kafka.produce(event(f"user:{name}", id="p-1", title="Titre"), event(f"user:{name}", id="p-2"), key=name)
    await client.entries("inbox", 2)
    await client.ask("ack", channel="inbox", seq=2)
    found = subprocess.run(
        ["psql", "-XAt", hub.database, "-c",
         "SELECT name, channel.kind, last_seq, array_agg(source_id ORDER BY seq), min(content::json->>'title') FILTER (WHERE seq = 1), "
         "(SELECT delivered FROM hub.cursor c WHERE c.channel_id = channel.id) FROM hub.channel JOIN hub.entry ON channel_id = channel.id "
         f"WHERE name = 'inbox:{name}' GROUP BY channel.id"], capture_output=True, text=True, check=True).stdout.strip()
    assert found == f"inbox:{name}|inbox|2|{{p-1,p-2}}|Titre|2"
    positions = query(hub.database, "SELECT topic, count(*) FROM hub.intake_position WHERE topic = %s GROUP BY topic", TOPIC)
    assert positions and positions[0][0] == TOPIC


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_titles_keep_every_language(hub, language):
    name, client = await inbox(hub)
    hub.kafka.produce(event(f"user:{name}", title={"fr": "À lire", "en": "To read", "pt-BR": "Para ler"}), key=name)
    assert (await client.next("entry"))["title"][language] == {"fr": "À lire", "en": "To read"}[language]
