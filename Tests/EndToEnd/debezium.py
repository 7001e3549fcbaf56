"""The platform's database whose changes real Debezium captures, as `make demo-cdc` has it: schema and rules are those of examples/cdc."""

import contextlib
import os
import queue
import shutil
import subprocess
import threading
import time

import psycopg

from processes import run, scratch
from protocol import ROOT
from rig import OUT, Postgres

EXAMPLE = ROOT / "examples" / "cdc"
# Other tests write topics of the demo's prefix, and all of a worker share a broker.
PREFIX = "captured"
REVIEWS, ACTIVITIES, ASSIGNMENTS = (f"{PREFIX}.app.{name}" for name in ("review", "activity", "assignment"))
RULES = {"HUB_RULES_FILE": str(EXAMPLE / "rules.yaml"), "HUB_RULES_TOPICS": rf"^{PREFIX}\.app\..*"}

# librdkafka's mock broker answers an empty fetch only after this; a real broker answers when a record comes.
FETCH_WAIT = "5ms"


def create_topics(brokers):
    """By a tombstone in each. A hub that starts later has them at once: it finds new topics of its pattern after up to 10 s, and its group then pauses."""
    for topic in (REVIEWS, ACTIVITIES, ASSIGNMENTS):
        run("kcat", "-P", "-b", brokers, "-t", topic, "-K", "\t", "-Z", text='{"id":0}\t\n')


class Debezium:
    """One run after the other of scripts/debezium, always on the same slot and state."""

    def __init__(self, dsn, brokers, name="debezium", prefix=PREFIX, tables="app.*"):
        self.state = scratch(name)
        self.log = OUT / f"{name}.log"
        OUT.mkdir(parents=True, exist_ok=True)
        self.log.write_bytes(b"")
        self._command = [
            str(ROOT / "scripts" / "debezium"), "--dsn", dsn, "--brokers", brokers, "--prefix", prefix, "--tables", tables,
            "--state", str(self.state), "--heartbeat", "1000"]
        self.process = None

    def start(self, schemas="off", seconds=90):
        """Returns when it streams. `schemas`: whether each record has its schema with it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._command, "--schemas", schemas], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True)
        lines = queue.Queue()

        def read(stream):
            for line in stream:
                lines.put(line.strip())
            lines.put(None)

        threading.Thread(target=read, args=[self.process.stdout], daemon=True).start()
        end, said = time.monotonic() + seconds, []
        while True:
            with contextlib.suppress(queue.Empty):
                line = lines.get(timeout=1)
                assert line is not None, f"Debezium ended with {self.process.wait()}: {said} {self.tail()}"
                if line == "ready":
                    return self
                said.append(line)
            assert time.monotonic() < end, f"Debezium does not stream: {said} {self.tail()}"

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def tail(self, characters=3000):
        return self.log.read_text(errors="replace")[-characters:]

    def wipe(self):
        self.stop()
        shutil.rmtree(self.state, ignore_errors=True)


class CapturedDatabase:
    """A private PostgreSQL with logical replication, the platform's tables, and Debezium."""

    def __init__(self, brokers, prepare=None, name="debezium"):
        """`prepare`: statements that run before Debezium begins, thus become rows of its snapshot."""
        self._postgres = Postgres("captured", settings={"wal_level": "logical", "max_replication_slots": 4, "max_wal_senders": 4})
        self.url = self._postgres.url
        run("psql", "-qX", "-v", "ON_ERROR_STOP=1", self.url, "-f", EXAMPLE / "schema.sql")
        self.connection = psycopg.connect(self.url, autocommit=True)
        for statement in prepare or ():
            self.connection.execute(statement)
        self.debezium = Debezium(self.url, brokers, name=name)

    def __call__(self, statement, *values):
        """Runs a statement in a transaction of its own; its rows, if it has any."""
        cursor = self.connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else None

    def review(self, reviewer, title="Internship report", status="open"):
        """Inserts a review; its id."""
        return self(
            "insert into app.review (activity, reviewer, title, status) values (1, %s, %s, %s) returning id", reviewer, title, status)[0][0]

    def wipe(self):
        self.debezium.wipe()
        self.connection.close()
        self._postgres.wipe()
