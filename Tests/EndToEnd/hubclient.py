"""Asynchronous clients of the hub; every line they send or receive is checked against the schemas.

`Session` is what all transports share: commands and their replies, pushes and how a test waits for them. `Client` is the one on the
library `websockets`; httpclients.py has those over HTTP.
"""

import asyncio
import itertools
import json

import websockets

import protocol

SUBPROTOCOL = "hub.v1.json"


class Refused(Exception):
    """The hub answered a command with an error."""

    def __init__(self, error):
        super().__init__(f'{error["code"]}: {error["message"]}')
        self.code = error["code"]
        self.temporary = error["temporary"]
        self.retry_after = error.get("retryAfterMs", 0) / 1000


class Lost(Exception):
    """The connection ended before the answer came: it is unknown whether the command was carried out."""


class Session:
    """One session. Pushes are kept in `heard`; `next` waits for one that was not yet taken."""

    living = []  # every client that was opened, for the clean-up after a test
    transport = None
    close_code = None

    def __init__(self, validate=True):
        Session.living.append(self)
        self.heard = []
        self.frames = 0
        self.ended = asyncio.Event()
        self._validate = validate
        self._taken = set()
        self._news = asyncio.Condition()
        self._ids = itertools.count(1)
        self._asked = {}
        self.loose_errors = []  # errors without a command of ours: `re` is null

    # What a transport brings

    @classmethod
    async def open(cls, url, **how):
        """Opens the connection, without `connect`. `url` is the address of the WebSocket, for every transport."""
        raise NotImplementedError

    async def say(self, text):
        """Sends one message as it is; raises `Lost` when it cannot."""
        raise NotImplementedError

    async def close(self):
        raise NotImplementedError

    def drop(self):
        """Breaks the connection, as a failing network does."""
        raise NotImplementedError

    def pause(self):
        """Reads no more pushes until `resume`."""
        raise NotImplementedError

    def resume(self):
        raise NotImplementedError

    # Coming and going

    @classmethod
    async def connect(cls, url, token, channels=None, *, validate=True, lawful=True, **how):
        client = await cls.open(url, validate=validate, **how)
        client.welcome = await client.ask("connect", lawful=lawful, **cls.members_of_connect(token, channels))
        return client

    @staticmethod
    def members_of_connect(token, channels):
        members = {"token": token} if token else {}
        if channels:
            members["channels"] = [{"channel": name, "since": since} for name, since in channels.items()]
        return members

    async def closed(self, seconds=10):
        """Waits for the hub to close the session, and returns the code."""
        async with asyncio.timeout(seconds):
            await self.ended.wait()
        return self.close_code

    # Talking

    async def ask(self, command, seconds=20, lawful=True, **members):
        """Sends one command and returns its `ok`; raises `Refused` or `Lost`. `lawful=False` for commands that the schemas do not allow."""
        answer = self.begin(command, lawful, **members)
        await answer.sent
        return await asyncio.wait_for(answer, seconds)

    def begin(self, command, lawful=True, **members):
        """Sends without waiting; the answer is awaited later."""
        return self.begin_together((command, members), lawful=lawful)[0]

    def begin_together(self, *commands, lawful=True):
        """Sends commands and their members in one message, without waiting; the answers."""
        lines, answers = [], []
        for command, members in commands:
            number = next(self._ids)
            answer = self.expect(number, command)
            if self.ended.is_set():
                answer.set_exception(Lost())
            lines.append({"id": number, "type": command, **members})
            answers.append(answer)
        sent = asyncio.ensure_future(self._send(lines, answers, lawful))
        for answer in answers:
            answer.sent = sent
        return answers

    def expect(self, number, command):
        """The answer to a command that `say` sends under this id."""
        answer = asyncio.get_running_loop().create_future()
        self._asked[number] = (command, answer)
        return answer

    async def _send(self, commands, answers, lawful):
        if lawful:
            for command in commands:
                protocol.check_command(command)
        try:
            await self._transmit("\n".join(json.dumps(command, ensure_ascii=False) for command in commands), len(commands))
        except Lost:
            for answer in answers:
                if not answer.done():
                    answer.set_exception(Lost())

    async def _transmit(self, text, commands):
        await self.say(text)

    # Listening

    async def _tell(self):
        """Wakes the tasks that wait for a push."""
        async with self._news:
            self._news.notify_all()

    async def _end(self):
        self.ended.set()
        for _, answer in self._asked.values():
            if not answer.done():
                answer.set_exception(Lost())
                answer.exception()  # it may never be awaited
        await self._tell()

    def _hear(self, frame):
        if "re" not in frame:
            if self._validate:
                protocol.check(frame)
            self.heard.append(frame)
            return
        command, answer = self._asked.pop(frame["re"], (None, None))
        if self._validate:
            protocol.check(frame, command)
        if answer is None:
            self.loose_errors.append(frame)
        elif not answer.done():
            if "ok" in frame:
                answer.set_result(frame["ok"])
            else:
                answer.set_exception(Refused(frame["error"]))

    async def _until(self, found, what, seconds):
        try:
            async with asyncio.timeout(seconds), self._news:
                while (result := found()) is None:
                    if self.ended.is_set():
                        raise AssertionError(f"{what} never came, and the connection ended with {self.close_code}")
                    await self._news.wait()
                return result
        except TimeoutError:
            raise AssertionError(f"{what} never came; heard: {json.dumps(self.heard, ensure_ascii=False)[-1500:]}") from None

    async def next(self, push, /, seconds=15, **members):
        """The next push of this type with these members that was not taken before."""

        def found():
            for index, frame in enumerate(self.heard):
                if index not in self._taken and frame["type"] == push and all(frame.get(k) == v for k, v in members.items()):
                    self._taken.add(index)
                    return frame
            return None

        return await self._until(found, f"{push} {members}", seconds)

    async def entries(self, channel, count, seconds=20):
        """Waits until `count` entries of a channel have arrived, and returns all of them in their order."""

        def found():
            heard = self.entries_of(channel)
            return heard if len(heard) >= count else None

        return await self._until(found, f"{count} entries of {channel}", seconds)

    def entries_of(self, channel):
        return [frame for frame in self.heard if frame["type"] == "entry" and frame["channel"] == channel]

    async def loose_error(self, seconds=10):
        def found():
            return self.loose_errors.pop(0) if self.loose_errors else None

        return (await self._until(found, "an error with re null", seconds))["error"]

    async def quiet(self):
        """Returns when all earlier pushes of the hub have arrived."""
        await self.ask("ping")


class Client(Session):
    """A session on one WebSocket."""

    transport = "websocket"

    def __init__(self, socket, validate=True):
        super().__init__(validate)
        self.socket = socket
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, url, *, subprotocols=(SUBPROTOCOL,), headers=None, origin=None, validate=True, compression=None,
                   extensions=None, agent=None):
        """Opens the socket, without `connect`."""
        socket = await websockets.connect(
            url, subprotocols=list(subprotocols) or None, additional_headers=headers, origin=origin, compression=compression,
            proxy=None, max_size=None, ping_interval=None, open_timeout=30, close_timeout=5, extensions=extensions,
            **({"user_agent_header": agent} if agent else {}))
        return cls(socket, validate)

    @property
    def close_code(self):
        return self.socket.close_code

    async def close(self):
        await self.socket.close()
        await self.ended.wait()
        return self.close_code

    def drop(self):
        """No closing handshake: a reset."""
        self.socket.transport.abort()

    def pause(self):
        self.socket.transport.pause_reading()

    def resume(self):
        self.socket.transport.resume_reading()

    async def say(self, text):
        await self.socket.send(text)

    async def _transmit(self, text, commands):
        try:
            await self.socket.send(text)
        except websockets.ConnectionClosed:
            raise Lost() from None

    async def _read(self):
        try:
            async for text in self.socket:
                self.frames += 1
                for frame in protocol.lines(text):
                    self._hear(frame)
                await self._tell()
        except websockets.ConnectionClosed:
            pass
        finally:
            await self._end()
