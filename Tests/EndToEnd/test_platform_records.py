"""The platform's own records become entries for their audience, and what rows contain stays in the hub."""

import asyncio
import json
import subprocess
import uuid

import pytest

from hubclient import Client
from rig import person

TOPIC = "avenirs_rt.events"


@pytest.fixture(scope="module")
def realtime(platform):
    subprocess.run(["kcat", "-P", "-b", platform.broker.brokers, "-t", TOPIC], input="null\n", text=True, check=True, timeout=60)
    hub = platform.hub("realtime", extra={"HUB_RULES_TOPICS": TOPIC, "HUB_KAFKA_DEAD_LETTER_TOPIC": "realtime.dlq"})
    try:
        yield hub.start()
    finally:
        hub.stop()


def write(hub, *records):
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    subprocess.run(["kcat", "-P", "-b", hub.kafka.brokers, "-t", TOPIC], input=text, text=True, check=True, timeout=60)


def planned(*audiences, id=None, type="NOTIFICATION", **metadata):
    return {
        "metadata": {
            "id": id or str(uuid.uuid4()), "priority": "HIGH", "type": type, "emitter": "portfolio", "source": "srv-7", "topic": "review",
            "operation": "UPDATE", "timestamp": "2026-11-30T10:00:00Z", **metadata},
        "payload": {"before": {"mark": 7, "student": "private"}, "after": {"mark": 15, "student": "private"}},
        "routing": {
            "audience": [{"type": kind, "targets": list(targets)} for kind, *targets in audiences],
            "retry": {"ack_required": True, "attempts": 0, "limit": 5, "backoff": "PT1M"}}}


def dead_letters(hub):
    """The headers of all dead letters, each as a text."""
    return subprocess.run(
        ["kcat", "-C", "-b", hub.kafka.brokers, "-t", "realtime.dlq", "-o", "beginning", "-e", "-q", "-f", "%h\n"], capture_output=True, text=True,
        timeout=60).stdout.splitlines()


async def eventually(found, seconds=40):
    async with asyncio.timeout(seconds):
        while not (result := await asyncio.to_thread(found)):
            await asyncio.sleep(0.1)
    return result


async def test_a_planned_record_reaches_its_audience_once_and_no_value_of_the_row_leaves(realtime):
    name, other, structure = person(), person(), f"u{uuid.uuid4().hex[:8]}"
    client = await Client.connect(realtime.socket_url, realtime.token(name), {"inbox": 0})
    member = await Client.connect(
        realtime.socket_url, realtime.token(other, institution=structure), {"inbox": 0, f"broadcast:institution:{structure}": 0})
    record = planned(("USER", name), ("STRUCTURE", structure), expiration="2099-01-01T00:00:00Z")
    write(realtime, record, record)
    entry = await client.next("entry", channel="inbox")
    assert (entry["event"], entry["priority"], entry["form"], entry["kind"]) == ("platform.review.update", "high", "hint", "notification")
    assert entry["group"] == "review" and entry["expiresAt"].startswith("2099-01-01") and entry["receipt"] == "required"
    assert "private" not in json.dumps(entry) and "data" not in entry
    told = await member.next("entry", channel=f"broadcast:institution:{structure}")
    assert told["event"] == "platform.review.update"
    write(realtime, planned(("USER", name), type="SYSTEM", priority="LOW"))
    second = await client.next("entry", channel="inbox")
    assert (second["seq"], second["event"], second["kind"]) == (2, "system.platform.review.update", "system")
    assert member.entries_of("inbox") == []


async def test_an_unknown_audience_is_dead_lettered_and_the_others_get_theirs(realtime):
    name = person()
    client = await Client.connect(realtime.socket_url, realtime.token(name), {"inbox": 0})
    write(realtime, planned(("ROOM", "b12"), ("USER", name)))
    await client.next("entry", channel="inbox")
    [headers] = await eventually(lambda: [one for one in dead_letters(realtime) if "ROOM b12" in one])
    assert "hub.dlq.reason=unknown_audience" in headers and 'hub.dlq.targets=["ROOM b12"]' in headers
    assert "got ROOM b12" in headers


async def test_a_notice_of_the_first_version_is_shown_with_its_texts(realtime):
    name = person()
    client = await Client.connect(realtime.socket_url, realtime.token(name), {"inbox": 0, "broadcast:system": 0})
    write(realtime, {
        "audience": [name], "priority": "MEDIUM", "type": "USER", "header": "Bonjour", "body": "Votre dossier est ouvert.", "footer": "ENS"})
    entry = await client.next("entry", channel="inbox")
    assert (entry["event"], entry["title"], entry["body"], entry["data"]) == (
        "platform.notice", "Bonjour", "Votre dossier est ouvert.", {"footer": "ENS"})
    mark = uuid.uuid4().hex
    write(realtime, {"audience": ["*"], "priority": "HIGH", "type": "SYSTEM", "header": mark, "body": None, "footer": None})
    while (entry := await client.next("entry", channel="broadcast:system"))["title"] != mark:
        pass
    assert (entry["event"], entry["kind"], entry["priority"]) == ("system.platform.notice", "system", "high")
