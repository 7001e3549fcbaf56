"""The ends of logins and rights: back-channel logout, security events, and the operator's command. Nobody gets past them."""

import asyncio
import socket
import subprocess
import time

import httpx
import pytest

from hubclient import Client as Socket, Refused
from rig import event, hub_program, person, query

LOGOUT = {"http://schemas.openid.net/event/backchannel-logout": {}}
CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
RISC = "https://schemas.openid.net/secevent/risc/event-type/"


@pytest.fixture(scope="module")
def pair(platform):
    """Two hubs on one database. The bus between them is the database alone."""
    hubs = [platform.hub(f"pair-{number}", extra={"HUB_AUTH_LEEWAY": "5s"}) for number in (1, 2)]
    try:
        yield [hub.start() for hub in hubs]
    finally:
        for hub in hubs:
            hub.stop()


def log_out(hub, issuer, **claims):
    token = issuer.token(claims.pop("sub", None), headers={"typ": "logout+jwt"}, **{"events": LOGOUT, **claims})
    return httpx.post(f"{hub.url}/v1/logout", data={"logout_token": token})


def tell(hub, issuer, name, **claims):
    token = issuer.token(None, headers={"typ": "secevent+jwt"}, **{"events": {name: {}}, "exp": None, **claims})
    return httpx.post(f"{hub.url}/v1/security-events", content=token, headers={"Content-Type": "application/secevent+jwt"})


def earlier(issuer, user, **claims):
    """A token that was issued some seconds ago."""
    return issuer.token(user, **{"iat": int(time.time()) - 3, **claims})


async def test_logged_out_everywhere_and_back_with_a_new_token_only(pair, platform):
    first, second = pair
    alice, bob = person("alice"), person("bob")
    token = earlier(platform.issuer, alice)
    sessions = [await Socket.connect(hub.socket_url, token) for hub in pair for _ in range(2)]
    other = await Socket.connect(second.socket_url, earlier(platform.issuer, bob))
    began = time.monotonic()
    answer = log_out(first, platform.issuer, sub=alice)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    for session in sessions:
        bye = await session.next("bye")
        assert (bye["code"], bye["reason"]) == (4302, "token_revoked")
        assert await session.closed() == 4302
    assert time.monotonic() - began < 10, "a second, on a machine that compiles meanwhile"
    await other.ask("ping")
    for hub in pair:
        late = await Socket.open(hub.socket_url)
        with pytest.raises(Refused) as error:
            await late.ask("connect", token=token)
        assert error.value.code == "token_revoked"
        assert await late.closed() == 4302
        assert httpx.post(f"{hub.url}/v1/ticket", headers={"Authorization": f"Bearer {token}"}).status_code == 401
        poll = httpx.post(f"{hub.url}/v1/poll", headers={"Authorization": f"Bearer {token}"})
        assert poll.status_code == 401, poll.text
    await asyncio.sleep(1.1)
    again = await Socket.connect(first.socket_url, platform.issuer.token(alice))
    assert again.welcome["user"] == alice


async def test_one_login_of_several(pair, platform):
    carol = person("carol")
    here = await Socket.connect(pair[0].socket_url, earlier(platform.issuer, carol, sid="laptop"))
    there = await Socket.connect(pair[1].socket_url, earlier(platform.issuer, carol, sid="phone"))
    assert log_out(pair[1], platform.issuer, sid="laptop").status_code == 200
    assert await here.closed() == 4302
    await there.ask("ping")
    with pytest.raises(Refused) as error:
        await there.ask("refresh", token=earlier(platform.issuer, carol, sid="laptop"))
    assert error.value.code == "token_revoked", "no way around it by a living session"
    await there.ask("refresh", token=platform.issuer.token(carol, sid="phone"))


async def test_a_hub_that_starts_later_knows_it(pair, platform):
    dora = person("dora")
    token = earlier(platform.issuer, dora)
    assert log_out(pair[0], platform.issuer, sub=dora).status_code == 200
    async with platform.running("after-logout", extra={"HUB_AUTH_LEEWAY": "5s"}) as late:
        client = await Socket.open(late.socket_url)
        try:
            await client.ask("connect", token=token)
        except Refused as error:
            assert error.code == "token_revoked"
        # Within the half second before the first reading it may get in, and is ended then.
        assert await client.closed() == 4302


@pytest.mark.parametrize(("name", "code"), [
    (CAEP + "session-revoked", 4302), (RISC + "account-disabled", 4302), (CAEP + "token-claims-change", 4304)])
async def test_security_events(pair, platform, name, code):
    eve = person("eve")
    client = await Socket.connect(pair[1].socket_url, earlier(platform.issuer, eve))
    answer = tell(pair[0], platform.issuer, name, sub_id={"format": "iss_sub", "iss": platform.issuer.name, "sub": eve})
    assert answer.status_code == 202, answer.text
    bye = await client.next("bye")
    assert (bye["code"], bye["reconnect"]) == (code, True)
    assert await client.closed() == code


async def test_an_event_without_meaning_here_is_taken_and_does_nothing(pair, platform):
    fay = person("fay")
    client = await Socket.connect(pair[0].socket_url, earlier(platform.issuer, fay))
    assert tell(pair[0], platform.issuer, CAEP + "device-compliance-change", sub_id={"format": "opaque", "id": fay}).status_code == 202
    await client.ask("ping")


async def test_the_same_notice_again_is_one_row(pair, platform):
    gil = person("gil")
    token = platform.issuer.token(gil, headers={"typ": "logout+jwt"}, events=LOGOUT)
    for hub in (*pair, pair[0]):
        assert httpx.post(f"{hub.url}/v1/logout", data={"logout_token": token}).status_code == 200
    assert query(platform.database.url, "select count(*), min(source) from hub.fence where user_id = %s", gil) == [(1, "logout")]


def refusals(issuer):
    other = {"headers": {"typ": "logout+jwt"}, "events": LOGOUT}
    yield "nothing", {}
    yield "an access token", {"logout_token": issuer.token("mallory")}
    yield "no events", {"logout_token": issuer.token("mallory", headers={"typ": "logout+jwt"})}
    yield "a nonce", {"logout_token": issuer.token("mallory", nonce="n", **other)}
    yield "another audience", {"logout_token": issuer.token("mallory", aud="shop", **other)}
    yield "another issuer", {"logout_token": issuer.token("mallory", iss="https://evil.example.org", **other)}
    yield "nobody", {"logout_token": issuer.token(None, **other)}
    yield "no token", {"logout_token": "x"}
    yield "too long", {"logout_token": "x" * 20_000}


async def test_what_is_no_logout_token_ends_nothing(pair, platform):
    mallory = await Socket.connect(pair[0].socket_url, earlier(platform.issuer, "mallory"))
    for fault, form in refusals(platform.issuer):
        answer = httpx.post(f"{pair[0].url}/v1/logout", data=form)
        assert answer.status_code == 400, fault
        assert answer.json()["error"] == "invalid_request", fault
    answer = httpx.post(f"{pair[0].url}/v1/security-events", content="x", headers={"Content-Type": "application/secevent+jwt"})
    assert (answer.status_code, answer.json()["err"]) == (400, "invalid_request")
    assert httpx.post(f"{pair[0].url}/v1/security-events", json={}).status_code == 400
    assert httpx.get(f"{pair[0].url}/v1/logout").status_code == 405
    await mallory.ask("ping")
    assert query(platform.database.url, "select count(*) from hub.fence where user_id = 'mallory'") == [(0,)]


async def test_the_operators_command(pair, platform):
    hal = person("hal")
    client = await Socket.connect(pair[1].socket_url, earlier(platform.issuer, hal))
    environment = {"HUB_DATABASE_URL": platform.database.url, "PATH": "/usr/bin"}
    def revoke(*arguments):
        return subprocess.run([str(hub_program()), "revoke", *arguments], capture_output=True, text=True, timeout=30, env=environment)
    assert revoke(hal).returncode == 64, "without a reason"
    assert revoke("--why", "x").returncode == 64, "without a user"
    done = revoke(hal, "--privileges", "--why", "role removed")
    assert done.returncode == 0, done.stderr
    assert await client.closed() == 4304
    assert query(platform.database.url, "select source, why from hub.fence where user_id = %s", hal) == [("operator", "role removed")]
    [(person_, role, action, why)] = query(platform.database.url, "select person, role, action, why from hub.audit where subject = %s", hal)
    assert person_.endswith("@" + socket.gethostname()) and (role, action, why) == ("hub", "revoke", "role removed")


async def test_a_logout_that_cannot_be_stored_is_refused(platform):
    async with platform.running("storeless") as hub:
        platform.database.stop()
        try:
            began = time.monotonic()
            answer = await asyncio.to_thread(httpx.post, f"{hub.url}/v1/logout", timeout=60, data={
                "logout_token": platform.issuer.token("ida", headers={"typ": "logout+jwt"}, events=LOGOUT)})
            assert answer.status_code == 503, "the provider sends it again"
            assert int(answer.headers["retry-after"]) > 0
            assert time.monotonic() - began < 50
        finally:
            platform.database.start()
