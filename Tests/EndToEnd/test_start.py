"""What keeps a hub from starting is said at once, and what may pass is waited for. `hub check` says the same."""

import asyncio
import contextlib
import json
import re
import subprocess

import psycopg
import pytest

from hubclient import Client
from pooler import pgbouncer
from processes import hub_program
from rig import Issuer, free_port, person, query
from test_operation import answer_of


def hub_with(platform, url, *arguments, command="serve"):
    """Runs a hub to its end."""
    hub = platform.hub("start", extra={"HUB_DATABASE_URL": url})
    return subprocess.run([str(hub_program()), command, *arguments], env=hub._environment, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def locked(platform):
    """A user who needs a password, and the address with a place for it."""
    base = platform.database.url
    query_free = psycopg.connect(base, autocommit=True)
    query_free.execute("CREATE ROLE locked LOGIN SUPERUSER PASSWORD 'right'")
    rules = platform.database.data / "pg_hba.conf"
    rules.write_text("host all locked 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
    query_free.execute("SELECT pg_reload_conf()")
    query_free.close()
    return base.replace("hub@", "locked:{}@").format


def database(platform, name, options="", statements=()):
    with psycopg.connect(platform.database.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} {options}")
    url = platform.database.url.removesuffix("/hub") + "/" + name
    for statement in statements:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement)
    return url


def refusals(platform, locked):
    newer = database(platform, "newer")
    assert hub_with(platform, newer, command="migrate").returncode == 0
    with psycopg.connect(newer, autocommit=True) as connection:
        connection.execute("INSERT INTO hub.migration (number, checksum) VALUES (999, 'x')")
    return [
        (locked("wrong"), "password authentication failed"),
        (platform.database.url.replace("hub@", "nobody-here@"), 'role "nobody-here" does not exist'),
        (platform.database.url + "-is-missing", "does not exist"),
        (newer, "999"),
        (database(platform, "latin", "ENCODING LATIN1 LOCALE 'C' TEMPLATE template0"), "must be UTF8"),
    ]


def test_a_database_that_refuses_the_hub_ends_the_start(platform, locked):
    for url, reason in refusals(platform, locked):
        served = hub_with(platform, url)
        assert served.returncode == 69, (reason, served.stderr)
        last = served.stderr.strip().splitlines()[-1]
        assert last.startswith("hub: database: ") and reason in last
        assert "LOCATION" not in served.stderr and "ready" not in served.stdout
        checked = hub_with(platform, url, command="check")
        assert checked.returncode == 69
        first = checked.stdout.splitlines()[0]
        assert first.startswith("FAIL database: ") and reason in first, "what fails comes first"


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_pool_without_sessions_is_found_out(platform, mode):
    with pgbouncer(platform.database, mode) as url:
        for command in ("serve", "check"):
            done = hub_with(platform, url, command=command)
            assert done.returncode == 69 and "pool_mode = session" in done.stdout + done.stderr, (command, done.stderr)


async def test_a_pool_with_sessions_serves(platform):
    with pgbouncer(platform.database, "session") as url:
        assert "FAIL" not in hub_with(platform, url, command="check").stdout
        async with platform.running("pooled", extra={"HUB_DATABASE_URL": url}) as hub:
            client = await Client.connect(hub.socket_url, hub.token(person()))
            assert (await client.ask("send", to=person(), key="1", body="Bonjour"))["seq"] == 1


async def test_a_password_changed_later_is_an_error_and_the_hub_goes_on_when_it_is_right_again(platform, locked):
    """The log of this outage, too, has nothing that only a programmer of the hub understands."""
    async with platform.running("password", extra={"HUB_DATABASE_URL": locked("right")}) as hub:
        assert answer_of(hub, "/readyz")[0] == 200

        def change(password):
            query_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'locked'"
            with psycopg.connect(platform.database.url, autocommit=True) as connection:
                connection.execute(f"ALTER ROLE locked PASSWORD '{password}'")
            query(platform.database.url, query_all)

        change("other")
        try:
            async with asyncio.timeout(30):
                while not re.search("level=error msg=\"no connection to the database\" .*28P01", hub.log.read_text()):
                    await asyncio.sleep(0.1)
                while answer_of(hub, "/readyz")[0] != 503:
                    await asyncio.sleep(0.1)
            assert "PostgreSQL is away" in answer_of(hub, "/readyz")[1]
        finally:
            change("right")
        async with asyncio.timeout(30):
            while answer_of(hub, "/readyz")[0] != 200:
                await asyncio.sleep(0.1)
    swift = re.compile(r"Optional\(|\d seconds\b|\d\.\d+ |=\"?\[|\b[a-z]+[A-Z]\w*\(")
    assert [line for line in hub.log.read_text().splitlines() if swift.search(line)] == []
    assert re.search(r"again=\d+ms", hub.log.read_text())


def test_a_missing_setting_is_named(platform):
    needed = {"HUB_DATABASE_URL": "database.url", "HUB_KAFKA_BROKERS": "kafka.brokers", "HUB_JWKS": "auth.jwks", "HUB_ISSUER": "auth.issuer"}
    for variable, setting in {**needed, "HUB_AUDIENCE": "auth.audience"}.items():
        environment = platform.hub("missing")._environment
        del environment[variable]
        done = subprocess.run([str(hub_program()), "serve"], env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 78 and "ready" not in done.stdout, (variable, done.stderr)
        assert f"{setting} is not set" in done.stderr and variable in done.stderr


async def test_a_hub_is_ready_when_it_has_keys(platform, tmp_path):
    issuer = Issuer(tmp_path)
    keys = issuer.jwks.rename(tmp_path / "elsewhere")
    hub = platform.hub("keyless", port=free_port(), extra={"HUB_JWKS": str(issuer.jwks)})
    hub.url = "http://" + hub._environment["HUB_LISTEN"]
    starting = asyncio.create_task(asyncio.to_thread(hub.start))
    try:
        said = ""
        async with asyncio.timeout(30):
            # With the other parts there, the keys alone are missing.
            while said != "not ready: no keys to verify tokens with\n":
                await asyncio.sleep(0.1)
                with contextlib.suppress(OSError):
                    status, said = answer_of(hub, "/readyz")
                    assert status == 503
        assert not starting.done()
        keys.rename(issuer.jwks)
        await starting
        assert answer_of(hub, "/readyz") == (200, "ready\n")
        await Client.connect(hub.socket_url, issuer.token(person()))
    finally:
        await asyncio.to_thread(hub.stop)


async def test_log_lines_are_objects_when_asked_for(platform):
    async with platform.running("json-log", extra={"HUB_LOG_FORMAT": "json"}) as hub:
        pass
    lines = [json.loads(line) for line in hub.log.read_text().splitlines()]
    assert {"reading from kafka", "stopping", "stopped"} <= {line["msg"] for line in lines}
    assert all({"time", "level", "msg"} <= line.keys() for line in lines)
    assert next(line for line in lines if line["msg"] == "reading from kafka")["group"].startswith("json-log")


def test_check_prints_settings_only_when_asked_and_warns_of_a_careless_database(platform):
    few = hub_with(platform, platform.database.url, command="check")
    assert few.returncode == 0 and "limits.connections" not in few.stdout and "warn" not in few.stdout
    assert few.stdout.startswith("ok   database: ")
    everything = hub_with(platform, platform.database.url, "--all", command="check")
    assert "limits.connections" in everything.stdout and everything.stdout.startswith("ok   database: ")
    with psycopg.connect(platform.database.url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET full_page_writes = off")
        connection.execute("SELECT pg_reload_conf()")
        try:
            careless = hub_with(platform, platform.database.url, command="check")
        finally:
            connection.execute("ALTER SYSTEM RESET full_page_writes")
            connection.execute("SELECT pg_reload_conf()")
    assert careless.returncode == 0 and careless.stdout.startswith("warn database: full_page_writes is off")
