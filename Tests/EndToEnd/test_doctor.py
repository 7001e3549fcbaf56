"""`hub doctor`: each fault of a capture, made on purpose in a real PostgreSQL, is named with its remedy."""

import contextlib
import json
import subprocess

import psycopg
import pytest

from processes import hub_program, run, scratch, wait_until
from rig import Postgres

PREFIX = "doctored"
RULES = """
version: 1
tables:
  app.review: { identity: full }
rules:
  - { name: opened, table: app.review, when: 'became(after.status, "open")', to: "user:{reviewer}", type: review.asked, title: "{title}" }
"""
SCHEMA = """
create schema app;
create table app.review (id bigint primary key, status text, reviewer text, title text);
alter table app.review replica identity full;
create publication hub for table app.review;
"""


class Source:
    """A database of the platform, a slot with a reader in the place of a connector, and its topics."""

    def __init__(self, brokers):
        self.postgres = Postgres("doctor", settings={
            "wal_level": "logical", "max_replication_slots": 4, "max_wal_senders": 4, "max_slot_wal_keep_size": "200MB"})
        self.url, self.brokers = self.postgres.url, brokers
        self.folder = scratch("doctor-files")
        self.rules = self.folder / "rules.yaml"
        self.rules.write_text(RULES)
        run("psql", "-qX", "-v", "ON_ERROR_STOP=1", self.url, "-c", SCHEMA)
        self.connection = psycopg.connect(self.url, autocommit=True)
        for topic in (f"{PREFIX}.app.review", f"__debezium-heartbeat.{PREFIX}"):
            run("kcat", "-P", "-b", brokers, "-t", topic, "-K", "\t", "-Z", text='{"id":0}\t\n')
        self.environment = {
            "HUB_KAFKA_BROKERS": brokers, "HUB_RULES_FILE": str(self.rules), "HUB_SOURCE_SILENT_AFTER": "60s",
            "HUB_RULES_TOPICS": rf"^({PREFIX}\.app\..*|__debezium-heartbeat\.{PREFIX})$"}
        self.reader = None
        self.make_slot()

    def __call__(self, statement):
        self.connection.execute(statement)

    def make_slot(self):
        self("select pg_create_logical_replication_slot('hub', 'pgoutput')")
        self.reader = subprocess.Popen(
            [str(self.postgres._bin / "pg_recvlogical"), "-d", self.url, "-S", "hub", "--start", "-f", "/dev/null", "-o", "proto_version=1",
             "-o", "publication_names=hub"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.slot("active"), "the slot is read")

    def slot(self, column):
        found = self.connection.execute(f"select {column} from pg_replication_slots where slot_name = 'hub'").fetchone()
        return found and found[0]

    def end_reader(self):
        self.reader.kill()
        self.reader.wait()
        wait_until(lambda: not self.slot("active"), "nobody reads the slot")

    def doctor(self, *arguments, code=None, **environment):
        """Its exit code and findings."""
        done = subprocess.run(
            [hub_program(), "doctor", "--json", *(arguments or [self.url])], env={**self.environment, **environment}, capture_output=True,
            text=True, timeout=60)
        if code is not None:
            assert done.returncode == code, (done.stdout, done.stderr)
        return json.loads(done.stdout)["findings"] if done.stdout else done.stderr

    def faults(self, **environment):
        """What is wrong, as (part, text); every one has a remedy."""
        findings = [one for one in self.doctor(**environment) if one["grade"] == "wrong"]
        assert all(one["mend"] for one in findings)
        return [(one["part"], one["finding"]) for one in findings]

    @contextlib.contextmanager
    def fault(self, make, undo):
        for statement in make:
            self(statement)
        try:
            yield
        finally:
            for statement in undo:
                self(statement)

    def wipe(self):
        if self.reader:
            self.reader.kill()
            self.reader.wait()
        self.connection.close()
        self.postgres.wipe()


@pytest.fixture(scope="module")
def source(platform):
    source = Source(platform.broker.brokers)
    yield source
    source.wipe()


def test_a_sound_source_has_nothing_wrong(source):
    findings = source.doctor(code=0)
    assert {one["grade"] for one in findings} == {"good"}, findings
    assert [one for one in findings if one["part"] == "slot" and "is read by a connector" in one["finding"]]
    said = subprocess.run([hub_program(), "doctor", source.url], env=source.environment, capture_output=True, text=True, timeout=60)
    assert said.returncode == 0 and said.stdout.startswith("ok   rules: ")


def test_a_role_without_rights_can_look(source):
    with source.fault(["create role looker login"], ["drop role looker"]):
        findings = source.doctor(source.url.replace("//hub@", "//looker@"), code=0)
        assert {one["grade"] for one in findings} == {"good"}


TABLE_FAULTS = [
    (["alter publication hub drop table app.review"], ["alter publication hub add table app.review"], "app.review", "does not contain it"),
    (["alter publication hub set (publish = 'insert')"], ["alter publication hub set (publish = 'insert, update, delete, truncate')"],
     "publication", "does not publish update, delete"),
    (["alter publication hub set table app.review (id, status)"], ["alter publication hub set table app.review"], "app.review",
     "leaves out columns reviewer, title"),
    (["alter table app.review replica identity default"], ["alter table app.review replica identity full"], "app.review",
     "compares with the old value of column status"),
    (["alter table app.review replica identity nothing"], ["alter table app.review replica identity full"], "app.review",
     "its replica identity is nothing"),
    (["create unique index by_title on app.review (title)", "alter table app.review alter title set not null",
      "alter table app.review replica identity using index by_title"],
     ["alter table app.review replica identity full", "drop index app.by_title", "alter table app.review alter title drop not null"],
     "app.review", "an index without key column id"),
    (["alter table app.review rename column title to titel"], ["alter table app.review rename column titel to title"], "app.review",
     "names the column title, which the table does not have"),
    (["alter table app.review rename to reviews"], ["alter table app.reviews rename to review"], "app.review", "there is no such table"),
    (["alter publication hub rename to other"], ["alter publication other rename to hub"], "publication", "there is no publication hub; there is other"),
]


@pytest.mark.parametrize("make, undo, part, text", TABLE_FAULTS, ids=[fault[3] for fault in TABLE_FAULTS])
def test_a_fault_of_a_table_or_publication_is_named(source, make, undo, part, text):
    with source.fault(make, undo):
        assert any(where == part and text in what for where, what in source.faults()), source.faults()
        source.doctor(code=1)
    assert source.faults() == []


def test_row_filters_and_a_missing_bound_are_warnings(source):
    with source.fault(
            ["alter publication hub set table app.review where (id > 7)", "alter system set max_slot_wal_keep_size = -1", "select pg_reload_conf()"],
            ["alter publication hub set table app.review", "alter system reset max_slot_wal_keep_size", "select pg_reload_conf()"]):
        wait_until(lambda: len([one for one in source.doctor(code=0) if one["grade"] == "warning"]) == 2, "both are seen")
        texts = [one["finding"] for one in source.doctor(code=0) if one["grade"] == "warning"]
        assert any("max_slot_wal_keep_size is unlimited" in text for text in texts)
        assert any("row filter, (id > 7)" in text for text in texts)


def test_a_slot_that_nobody_reads_is_lost_in_the_end(source):
    source.end_reader()
    [(part, text)] = source.faults()
    assert part == "slot" and "no connector reads hub" in text and "bytes) of the log are not confirmed" in text
    source("alter system set max_slot_wal_keep_size = '1MB'")
    source("select pg_reload_conf()")
    source("create table filler (text text)")
    seen = set()

    def lost():
        source("insert into filler select repeat(md5(n::text), 100) from generate_series(1, 10000) n")
        source("select pg_switch_wal()")
        if "about to be lost" in source.faults()[0][1]:
            seen.add("unreserved")
        source("checkpoint")
        return source.slot("wal_status") == "lost"

    wait_until(lost, "the slot is lost", seconds=60)
    assert "unreserved" in seen
    [(part, text)] = source.faults()
    assert part == "slot" and "hub was invalidated" in text
    source("select pg_drop_replication_slot('hub')")
    [(part, text)] = source.faults()
    assert (part, text) == ("slot", "there is no replication slot hub")
    source("alter system reset max_slot_wal_keep_size")
    source("select pg_reload_conf()")
    source.make_slot()
    wait_until(lambda: source.faults() == [], "all is well again")


def test_a_server_without_logical_decoding_is_named(platform):
    postgres = Postgres("physical")
    try:
        done = subprocess.run([hub_program(), "doctor", postgres.url], env={}, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and "FAIL database: database hub, PostgreSQL" in done.stdout and "wal_level is replica" in done.stdout
        assert "mend: alter system set wal_level = 'logical'" in done.stdout
    finally:
        postgres.wipe()


def test_topics_that_are_not_read_are_named(source):
    faults = source.faults(HUB_RULES_TOPICS=rf"^{PREFIX}\.app\..*")
    assert len(faults) == 1 and "heartbeat" in faults[0][1]
    faults = source.faults(HUB_RULES_TOPICS=f"__debezium-heartbeat.{PREFIX}")
    assert [part for part, _ in faults] == ["kafka"] and f"{PREFIX}.app.review" in faults[0][1] and "is not read, and rules need it" in faults[0][1]
    assert [part for part, _ in source.faults(HUB_KAFKA_BROKERS="127.0.0.1:9")] == ["kafka"]


def test_settings_name_the_database_the_slot_and_the_publication(source):
    environment = {"HUB_SOURCE_DATABASE_URL": source.url, "HUB_SOURCE_SLOT": "first", "HUB_SOURCE_PUBLICATION": "second"}
    texts = [one["finding"] for one in source.doctor("--set", "log.level=info", code=1, **environment) if one["grade"] == "wrong"]
    assert texts == ["there is no replication slot first; this database has hub (setting source.slot)",
                     "there is no publication second; there is hub (setting source.publication)"]
    assert "source.database-url" in source.doctor("--set", "log.level=info", code=78)


def test_a_database_that_is_away_and_a_broken_rules_file_are_wrong(source):
    findings = source.doctor("postgresql://hub@127.0.0.1:9/hub", code=1)
    assert any(one["part"] == "database" and "cannot be asked" in one["finding"] for one in findings)
    broken = source.folder / "broken.yaml"
    broken.write_text("version: 1\nrules: [{ name: a }]\n")
    assert ("rules", f"{broken}: line 2: rule a: table: missing") in source.faults(HUB_RULES_FILE=str(broken))
