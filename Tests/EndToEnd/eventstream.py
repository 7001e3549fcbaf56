"""A reader of `text/event-stream` that is stricter than the standard: the hub writes only what the documentation names."""

import json
from dataclasses import dataclass

import protocol

TYPES = {"entry", "cursor", "receipt", "counters", "signal", "activity", "features", "bye", "control", "reply"}


@dataclass
class Block:
    """The lines between two empty lines."""

    event: str | None = None
    data: str | None = None
    id: str | None = None
    comment: str | None = None

    @property
    def frame(self):
        return json.loads(self.data)


class Parser:
    """Takes bytes as they arrive and returns complete blocks."""

    def __init__(self):
        self._rest = b""

    def feed(self, data):
        self._rest += data
        *whole, self._rest = self._rest.split(b"\n\n")
        return [self._block(text.decode()) for text in whole]

    def _block(self, text):
        block = Block()
        for line in text.split("\n"):
            if line.startswith(":"):
                block.comment = line[1:].strip()
                continue
            name, _, value = line.partition(": ")
            if name not in ("event", "data", "id", "retry"):
                protocol.violations.append(f"an event stream with the line {line[:200]!r}")
            elif name == "data" and block.data is not None:
                protocol.violations.append("a frame over two lines of data")
            elif name != "retry":
                setattr(block, name, value)
        if block.data is not None:
            expected = "reply" if "re" in block.frame else block.frame["type"]
            if block.event != expected or expected not in TYPES:
                protocol.violations.append(f"a frame of type {expected} under the event {block.event}")
        return block
