"""Checks every line that a client of these tests sends or receives against the documented schemas."""

import json
import re
from pathlib import Path

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "docs" / "reference" / "schemas"


def strict(node):
    """An open schema of what the hub sends, closed as far as this hub goes: nothing beyond the listed members and values.

    Clients must accept more, because version 1 grows by additions; a test must notice what is not documented.
    """
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    closed = {name: strict(value) for name, value in node.items() if not name.startswith("x-")}
    if "x-known" in node:
        closed["enum"] = node["x-known"]
    if "x-strict" in node:
        closed["allOf"] = closed.get("allOf", []) + [node["x-strict"]]
    if node.get("type") == "object" and "properties" in node:
        closed.setdefault("additionalProperties", False)
    return closed


client_command = json.loads((SCHEMAS / "client-command.json").read_text())
published_frame = json.loads((SCHEMAS / "server-frame.json").read_text())
server_frame = strict(published_frame)
server_frame["anyOf"] = [ref for ref in server_frame["anyOf"] if ref["$ref"] != "#/$defs/unknown"]
published_fallback = json.loads((SCHEMAS / "fallback.json").read_text())
fallback = strict(published_fallback)
rules = json.loads((SCHEMAS / "rules.json").read_text())
del fallback["$defs"]["poll-request"]["additionalProperties"]  # what a client sends may have more
_registry = Registry().with_resources(
    (schema["$id"], Resource.from_contents(schema)) for schema in (client_command, server_frame, fallback))


def _validators(schema):
    return {
        name: Draft202012Validator({"$ref": f'{schema["$id"]}#/$defs/{name}'}, registry=_registry)
        for name in schema["$defs"]}


_frames = _validators(server_frame)
_commands = _validators(client_command)
_fallback = _validators(fallback)

# What any client of the running test sent or received against the schema; the fixture `no_violations` wants it empty.
violations = []


def pushes():
    return {ref["$ref"].rsplit("/", 1)[1] for ref in server_frame["anyOf"]} - {"reply", "error"}


def complaint(frame, command=None):
    """The reason why `frame` differs from the documentation, or None. `command` is the command that a reply answers."""
    if not isinstance(frame, dict):
        return f"not an object: {frame!r}"
    if "re" in frame:
        name = "error" if "error" in frame else f"reply-{command}" if command else "reply"
    else:
        name = frame.get("type")
        if name not in pushes():
            return f"an undocumented push: {frame!r}"
    if name not in _frames:
        return f"no schema for {name}: {json.dumps(frame, ensure_ascii=False)[:800]}"
    for error in _frames[name].iter_errors(frame):
        return f"{name}: {error.json_path}: {error.message[:500]} in {json.dumps(frame, ensure_ascii=False)[:800]}"
    return None


def command_complaint(command):
    kind = command.get("type") if isinstance(command, dict) else None
    if kind not in _commands:
        return f"an undocumented command: {command!r}"
    for error in _commands[kind].iter_errors(command):
        return f"{kind}: {error.json_path}: {error.message}"
    return None


def fallback_complaint(name, body):
    """Why the JSON `body` is not the documented `poll-request`, `poll-answer` or `refusal`, or None."""
    for error in _fallback[name].iter_errors(body):
        return f"{name}: {error.json_path}: {error.message[:500]} in {json.dumps(body, ensure_ascii=False)[:800]}"
    return None


def check_command(command):
    if (why := command_complaint(command)) is not None:
        violations.append(f"sent by the test: {why}")


def check(frame, command=None):
    if (why := complaint(frame, command)) is not None:
        violations.append(why)


def lines(text):
    """The objects of one frame."""
    return [json.loads(line) for line in text.split("\n") if line]


def documented(kind):
    """`(code, name, temporary)` rows of a table of docs/reference/protocol.md: `close` or `error`."""
    document = (ROOT / "docs" / "reference" / "protocol.md").read_text()
    table = re.search(r"<!-- codes:begin -->(.*?)<!-- codes:end -->", document, re.S)[1]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| ") and not line.startswith(("| code", "|---"))]
    numbered = [row for row in rows if row[0].strip("`").isdigit()]
    return numbered if kind == "close" else [row for row in rows if row not in numbered]
