"""The documentation agrees with itself: examples with schemas, schemas with the code tables, AsyncAPI with the schemas."""

import json
import re

import pytest
import yaml
from jsonschema import Draft202012Validator

import protocol

DOCUMENT = (protocol.ROOT / "docs" / "reference" / "protocol.md").read_text()
EXAMPLES = [
    (arrow, json.loads(text)) for arrow, text in re.findall(r"^(→|←) (\{.*\})$", DOCUMENT, re.M)]
COMMANDS = {ref["$ref"].rsplit("/", 1)[1] for ref in protocol.client_command["oneOf"]}


@pytest.mark.parametrize("schema", [protocol.client_command, protocol.server_frame], ids=lambda schema: schema["title"])
def test_a_schema_is_a_schema(schema):
    Draft202012Validator.check_schema(schema)


def test_every_example_obeys_the_schemas():
    whole = Draft202012Validator(protocol.server_frame)
    asked, complaints = {}, []
    for arrow, line in EXAMPLES:
        if arrow == "→":
            asked[line.get("id")] = line["type"]
            if line["type"] in COMMANDS:
                complaints.append(protocol.command_complaint(line))
        else:
            complaints.append(protocol.complaint(line, asked.get(line.get("re"))))
            assert whole.is_valid(line), line
    assert [why for why in complaints if why] == []


def test_every_command_its_reply_and_every_push_has_an_example():
    asked, answered = {}, set()
    for arrow, line in EXAMPLES:
        if arrow == "→":
            asked[line["id"]] = line["type"]
        elif "ok" in line:
            answered.add(asked[line["re"]])
    assert COMMANDS - answered == set()
    assert protocol.pushes() - {line.get("type") for arrow, line in EXAMPLES if arrow == "←"} == set()


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "surprise"},
        {"type": "bye", "code": 4200, "reason": "draining", "reconnect": True, "afterMs": 0, "spreadMs": 0, "more": 1},
        {"type": "cursor", "channel": "inbox", "delivered": 1, "seen": 1, "read": 1, "readAlso": [], "version": "1"},
        {"type": "signal", "signal": "live", "channel": "inbox", "seq": 1, "user": "bob"},
        {"type": "receipt", "channel": "inbox", "user": "bob", "delivered": 1, "read": 1},
        {"re": 1, "ok": {"channel": "inbox", "delivered": 1, "surprise": 1}},
        {"re": 1, "error": {"code": "new_code", "message": "x", "temporary": False}},
        {"re": 1, "error": {"code": "forbidden", "message": "x", "temporary": True}},
        {"re": None, "ok": {}},
    ], ids=lambda frame: json.dumps(frame)[:60])
def test_an_undocumented_frame_is_noticed(frame):
    assert protocol.complaint(frame) is not None
    assert not Draft202012Validator(protocol.server_frame).is_valid(frame)


def test_a_reply_to_another_command_is_noticed():
    frame = {"re": 1, "ok": {"channel": "inbox", "delivered": 1}}
    assert protocol.complaint(frame, "ack") is None
    assert protocol.complaint(frame, "unsubscribe") is not None


def test_the_error_codes_of_the_schema_are_those_of_the_table():
    error = protocol.server_frame["$defs"]["error"]["properties"]["error"]
    rows = protocol.documented("error")
    assert [row[0].strip("`") for row in rows] == error["properties"]["code"]["enum"]
    assert [row[0].strip("`") for row in rows if row[1] == "yes"] == error["if"]["properties"]["code"]["enum"]


def test_asyncapi_points_at_schemas_that_exist():
    text = (protocol.ROOT / "docs" / "reference" / "asyncapi.yaml").read_text()
    document = yaml.safe_load(text)
    assert document["asyncapi"] == "3.0.0"

    def references(node):
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    named = set()
    for reference in references(document):
        file, _, pointer = reference.partition("#")
        target = json.loads((protocol.ROOT / "docs" / "reference" / file).read_text()) if file else document
        for step in filter(None, pointer.split("/")):
            target = target[step]
        named.add(reference.rsplit("/", 1)[-1])
    assert protocol.pushes() | {"reply", "error", "client-command.json"} <= named
