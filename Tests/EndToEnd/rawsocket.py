"""Bytes on a TCP connection, for input that a correct client does not send."""

import asyncio
import base64
import hashlib
import os
import struct

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HEAD = {
    "Host": "127.0.0.1", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Protocol": "hub.v1.json"}


def accept_of(key):
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


def head(path="/v1/socket", method="GET", version="HTTP/1.1", without=(), **changed):
    fields = {**HEAD, **{name.replace("_", "-"): value for name, value in changed.items()}}
    lines = [f"{name}: {value}" for name, value in fields.items() if name not in without and value is not None]
    return "\r\n".join([f"{method} {path} {version}", *lines, "", ""]).encode()


def frame(opcode, payload=b"", *, fin=True, masked=True, rsv=0, length=None):
    """One frame; `length` replaces the true length of the payload."""
    payload = payload.encode() if isinstance(payload, str) else payload
    claimed = len(payload) if length is None else length
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    mask = 0x80 if masked else 0
    if claimed < 126:
        start = struct.pack("!BB", first, mask | claimed)
    elif claimed < 65_536:
        start = struct.pack("!BBH", first, mask | 126, claimed)
    else:
        start = struct.pack("!BBQ", first, mask | 127, claimed)
    if not masked:
        return start + payload
    key = os.urandom(4)
    return start + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


class RawSocket:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, address):
        return cls(*await asyncio.open_connection(*address))

    @classmethod
    async def upgraded(cls, address):
        raw = await cls.open(address)
        raw.send(head())
        status, headers, _ = await raw.response()
        assert status == 101, (status, headers)
        return raw

    def send(self, data):
        self.writer.write(data)

    async def response(self, seconds=15):
        """Status, headers in lower case, and the body as far as its length says."""
        async with asyncio.timeout(seconds):
            text = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = text.split("\r\n")[:-2]
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
            return int(first.split()[1]), headers, body.decode()

    async def receive(self, seconds=15):
        """Opcode and payload of the next frame; None at the end of the connection."""
        async with asyncio.timeout(seconds):
            try:
                first, second = await self.reader.readexactly(2)
                size = second & 0x7F
                if size == 126:
                    size = struct.unpack("!H", await self.reader.readexactly(2))[0]
                elif size == 127:
                    size = struct.unpack("!Q", await self.reader.readexactly(8))[0]
                assert not second & 0x80, "a server never masks (RFC 6455 §5.1)"
                return first & 0x0F, await self.reader.readexactly(size)
            except (asyncio.IncompleteReadError, ConnectionError):
                return None

    async def close_code(self):
        """Reads up to the close frame, and returns its code. None when the connection ends without one."""
        while (got := await self.receive()) is not None:
            if got[0] == 8:
                return struct.unpack("!H", got[1][:2])[0] if got[1] else 1005
        return None

    async def ends(self, seconds=15):
        async with asyncio.timeout(seconds):
            try:
                while await self.reader.read(4096):
                    pass
            except ConnectionError:
                pass

    def close(self):
        self.writer.close()
