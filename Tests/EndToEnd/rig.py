"""The real parts the tests start and stop: the hub's executable, PostgreSQL, a Kafka-speaking broker, signing keys."""

import contextlib
import ctypes
import itertools
import json
import os
import pwd
import random
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import time
import uuid
from pathlib import Path

import jwt
import psycopg
from cryptography.hazmat.primitives.asymmetric import ec

from processes import hub_program, run, scratch
from protocol import ROOT

# The workers that run side by side have hubs of the same names, thus each has a folder of its own.
OUT = ROOT / ".build" / "e2e" / os.environ.get("PYTEST_XDIST_WORKER", "")
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
TOPIC = "hub.events"
DEAD_LETTERS = "hub.events.dlq"


# The hub


class Hub:
    """One run after the other of `hub serve`, always on the same data."""

    def __init__(self, arguments=(), environment=None, name="hub", log=None, prepare=None):
        """`prepare` is called in the new process before the hub's program begins."""
        self._prepare = prepare
        self._arguments = [str(argument) for argument in arguments]
        self._environment = {**{k: v for k, v in os.environ.items() if not k.startswith("HUB_")}, **(environment or {})}
        OUT.mkdir(parents=True, exist_ok=True)
        self.log = log or OUT / f"{name}.log"
        self.log.write_bytes(b"")
        self.process = None
        self.url = None

    def start(self, seconds=60, errors=None):
        """`errors`: the descriptor that the hub gets as its stderr, instead of the log's file."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(hub_program()), "serve", *self._arguments], stdout=subprocess.PIPE, stderr=log if errors is None else errors,
                env=self._environment, cwd=ROOT, start_new_session=True, preexec_fn=self._prepare)
        os.set_blocking(self.process.stdout.fileno(), False)
        said, end = b"", time.monotonic() + seconds
        while b"\n" not in said or b"ready " not in said:
            said += self.process.stdout.read() or b""
            if self.process.poll() is not None or time.monotonic() > end:
                state = self.process.poll()
                self.kill()
                raise AssertionError(f"no ready line (exit {state}); stdout {said!r}; log:\n{self.tail()}")
            time.sleep(0.02)
        line = next(line for line in said.decode().splitlines() if line.startswith("ready "))
        self.url = line.removeprefix("ready ").strip()
        return self

    @property
    def socket_url(self):
        return self.url.replace("http", "ws", 1).rstrip("/") + "/v1/socket"

    @property
    def address(self):
        host, _, port = self.url.removeprefix("http://").rstrip("/").rpartition(":")
        return host, int(port)

    def interrupt(self, seconds=20):
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(seconds)

    @contextlib.contextmanager
    def frozen(self):
        """Stops the process at any point, and continues it later."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """Kills the hub with -9, and leaves the processes that it has started."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        try:
            self.interrupt()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the hub did not leave on SIGINT; log:\n{self.tail()}") from None

    def tail(self, characters=3000):
        return self.log.read_text(errors="replace")[-characters:]


class EmbeddedHub(Hub):
    """`hub serve --embedded` on a data folder of its own."""

    def __init__(self, name="embedded", data=None, settings=None):
        self.data = data or scratch(name)
        options = [part for key, value in (settings or {}).items() for part in ("--set", f"{key}={value}")]
        super().__init__(["--embedded", "--listen", "127.0.0.1:0", "--data", self.data, *options], name=name)

    def start(self, seconds=90):
        super().start(seconds)
        self.facts = dict(
            line.removeprefix("export ").split("=", 1)
            for line in (self.data / "embedded.env").read_text().splitlines() if "=" in line and not line.startswith("#"))
        self.facts = {key: shlex.split(value)[0] for key, value in self.facts.items()}
        self.database = self.facts["HUB_DATABASE_URL"]
        self.kafka = Kafka(self.facts["HUB_KAFKA_BROKERS"])
        return self

    def token(self, subject, *, institution=None, roles=(), ttl=None):
        options = ["--subject", subject, "--data", self.data]
        options += ["--institution", institution] if institution else []
        options += [part for role in roles for part in ("--role", role)]
        options += ["--ttl", ttl] if ttl else []
        return run(hub_program(), "token", *options, env=self._environment).strip()

    def wipe(self):
        """Ends all processes of the data folder, then removes it."""
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)


class StandaloneHub(Hub):
    """`hub serve` beside a database, a broker and an issuer that are not its own."""

    def __init__(self, database, kafka, issuer, port=None, name="standalone", extra=None, prepare=None):
        self.database = database.url
        self.kafka = kafka
        self.issuer = issuer
        super().__init__(
            environment={
                "HUB_DATABASE_URL": database.url, "HUB_KAFKA_BROKERS": kafka.brokers, "HUB_JWKS": str(issuer.jwks),
                "HUB_ISSUER": issuer.name, "HUB_AUDIENCE": issuer.audience, "HUB_LISTEN": f"127.0.0.1:{port or free_port()}",
                # The mock broker knows no fixed names in groups, and a member that has one does not leave its group.
                "HUB_KAFKA_MEMBER": "none",
                # The mock broker gives a killed hub's partitions away only after this. It must be longer than any stop of the
                # broker: to a member whose session timed out meanwhile the mock may never again answer a JoinGroup.
                "HUB_KAFKA_PROPERTIES": "session.timeout.ms=6000,heartbeat.interval.ms=1000", **(extra or {})},
            name=name, prepare=prepare)

    def keep_address(self):
        """Later starts listen on the same address, because clients reconnect to it."""
        self._environment["HUB_LISTEN"] = f"127.0.0.1:{self.address[1]}"

    def token(self, subject, **claims):
        return self.issuer.token(subject, **claims)


def without_io_uring():
    """The kernel refuses this process an io_uring, as it does in many containers: a seccomp filter of four instructions."""
    instruction = struct.Struct("HBBI")
    load_number, is_io_uring_setup = instruction.pack(0x20, 0, 0, 0), instruction.pack(0x15, 0, 1, 425)
    not_permitted, allow = instruction.pack(0x06, 0, 0, 0x00050001), instruction.pack(0x06, 0, 0, 0x7FFF0000)
    code = ctypes.create_string_buffer(load_number + is_io_uring_setup + not_permitted + allow)
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, set_filter = (38, 1, 0, 0, 0), (22, 2, program, 0, 0)
    if libc.prctl(*no_new_privileges) or libc.prctl(*set_filter):
        raise OSError(ctypes.get_errno(), "prctl")


# Not among those that the kernel gives to outgoing connections, and each worker has its own: a free one stays free until its server starts, and
# between two starts of that server.
_PORTS = range(12_000 + 2_000 * _WORKER, 14_000 + 2_000 * _WORKER)
_next_port = itertools.cycle(random.sample(_PORTS, len(_PORTS)))


def free_port():
    for port in _next_port:
        with contextlib.suppress(OSError), socket.socket() as one:
            one.bind(("127.0.0.1", port))
            return port


# What stands beside it


class Issuer:
    """The platform's identity provider: signs tokens, publishes its key as a JWKS file."""

    name, audience, key_id = "https://login.example.org", "hub-tests", "tests-1"

    def __init__(self, folder):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.jwks = folder / "jwks.json"
        self.publish({self.key_id: self._key})

    def publish(self, keys):
        """From now on these keys count, by `kid`."""
        listed = [
            {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())), "kid": name, "alg": "ES256", "use": "sig"}
            for name, key in keys.items()]
        text = json.dumps({"keys": listed})
        # Replaced whole, so that no reader sees half of it.
        fresh = self.jwks.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.jwks)

    def token(self, subject, *, ttl=3600, institution=None, roles=(), key=None, algorithm="ES256", headers=None, **claims):
        now = int(time.time())
        facts = {
            "sub": subject, "iss": self.name, "aud": self.audience, "iat": now, "exp": now + ttl, "jti": uuid.uuid4().hex,
            "roles": list(roles), **({"institution": institution} if institution else {}), **claims}
        facts = {name: value for name, value in facts.items() if value is not None}
        return jwt.encode(facts, key or self._key, algorithm=algorithm, headers={"kid": self.key_id, **(headers or {})})


class Postgres:
    """A private cluster, run as the user postgres."""

    def __init__(self, name="pg", follows=None, settings=None):
        """`follows`: the cluster whose standby this one is. `settings`: those of postgresql.conf that are not the usual ones."""
        self.folder = scratch(name)
        self.port = free_port()
        self._bin = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self.data = self.folder / "data"
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", pwd.getpwnam("postgres").pw_gid)
        if follows:
            self._control("pg_basebackup", "-h", "127.0.0.1", "-p", follows.port, "-U", "hub", "-D", self.data, "-R", "-c", "fast", "--no-sync")
        else:
            self._control("initdb", "-D", self.data, "-U", "hub", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        settings = {
            "listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.folder,
            "max_connections": 60, "shared_buffers": "64MB", **(settings or {})}
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{key} = '{value}'\n" for key, value in settings.items())
        self.url = f"postgresql://hub@127.0.0.1:{self.port}/hub"
        self.start()
        if not follows:
            run("psql", "-qX", f"postgresql://hub@127.0.0.1:{self.port}/postgres", "-c", "CREATE DATABASE hub")

    def standby(self):
        """A server that follows this one, and that no commit waits for."""
        return Postgres("standby", follows=self)

    def _control(self, program, *arguments):
        prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        done = subprocess.run(
            [*prefix, str(self._bin / program), *map(str, arguments)], cwd="/", timeout=120, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert done.returncode == 0, f"{program}: {done.stderr}"

    def start(self):
        self._control("pg_ctl", "-D", self.data, "-w", "-t", "60", "-l", self.folder / "log", "start")

    @contextlib.contextmanager
    def frozen(self):
        """Accepts connections and answers nothing."""
        main = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        processes = [main, *map(int, Path(f"/proc/{main}/task/{main}/children").read_text().split())]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)

    def stop(self, mode="fast"):
        self._control("pg_ctl", "-D", self.data, "-w", "-t", "60", "-m", mode, "stop")

    def save(self):
        """A copy of the stopped cluster's files, for `restore`."""
        copy = self.folder / f"copy-{uuid.uuid4().hex[:8]}"
        run("cp", "-a", self.data, copy)
        return copy

    def restore(self, copy):
        """The stopped cluster is as it was when the copy was made."""
        shutil.rmtree(self.data)
        run("cp", "-a", copy, self.data)

    @contextlib.contextmanager
    def without_transaction_ids(self):
        """Accepts no writes, as at the limit of transaction ids. The server is stopped before and after it."""
        self.stop()
        state = subprocess.run([str(self._bin / "pg_controldata"), str(self.data)], capture_output=True, text=True, check=True).stdout
        facts = dict(line.split(":", 1) for line in state.splitlines() if ":" in line)
        following = int(facts["Latest checkpoint's NextXID"].split(":")[1])
        oldest = int(facts["Latest checkpoint's oldestXID"])
        # The server refuses three million transactions before the limit of 2^31.
        last = oldest + 2**31 - 2_000_000
        # A segment of the commit log holds 2^20 transactions; the server expects that of the next transaction.
        segment = self.data / "pg_xact" / f"{last >> 20:04X}"
        segment.write_bytes(bytes(256 << 10))
        shutil.chown(segment, *(owner(self.data)))
        self._control("pg_resetwal", "-f", "-x", last, "-D", self.data)
        self.start()
        try:
            yield
        finally:
            self.stop()
            segment.unlink(missing_ok=True)
            self._control("pg_resetwal", "-f", "-x", following, "-D", self.data)
            self.start()

    def promote(self):
        self._control("pg_ctl", "-D", self.data, "-w", "-t", "60", "promote")

    def wipe(self):
        if (self.data / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)


def owner(path):
    facts = path.stat()
    return facts.st_uid, facts.st_gid


def query(database, statement, *values):
    with psycopg.connect(database, autocommit=True) as connection:
        return connection.execute(statement, values).fetchall()


class Kafka:
    """A broker's address, with Debian's kcat to write and read."""

    def __init__(self, brokers):
        self.brokers = brokers

    def produce(self, *records, key=None, topic=TOPIC, headers=None):
        """Each record a dict or a text without line breaks."""
        text = "".join((one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)) + "\n" for one in records)
        options = ["-k", key] if key else []
        options += [part for name, value in (headers or {}).items() for part in ("-H", f"{name}={value}")]
        run("kcat", "-P", "-b", self.brokers, "-t", topic, *options, text=text)

    def consume(self, topic, quiet_seconds=2):
        """All records of a topic: {"key", "payload", "headers", …} each."""
        out = subprocess.run(
            ["kcat", "-C", "-b", self.brokers, "-t", topic, "-o", "beginning", "-e", "-J", "-m", "10"],
            capture_output=True, text=True, timeout=60)
        records = []
        for line in out.stdout.splitlines():
            record = json.loads(line)
            flat = record.get("headers") or []
            record["headers"] = dict(zip(flat[::2], flat[1::2]))
            records.append(record)
        return records


class Broker(Kafka):
    """A broker that outlives the hub."""

    def __init__(self, partitions=4):
        OUT.mkdir(parents=True, exist_ok=True)
        program = OUT / "broker"
        source = Path(__file__).with_name("broker.c")
        if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
            run("cc", "-O1", "-Wall", "-o", program, source, "-lrdkafka")
        self._process = subprocess.Popen(
            [str(program), f"{TOPIC}:{partitions}", f"{DEAD_LETTERS}:1", "hub.bus:4"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        super().__init__(self._process.stdout.readline().strip())
        assert self.brokers, "the broker did not start"

    def _tell(self, command):
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline().strip() == "ok", command

    def down(self):
        self._tell("down")

    def up(self):
        self._tell("up")

    def wipe(self):
        self._process.stdin.close()
        self._process.wait(20)


def event(*to, id=None, type="peer-review.requested", title="Une évaluation vous attend", **more):
    """The hub's own JSON record."""
    return {"id": id or uuid.uuid4().hex, "type": type, "to": list(to), "title": title, **more}


def person(name="user"):
    """A user that no other test uses."""
    return f"{name}-{uuid.uuid4().hex[:8]}"

