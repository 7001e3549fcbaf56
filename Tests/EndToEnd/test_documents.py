"""The documentation agrees with itself: examples with schemas, schemas with the code tables, AsyncAPI with the schemas, links with files."""

import json
import re
import subprocess

import pytest
import yaml
from jsonschema import Draft202012Validator

import protocol
from processes import hub_program

DOCUMENT = (protocol.ROOT / "docs" / "reference" / "protocol.md").read_text()
EXAMPLES = [
    (arrow, json.loads(text)) for arrow, text in re.findall(r"^(→|←) (\{.*\})$", DOCUMENT, re.M)]
COMMANDS = {ref["$ref"].rsplit("/", 1)[1] for ref in protocol.client_command["oneOf"]}


SCHEMAS = {
    "commands": protocol.client_command, "frames": protocol.published_frame, "strict frames": protocol.server_frame,
    "fallback": protocol.published_fallback, "strict fallback": protocol.fallback, "rules": protocol.rules}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_every_schema_is_valid(schema):
    Draft202012Validator.check_schema(schema)


def test_every_example_obeys_the_schemas():
    whole = Draft202012Validator(protocol.published_frame)
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


def test_every_example_over_http_obeys_the_schemas():
    """In "Without a WebSocket" a line of JSON is a command, a frame, or a body; `data:` is before a frame."""
    chapter = re.search(r"^## Without a WebSocket\n(.*?)^## ", DOCUMENT, re.M | re.S)[1]
    kinds, asked, complaints = set(), {}, []
    for text in re.findall(r"^(?:data: )?(\{.*\})$", chapter, re.M):
        line = json.loads(text)
        kind = next((kind for member, kind in (("events", "poll-answer"), ("after", "poll-request"), ("error", "refusal")) if member in line), "frame")
        if "re" in line:
            complaints.append(protocol.complaint(line, asked[line["re"]]))
        elif kind != "frame":
            complaints.append(protocol.fallback_complaint(kind, line))
        elif line["type"] in COMMANDS and "id" in line:
            asked[line["id"]] = line["type"]
            complaints.append(protocol.command_complaint(line))
            kind = "command"
        else:
            complaints.append(protocol.complaint(line))
        kinds.add(kind)
    assert [why for why in complaints if why] == []
    assert kinds == {"frame", "command", "poll-request", "poll-answer", "refusal"}


def test_every_status_of_a_refused_request_has_a_row():
    chapter = re.search(r"^### Refused requests\n(.*?)^### ", DOCUMENT, re.M | re.S)[1]
    rows = re.findall(r"^\| \d{3} \| (.*?) \|", chapter, re.M)
    documented = {code for row in rows for code in re.findall(r"`([a-z_]+)`", row)}
    assert documented == set(protocol.fallback["$defs"]["refusal"]["properties"]["error"]["properties"]["code"]["enum"])


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


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "surprise"},
        {"type": "bye", "code": 4299, "reason": "new", "reconnect": True, "afterMs": 0, "spreadMs": 0, "more": 1},
        {"type": "signal", "signal": "waving", "how": "wildly"},
        {"type": "signal", "signal": "live", "channel": "inbox", "seq": 1, "more": True},
        {"type": "counters", "version": 1, "channels": [], "totals": {"unread": 0, "unseen": 0, "urgent": 0, "mentions": 2}},
        {"type": "entry", "channel": "inbox", "seq": 1, "id": "a", "kind": "poll", "event": "x", "priority": "normal", "form": "full",
         "createdAt": "2026-11-23T22:45:00.123Z", "options": ["a"]},
        {"re": 1, "ok": {"channel": "inbox", "delivered": 1, "surprise": 1}},
        {"re": 1, "error": {"code": "new_code", "message": "x", "temporary": True, "retryAfterMs": 5, "hint": "y"}},
    ], ids=lambda frame: json.dumps(frame)[:60])
def test_the_published_schema_lets_version_1_grow(frame):
    assert Draft202012Validator(protocol.published_frame).is_valid(frame)
    assert protocol.complaint(frame, "ack" if "ok" in frame else None) is not None, "this hub does not send it"


def test_the_pushes_that_the_schema_knows_are_those_it_excludes_from_the_unknown():
    unknown = protocol.published_frame["$defs"]["unknown"]["properties"]["type"]["not"]["enum"]
    assert set(unknown) == protocol.pushes()


def test_a_reply_to_another_command_is_noticed():
    frame = {"re": 1, "ok": {"channel": "inbox", "delivered": 1}}
    assert protocol.complaint(frame, "ack") is None
    assert protocol.complaint(frame, "unsubscribe") is not None


def test_the_error_codes_of_the_schema_are_those_of_the_table():
    error = protocol.server_frame["$defs"]["error"]["properties"]["error"]
    rows = protocol.documented("error")
    assert [row[0].strip("`") for row in rows] == error["properties"]["code"]["enum"]
    temporary = protocol.published_frame["$defs"]["error"]["properties"]["error"]["x-strict"]["if"]["properties"]["code"]["enum"]
    assert [row[0].strip("`") for row in rows if row[1] == "yes"] == temporary


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


DOCUMENTS = sorted(
    [*protocol.ROOT.glob("*.md"), *(protocol.ROOT / "docs").rglob("*.md"), *(protocol.ROOT / "examples").rglob("*.md"), protocol.ROOT / "bench" / "METHOD.md"])


def anchors(path):
    """What GitHub makes of the headings of a document."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S)
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.M)}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(protocol.ROOT)))
def test_every_link_has_a_target(path):
    text = re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S))
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_document_that_the_code_names_exists():
    missing = set()
    for folder in ("Sources", "Tests", "web", "bench", "scripts", "examples"):
        for path in (protocol.ROOT / folder).rglob("*"):
            if path.suffix not in {".swift", ".py", ".js", ".sh", ".c", ".h", ""} or not path.is_file() or ".build" in path.parts:
                continue
            for name in re.findall(r"\bdocs/[\w/-]+\.(?:md|json|yaml)", path.read_text(errors="ignore")):
                if not (protocol.ROOT / name).exists():
                    missing.add(f"{path.relative_to(protocol.ROOT)}: {name}")
    assert missing == set()


def test_the_map_names_every_folder_of_the_sources():
    text = (protocol.ROOT / "ARCHITECTURE.md").read_text()
    folders = {folder.name for folder in (protocol.ROOT / "Sources").iterdir() if folder.is_dir()}
    assert {name for name in folders if not re.search(rf"\b{name}\b", text)} == set()


def test_every_decision_is_listed():
    folder = protocol.ROOT / "docs" / "decisions"
    listed = re.findall(r"\((\d{4}-[^)]*\.md)\)", (folder / "README.md").read_text())
    assert sorted(listed) == sorted(path.name for path in folder.glob("0*.md"))
    for path in folder.glob("0*.md"):
        assert re.findall(r"^#+ (.*)$", path.read_text(), re.M)[1:] == ["Context", "Decision", "Consequences"], path.name


RULES = {
    "example": (protocol.ROOT / "examples" / "cdc" / "rules.yaml").read_text(),
    "reference": re.search(r"^```yaml\n(version: 1.*?)^```", (protocol.ROOT / "docs/reference/rules.md").read_text(), re.M | re.S).group(1)}
RULE = "version: 1\nrules:\n  - { name: a, table: s.t, to: 'user:{u}', type: x%s }\n"
REFUSED_RULES = [
    "version: 2\n", "rules: []\n", "version: 1\nrulez: []\n", "version: 1\nrules: 1\n", "version: 1\nrules: [{ name: a }]\n",
    "version: 1\ntables: { s.t: { identity: half } }\n", "version: 1\ntables: { a.b.c: {} }\n",
    *(RULE % more for more in (
        ", operations: truncate", ", priority: urgent", ", expires: soon", ", form: short", ", receipt: perhaps", ", wehn: 'true'"))]


def checked_by_the_hub(text, folder, *flags):
    file = folder / "rules.yaml"
    file.write_text(text)
    return subprocess.run([hub_program(), "rules", "check", *flags, str(file)], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("text", [*RULES.values(), RULE % "", RULE % ", operations: [insert, delete], receipt: true"])
def test_rules_files_obey_the_schema_and_the_hub_takes_them(text, tmp_path):
    Draft202012Validator(protocol.rules).validate(yaml.safe_load(text))
    checked = checked_by_the_hub(text, tmp_path)
    assert checked.returncode == 0 and "no fault" in checked.stdout, checked.stderr


@pytest.mark.parametrize("text", REFUSED_RULES)
def test_what_the_schema_of_rules_refuses_the_hub_refuses(text, tmp_path):
    assert not Draft202012Validator(protocol.rules).is_valid(yaml.safe_load(text))
    checked = checked_by_the_hub(text, tmp_path)
    assert checked.returncode == 78 and "line" in checked.stderr, checked.stderr


def test_rules_describe_themselves_in_french(tmp_path):
    said = checked_by_the_hub(RULES["example"], tmp_path, "--language", "fr").stdout
    assert "review-requested : ajout ou modification d’une ligne de app.review quand " in said and "colonnes qui sortent : activity, due, id" in said
