"""Clients of bench/keepers: the same WebSocket client, and on it the protocol of each server that stores messages and takes acks.

A client is a subscriber (`user` is a number) or the publisher (`user` is None). It reports to its load:
confirmed(number), the server has answered that the message is stored; delivered(user, number, handle, client), with which to
acknowledge; acked(user, number), the server has answered an ack. `options` has the variant: cumulative, quorum, confirms.
"""
import asyncio
import json
import os
import re

MARK = re.compile(rb"mark-(\d{12})")
TEXT_BYTES = 300


def text_of(number):
    return b"mark-%012d" % number + b" x" * ((TEXT_BYTES - 17) // 2)


def number_of(data):
    found = MARK.search(data)
    return int(found.group(1)) if found else None


class Lost(Exception):
    pass


class Client(asyncio.Protocol):
    path, subprotocol, opcode = "/", None, 0x82

    def __init__(self, load, user, options):
        self.load, self.user, self.options = load, user, options
        loop = asyncio.get_running_loop()
        self.ready, self.ended = loop.create_future(), loop.create_future()
        self.buffer, self.stream, self.upgraded, self.closing = b"", b"", False, False

    def connection_made(self, transport):
        self.transport = transport
        offer = f"sec-websocket-protocol: {self.subprotocol}\r\n" if self.subprotocol else ""
        transport.write((f"GET {self.path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n{offer}"
                         "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode())

    def connection_lost(self, error):
        self.fail(f"the connection was lost: {error}")
        if not self.ended.done():
            self.ended.set_result(None)

    def fail(self, reason):
        if not self.ready.done():
            self.ready.set_exception(Lost(reason))
            self.ready.exception()
        elif not self.closing:
            self.load.failed(f"client {self.user}: {reason}")

    def is_ready(self):
        if not self.ready.done():
            self.ready.set_result(None)

    def close(self):
        self.closing = True
        self.transport.abort()

    def data_received(self, data):
        buffer = self.buffer + data if self.buffer else data
        if not self.upgraded:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                self.buffer = buffer
                return
            if not buffer.startswith(b"HTTP/1.1 101"):
                return self.fail(buffer[:end].decode(errors="replace"))
            self.upgraded, buffer = True, buffer[end + 4:]
            self.opened()
        at, size = 0, len(buffer)
        while size - at >= 2:
            start, length = at + 2, buffer[at + 1]
            if length >= 126:
                start = at + (4 if length == 126 else 10)
                if size < start:
                    break
                length = int.from_bytes(buffer[at + 2:start], "big")
            if size < start + length:
                break
            kind, payload, at = buffer[at] & 15, buffer[start:start + length], start + length
            if kind <= 2:
                self.message(payload)
            elif kind == 9:
                self.transport.write(self.frame(0x8A, payload))
            elif kind == 8:
                self.fail(f"closed with {payload!r}")
        self.buffer = buffer[at:]

    @staticmethod
    def frame(kind, payload):
        # A mask of zeros leaves the bytes as they are.
        size = len(payload)
        if size < 126:
            return bytes((kind, 0x80 | size)) + b"\0\0\0\0" + payload
        return bytes((kind, 0xFE)) + size.to_bytes(2, "big") + b"\0\0\0\0" + payload if size < 65536 else \
            bytes((kind, 0xFF)) + size.to_bytes(8, "big") + b"\0\0\0\0" + payload

    def send(self, payload):
        self.transport.write(self.frame(self.opcode, payload))


class Nats(Client):
    """JetStream: one stream for all, a durable push consumer a user; +ACK with a reply."""

    def opened(self):
        self.send(b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true,"protocol":1}\r\n')
        self.send(b"SUB _R.%s.* 1\r\n" % self.name())
        if self.user is None:
            # The window for knowing a repeated message is left out, because no message has an id.
            self.ask("STREAM.CREATE.KEEP", {"name": "KEEP", "subjects": ["keep.*"], "storage": "file", "retention": "limits"}, "made")
        else:
            self.send(b"SUB deliver.%d 2\r\n" % self.user)
            self.ask(f"CONSUMER.DURABLE.CREATE.KEEP.u{self.user}", {"stream_name": "KEEP", "config": {
                "durable_name": f"u{self.user}", "deliver_subject": f"deliver.{self.user}", "filter_subject": f"keep.{self.user}",
                "ack_policy": "all" if self.options["cumulative"] else "explicit", "deliver_policy": "all", "ack_wait": self.options["ack wait"] * 1_000_000_000,
                "max_deliver": -1, "max_ack_pending": 1000}}, "made")

    def name(self):
        return b"p" if self.user is None else b"u%d" % self.user

    def ask(self, subject, request, reply):
        body = json.dumps(request).encode()
        self.send(b"PUB $JS.API.%s _R.%s.%s %d\r\n%s\r\n" % (subject.encode(), self.name(), reply.encode(), len(body), body))

    def message(self, payload):
        stream, at = self.stream + payload, 0
        while (end := stream.find(b"\r\n", at)) >= 0:
            words = stream[at:end].split()
            if words and words[0] in (b"MSG", b"HMSG"):
                size = int(words[-1])
                if len(stream) < end + 2 + size + 2:
                    break
                self.got(words, stream[end + 2:end + 2 + size])
                at = end + 2 + size + 2
                continue
            if words and words[0] == b"PING":
                self.send(b"PONG\r\n")
            elif words and words[0] == b"-ERR":
                self.fail(stream[at:end].decode())
            at = end + 2
        self.stream = stream[at:]

    def got(self, words, body):
        if words[2] == b"2":
            return self.load.delivered(self.user, number_of(body), words[3], self)
        what = words[1].rsplit(b".", 1)[1]
        if what == b"made":
            if b'"error"' in body and b"already in use" not in body:
                return self.fail(body.decode())
            self.is_ready()
        elif words[0] == b"HMSG" or b'"error"' in body:
            self.fail(f"answered {body!r}")
        elif self.user is None:
            self.load.confirmed(int(what))
        else:
            self.load.acked(self.user, int(what))

    def publish(self, number, user):
        body = text_of(number)
        self.send(b"PUB keep.%d _R.p.%d %d\r\n%s\r\n" % (user, number, len(body), body))

    def ack(self, handle, number):
        self.send(b"PUB %s _R.u%d.%d 4\r\n+ACK\r\n" % (handle, self.user, number))


class Rabbit(Client):
    """Web STOMP: a durable queue a user; receipts are the broker's publisher confirms. A receipt for an ack says that it was read."""
    path, subprotocol, opcode = "/ws", "v12.stomp", 0x81

    def opened(self):
        self.send(b"CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\nheart-beat:0,0\n\n\0")

    def message(self, payload):
        stream, at = self.stream + payload, 0
        while True:
            while at < len(stream) and stream[at] == 10:
                at += 1
            end = stream.find(b"\n\n", at)
            if end < 0:
                break
            head = stream[at:end].split(b"\n")
            fields = dict(line.split(b":", 1) for line in head[1:])
            length = int(fields[b"content-length"]) if b"content-length" in fields else stream.find(b"\0", end + 2) - end - 2
            if length < 0 or len(stream) < end + 2 + length + 1:
                break
            self.got(head[0], fields, stream[end + 2:end + 2 + length])
            at = end + 2 + length + 1
        self.stream = stream[at:]

    def got(self, command, fields, body):
        if command == b"CONNECTED":
            if self.user is None:
                return self.is_ready()
            kind = b"x-queue-type:quorum\n" if self.options["quorum"] else b""
            mode = b"client" if self.options["cumulative"] else b"client-individual"
            self.send(b"SUBSCRIBE\nid:0\ndestination:/queue/keep-%d\ndurable:true\nauto-delete:false\nack:%s\nprefetch-count:1000\n%s"
                      b"receipt:subscribed\n\n\0" % (self.user, mode, kind))
        elif command == b"MESSAGE":
            self.load.delivered(self.user, number_of(body), fields[b"ack"], self)
        elif command == b"RECEIPT":
            what = fields[b"receipt-id"]
            if what == b"subscribed":
                self.is_ready()
            elif self.user is None:
                self.load.confirmed(int(what))
            else:
                self.load.acked(self.user, int(what))
        else:
            self.fail(f"{command!r} {fields} {body!r}")

    def publish(self, number, user):
        body = text_of(number)
        self.send(b"SEND\ndestination:/amq/queue/keep-%d\npersistent:true\nreceipt:%d\ncontent-length:%d\n\n%s\0" % (user, number, len(body), body))

    def ack(self, handle, number):
        self.send(b"ACK\nid:%s\nreceipt:%d\n\n\0" % (handle, number))


class Mqtt(Client):
    """MQTT 3.1.1, QoS 1 both ways, sessions that are kept. A subscriber's PUBACK has no answer; with `confirms` a ping follows it, whose
    answer shows that it was read."""
    path, subprotocol = "/mqtt", "mqtt"

    def opened(self):
        self.numbers, self.pinged = {}, []
        name = b"keep-%s" % (b"p" if self.user is None else b"%d" % self.user)
        self.packet(0x10, b"\0\4MQTT\4\0\0\0" + len(name).to_bytes(2, "big") + name)

    def packet(self, kind, body):
        size, length = len(body), b""
        while True:
            length += bytes((size % 128 | (0x80 if size > 127 else 0),))
            size //= 128
            if not size:
                break
        self.send(bytes((kind,)) + length + body)

    def message(self, payload):
        stream, at = self.stream + payload, 0
        while len(stream) - at >= 2:
            size, shift, start = 0, 0, at + 1
            while start < len(stream):
                size |= (stream[start] & 127) << shift
                shift, start = shift + 7, start + 1
                if stream[start - 1] < 128:
                    break
            else:
                break
            if len(stream) < start + size:
                break
            self.got(stream[at] >> 4, stream[start:start + size])
            at = start + size
        self.stream = stream[at:]

    def got(self, kind, body):
        if kind == 2:
            if self.user is None:
                return self.is_ready()
            topic = b"keep/%d" % self.user
            self.packet(0x82, b"\0\1" + len(topic).to_bytes(2, "big") + topic + b"\1")
        elif kind == 9:
            self.is_ready()
        elif kind == 4:
            self.load.confirmed(self.numbers.pop(body[:2]))
        elif kind == 3:
            length = int.from_bytes(body[:2], "big")
            self.load.delivered(self.user, number_of(body), body[2 + length:4 + length], self)
        elif kind == 13:
            self.load.acked(self.user, self.pinged.pop(0))

    def publish(self, number, user):
        topic, handle = b"keep/%d" % user, (number % 65535 + 1).to_bytes(2, "big")
        self.numbers[handle] = number
        self.packet(0x32, len(topic).to_bytes(2, "big") + topic + handle + text_of(number))

    def ack(self, handle, number):
        self.packet(0x40, handle)
        if self.options["confirms"]:
            self.pinged.append(number)
            self.packet(0xC0, b"")


class Hub(Client):
    """The hub. Sent messages: the publisher has a conversation with each user. Events: they come through Kafka into the users' inboxes."""
    path, opcode = "/v1/socket", 0x81

    def opened(self):
        self.live = False
        self.send(json.dumps({"id": 1, "type": "connect", "token": self.options["token"](self.user)}).encode())

    def message(self, payload):
        for line in payload.split(b"\n"):
            if line.startswith(b'{"type":"entry"'):
                frame = json.loads(line)
                number = number_of(line)
                if number is not None:
                    self.load.delivered(self.user, number, frame["seq"], self)
            elif line.startswith(b'{"re":'):
                self.got(json.loads(line))
            elif line.startswith(b'{"type":"signal"') and b'"live"' in line:
                self.is_ready()
            elif line.startswith(b'{"type":"bye"'):
                self.fail(line.decode())

    def got(self, reply):
        number = reply["re"]
        if "error" in reply:
            return self.fail(json.dumps(reply))
        if number == 1:
            if self.user is None:
                return self.is_ready()
            self.channel = self.options["channels"][self.user] if self.options["channels"] else "inbox"
            state = next((one for one in reply["ok"]["channels"] if one["channel"] == self.channel), {"delivered": 0})
            self.send(b'{"id":2,"type":"subscribe","channel":"%s","since":%d}' % (self.channel.encode(), state["delivered"]))
        elif number >= 10:
            if self.user is not None:
                self.load.acked(self.user, number - 10)
            elif "seq" in reply["ok"]:
                self.load.confirmed(number - 10)
            else:
                self.load.opened(number - 10, reply["ok"]["channel"])

    def open(self, user):
        self.send(b'{"id":%d,"type":"open","with":"keep-%d"}' % (10 + user, user))

    def publish(self, number, user):
        self.send(b'{"id":%d,"type":"send","channel":"%s","key":"%d","body":"%s"}'
                  % (10 + number, self.options["channels"][user].encode(), number, text_of(number)))

    def ack(self, handle, number):
        self.send(b'{"id":%d,"type":"ack","channel":"%s","seq":%d}' % (10 + number, self.channel.encode(), handle))


async def connect(kind, load, user, options, port):
    # Many addresses, because each has a limited number of ports.
    source = ("127.0.0.%d" % (2 + (user or 0) % 20), 0)
    _, client = await asyncio.get_running_loop().create_connection(
        lambda: kind(load, user, options), "127.0.0.1", port, local_addr=source)
    await asyncio.wait_for(client.ready, 60)
    return client


def tree(pid):
    """The process and all its descendants."""
    found = [pid]
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                for child in file.read().split():
                    found += tree(int(child))
    except OSError:
        pass
    return found
