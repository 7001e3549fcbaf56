"""Which tokens are accepted, for how long, and how hostile tokens are refused."""

import asyncio
import base64
import hashlib
import hmac
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hubclient import Lost, Refused
from rawsocket import RawSocket, head
from rig import Issuer, event, person, scratch


@pytest.fixture(scope="module")
def strict(platform):
    """A hub without leeway and with short timeouts, so that a test can wait for an expiry."""
    hub = platform.hub("strict", extra={"HUB_AUTH_LEEWAY": "0s", "HUB_LIMITS_CONNECT_WITHIN": "6s"})
    try:
        yield hub.start()
    finally:
        hub.stop()


async def refused(Client, hub, token, code, close):
    client = await Client.open(hub.socket_url)
    with pytest.raises(Refused) as error:
        await client.ask("connect", token=token)
    assert error.value.code == code
    if client.transport != "websocket":
        assert client.status == 401, "there is no session that could end"
        return
    bye = await client.next("bye")
    assert (bye["code"], bye["reconnect"]) == (close, True)
    assert await client.closed() == close


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def hostile(issuer):
    other = ec.generate_private_key(ec.SECP256R1())
    public = issuer._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    good = issuer.token("mallory")
    header, claims, signature = good.split(".")
    facts = jwt.decode(good, options={"verify_signature": False})
    confused = f'{part({"alg": "HS256", "typ": "JWT", "kid": issuer.key_id})}.{claims}'
    mac = base64.urlsafe_b64encode(hmac.new(public, confused.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()
    yield "no token at all", "x"
    yield "two parts", f"{header}.{claims}"
    yield "four parts", f"{good}.x"
    yield "no signature", f"{header}.{claims}."
    yield "alg none", f'{part({"alg": "none", "typ": "JWT"})}.{claims}.'
    yield "another signature", f"{header}.{claims}.{signature[:-6]}AAAAAA"
    yield "another subject", f'{header}.{part({**facts, "sub": "alice"})}.{signature}'
    yield "an unknown key", issuer.token("mallory", key=other, headers={"kid": "nobody"})
    yield "a foreign key under a known name", issuer.token("mallory", key=other)
    yield "another kind of key", issuer.token(
        "mallory", key=rsa.generate_private_key(public_exponent=65537, key_size=2048), algorithm="RS256")
    yield "the public key as an HMAC secret", f"{confused}.{mac}"
    yield "another issuer", issuer.token("mallory", iss="https://evil.example.org")
    yield "no issuer", issuer.token("mallory", iss=None)
    yield "another audience", issuer.token("mallory", aud="shop")
    yield "no audience", issuer.token("mallory", aud=None)
    yield "no expiry", issuer.token("mallory", exp=None)
    yield "not yet", issuer.token("mallory", nbf=int(time.time()) + 3_600)
    yield "issued in the future", issuer.token("mallory", iat=int(time.time()) + 3_600)
    yield "a critical header nobody knows", issuer.token("mallory", headers={"crit": ["b64"], "b64": True})
    yield "another type of token", issuer.token("mallory", headers={"typ": "logout+jwt"})
    yield "no subject", issuer.token(None)
    yield "an empty subject", issuer.token("")
    yield "a subject with a line break", issuer.token("a\nb")
    yield "a subject that is too long", issuer.token("x" * 256)
    yield "a token that is too long", issuer.token("mallory", padding="x" * 30_000)


async def test_a_hostile_token_gets_nothing(strict, Client):
    for name, token in hostile(strict.issuer):
        try:
            await refused(Client, strict, token, "invalid_token", 4301)
        except (AssertionError, Lost) as error:
            raise AssertionError(f"{name}: {error!r}") from error


async def test_a_forged_token_does_not_get_the_tokens_of_tomorrows_key_refused(platform, Client):
    """The key is named by a forged token, refused as unknown, and made a moment later."""
    issuer = Issuer(scratch("rotation"))
    tomorrow = ec.generate_private_key(ec.SECP256R1())
    async with platform.running("rotation", extra={"HUB_JWKS": str(issuer.jwks), "HUB_LIMITS_CONNECT_WITHIN": "20s"}) as hub:
        forged = issuer.token("mallory", key=ec.generate_private_key(ec.SECP256R1()), headers={"kid": "tomorrow"})
        await refused(Client, hub, forged, "invalid_token", 4301)
        # Until the key is known, no answer is final, because the key may be made at any moment.
        name = person()
        genuine = issuer.token(name, key=tomorrow, headers={"kid": "tomorrow"})
        connecting = asyncio.create_task(Client.connect(hub.socket_url, genuine, {"inbox": 0}))
        issuer.publish({issuer.key_id: issuer._key, "tomorrow": tomorrow})
        client = await asyncio.wait_for(connecting, 8)
        assert client.welcome["user"] == name
        # The same token again is refused at once: the keys were fetched after it had come.
        await refused(Client, hub, forged, "invalid_token", 4301)


async def test_a_withdrawn_key_ends_its_sessions(platform, Client):
    issuer = Issuer(scratch("withdrawal"))
    other = ec.generate_private_key(ec.SECP256R1())
    issuer.publish({issuer.key_id: issuer._key, "other": other})
    async with platform.running("withdrawal", extra={"HUB_JWKS": str(issuer.jwks)}) as hub:
        old, new = person(), person()
        ending = await Client.connect(hub.socket_url, issuer.token(old), {"inbox": 0})
        staying = await Client.connect(hub.socket_url, issuer.token(new, key=other, headers={"kid": "other"}), {"inbox": 0})
        # A set without keys withdraws nothing: it is a fault of its maker.
        issuer.publish({})
        await asyncio.sleep(3)
        await staying.ask("ping")
        await ending.ask("ping")
        assert "The key set that was read cannot be used" in hub.log.read_text()
        issuer.publish({"other": other})
        bye = await ending.next("bye", seconds=10)
        assert (bye["code"], bye["reason"], bye["reconnect"]) == (4302, "token_revoked", True)
        assert await ending.closed() == 4302
        await staying.ask("ping")
        await refused(Client, hub, issuer.token(old), "invalid_token", 4301)
        again = await Client.connect(hub.socket_url, issuer.token(old, key=other, headers={"kid": "other"}), {"inbox": 0})
        assert again.welcome["user"] == old


async def test_a_session_has_a_longest_life_whatever_its_token_says(platform, Client):
    async with platform.running("short-lived", extra={"HUB_AUTH_SESSION_LIFE": "4s"}) as hub:
        name, never = person(), 253_402_300_000 - int(time.time())
        client = await Client.connect(hub.socket_url, hub.token(name, ttl=never))
        assert client.welcome["tokenTtlMs"] <= 4_000
        await asyncio.sleep(2)
        refreshed = await client.ask("refresh", token=hub.token(name, ttl=never))
        assert 3_000 < refreshed["tokenTtlMs"] <= 4_000
        with pytest.raises(AssertionError, match="never came"):
            await client.next("bye", seconds=2.5)
        bye = await client.next("bye", seconds=5)
        assert (bye["code"], bye["reason"]) == (4300, "token_expired")


async def test_an_audience_of_foreign_names_is_refused_and_one_that_names_the_hub_accepted(strict, Client):
    await refused(Client, strict, strict.token("mallory", aud=["shop", "forum"]), "invalid_token", 4301)
    name = person()
    client = await Client.connect(strict.socket_url, strict.token(name, aud=["shop", strict.issuer.audience]))
    assert client.welcome["user"] == name


async def test_only_the_configured_algorithms_are_accepted(platform, Client):
    async with platform.running("rsa-only", extra={"HUB_AUTH_ALGORITHMS": "RS256"}) as hub:
        await refused(Client, hub, hub.token("mallory"), "invalid_token", 4301)


async def test_an_expired_token_gets_its_own_error(strict, Client):
    await refused(Client, strict, strict.token("alice", ttl=-600), "token_expired", 4300)


async def test_a_missing_token_is_an_invalid_token(strict, Client):
    client = await Client.open(strict.socket_url)
    with pytest.raises(Refused, match="invalid_token"):
        await client.ask("connect")


async def test_a_token_may_come_in_a_header(strict, Client):
    name = person()
    client = await Client.connect(strict.socket_url, None, headers={"Authorization": f"Bearer {strict.token(name)}"})
    assert client.welcome["user"] == name
    await client.quiet()


@pytest.mark.only_over("websocket", reason="a subprotocol")
async def test_a_token_may_come_as_a_subprotocol(strict, Client):
    name = person()
    subprotocols = ("hub.v1.json", f"hub.bearer.{strict.token(name)}")
    client = await Client.connect(strict.socket_url, None, subprotocols=subprotocols)
    assert client.welcome["user"] == name
    assert client.socket.subprotocol == "hub.v1.json", "a token is never echoed"


async def test_a_token_in_the_query_is_refused_without_repeating_it(strict):
    raw = await RawSocket.open(strict.address)
    raw.send(head(path=f"/v1/socket?token={strict.token(person())}"))
    status, _, body = await raw.response()
    assert status == 400 and "query_token" in body and "eyJ" not in body


async def test_the_session_ends_with_its_token(strict, Client):
    client = await Client.connect(strict.socket_url, strict.token(person(), ttl=3))
    assert client.welcome["tokenTtlMs"] <= 3_000
    bye = await client.next("bye", seconds=8)
    assert (bye["code"], bye["reason"], bye["reconnect"]) == (4300, "token_expired", True)
    assert await client.closed() == 4300


async def test_refreshing_keeps_a_living_connection(strict, Client):
    name = person()
    client = await Client.connect(strict.socket_url, strict.token(name, ttl=3), {"inbox": 0})
    refreshed = await client.ask("refresh", token=strict.token(name, ttl=60))
    assert 50_000 < refreshed["tokenTtlMs"] <= 60_000
    with pytest.raises(Refused, match="subject_changed"):
        await client.ask("refresh", token=strict.token(person(), ttl=60))
    with pytest.raises(Refused, match="token_expired"):
        await client.ask("refresh", token=strict.token(name, ttl=-60))
    with pytest.raises(AssertionError, match="never came"):
        await client.next("bye", seconds=3.5)
    strict.kafka.produce(event(f"user:{name}"), key=name)
    await client.next("entry")


async def test_a_refused_refresh_leaves_the_session_its_old_token(strict, Client):
    name, one = person(), person("u")
    own = f"broadcast:institution:{one}"
    client = await Client.connect(strict.socket_url, strict.token(name, ttl=5, institution=one), {own: 0})
    forged = strict.token(name, ttl=600, key=ec.generate_private_key(ec.SECP256R1()))
    unknown = strict.token(name, ttl=600, key=ec.generate_private_key(ec.SECP256R1()), headers={"kid": "nobody"})
    for token in (forged, unknown, "x", strict.token(name, aud="shop")):
        with pytest.raises(Refused, match="invalid_token"):
            await client.ask("refresh", token=token)
    strict.kafka.produce(event(own))
    await client.next("entry", channel=own)
    bye = await client.next("bye", seconds=8)
    assert (bye["code"], bye["reason"]) == (4300, "token_expired")


async def test_a_refresh_may_take_rights_away(strict, Client):
    name = person()
    one, role, activity = (person(kind) for kind in ("u", "tutor", "activity"))
    token = strict.token(name, institution=one, roles=[role], channels=[f"activity:{activity}"])
    granted = [f"broadcast:institution:{one}", f"broadcast:category:{role}", f"broadcast:activity:{activity}"]
    client = await Client.connect(strict.socket_url, token, dict.fromkeys([*granted, "broadcast:system"], 0))
    assert "refused" not in client.welcome
    await client.ask("refresh", token=strict.token(name, institution="u2"))
    lost = {(await client.next("signal", signal="unsubscribed"))["channel"] for _ in granted}
    assert lost == set(granted)
    strict.kafka.produce(*[event(channel) for channel in granted], event("broadcast:system"))
    await client.next("entry", channel="broadcast:system")
    assert {f["channel"] for f in client.heard if f["type"] == "entry"} == {"broadcast:system"}
    with pytest.raises(Refused, match="forbidden"):
        await client.ask("subscribe", channel=granted[0], since=0)


@pytest.mark.only_over("websocket", reason="without connect there is no session over HTTP")
async def test_a_connection_without_connect_is_closed_with_4105(strict, Client):
    client = await Client.open(strict.socket_url)
    bye = await client.next("bye")
    assert (bye["code"], bye["reconnect"]) == (4105, True)
    assert await client.closed() == 4105


async def test_tokens_and_bodies_never_reach_the_log(strict, Client):
    name, secret = person(), "dont-log-this-body"
    token = strict.token(name)
    client = await Client.connect(strict.socket_url, token, {"inbox": 0})
    await client.ask("send", to="someone", key="1", body=secret)
    await refused(Client, strict, token[:-8] + "AAAAAAAA", "invalid_token", 4301)
    log = strict.log.read_text(errors="replace")
    assert client.transport == "websocket" or client.credential not in log
    assert secret not in log and token[:40] not in log and token.split(".")[1] not in log
