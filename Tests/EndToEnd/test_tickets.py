"""Ways in beside a token: contexts that an API gateway signed, and one-time tickets."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import time

import httpx
import pytest

from hubclient import Client as Socket, Refused
from rig import event, person, query, scratch

SECRETS = {"v1": b"1" * 32, "v2": b"2" * 32}


def encoded(secret):
    return base64.urlsafe_b64encode(secret).rstrip(b"=").decode()


def keys(folder, secrets=SECRETS):
    path = folder / "context-keys.json"
    path.write_text(json.dumps({"keys": [{"kty": "oct", "alg": "HS256", "kid": kid, "k": encoded(secret)} for kid, secret in secrets.items()]}))
    return path


def signed(user, kid="v1", secret=None, lasts=300, **claims):
    """The header fields that the gateway adds to a request of this user."""
    now = int(time.time())
    facts = {"sub": user, "iat": now, "exp": now + lasts, "roles": ["STAFF"], "authorities": ["x"], **claims}
    context = json.dumps({name: value for name, value in facts.items() if value is not None}, separators=(",", ":"))
    code = hmac.new(secret or SECRETS[kid], context.encode(), hashlib.sha256).digest()
    return {"X-Signed-Context": context, "X-Context-Signature": base64.b64encode(code).decode(), "X-Context-Kid": kid}


@pytest.fixture(scope="module")
def gated(platform):
    """A hub behind a gateway."""
    hub = platform.hub("gated", extra={"HUB_AUTH_CONTEXT_KEYS": str(keys(platform.folder))})
    try:
        yield hub.start()
    finally:
        hub.stop()


@pytest.fixture(scope="module")
def second(platform, gated):
    """Another hub on the same database."""
    hub = platform.hub("gated-too", extra={"HUB_AUTH_CONTEXT_KEYS": str(keys(platform.folder))})
    try:
        yield hub.start()
    finally:
        hub.stop()


def ticket(hub, headers):
    answer = httpx.post(f"{hub.url}/v1/ticket", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["expiresInMs"] == 30_000
    return answer.json()["ticket"]


async def with_ticket(hub, text, channels=("inbox",)):
    client = await Socket.open(hub.socket_url)
    client.welcome = await client.ask("connect", ticket=text, channels=[{"channel": name} for name in channels])
    return client


async def test_a_signed_context_gets_a_ticket_and_the_ticket_a_socket(gated):
    alice = person("alice")
    client = await with_ticket(gated, ticket(gated, signed(alice)), ["inbox", "broadcast:category:STAFF"])
    assert client.welcome["user"] == alice
    assert "refused" not in client.welcome
    # The session lasts as long as the gateway's context, and the leeway of 30 s.
    assert 290_000 < client.welcome["tokenTtlMs"] <= 331_000
    gated.kafka.produce(event(f"user:{alice}", title="Hello"), key=alice)
    assert (await client.next("entry"))["title"] == "Hello"


async def test_a_ticket_is_used_once_also_on_another_hub(gated, second):
    bob = person("bob")
    text = ticket(gated, signed(bob))
    client = await with_ticket(second, text)
    assert client.welcome["user"] == bob
    for hub in (gated, second):
        late = await Socket.open(hub.socket_url)
        with pytest.raises(Refused) as error:
            await late.ask("connect", ticket=text)
        assert error.value.code == "invalid_token"
        assert await late.closed() == 4301


async def test_of_many_who_show_one_ticket_one_gets_in(gated, second):
    text = ticket(gated, signed(person("carol")))
    clients = [await Socket.open(hub.socket_url) for hub in (gated, second) * 10]
    outcomes = await asyncio.gather(*(client.ask("connect", ticket=text) for client in clients), return_exceptions=True)
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1


async def test_a_session_goes_on_with_another_ticket_of_its_user(gated):
    dora = person("dora")
    client = await with_ticket(gated, ticket(gated, signed(dora, lasts=5)))
    assert client.welcome["tokenTtlMs"] <= 36_000
    reply = await client.ask("refresh", ticket=ticket(gated, signed(dora)))
    assert reply["tokenTtlMs"] > 290_000
    with pytest.raises(Refused) as error:
        await client.ask("refresh", ticket=ticket(gated, signed(person("eve"))))
    assert error.value.code == "subject_changed"
    with pytest.raises(Refused) as error:
        await client.ask("refresh", ticket="x")
    assert error.value.code == "invalid_token"
    # The session is still there.
    await client.ask("ping")


async def test_an_expired_ticket_is_refused(gated, platform):
    text = ticket(gated, signed(person("fay")))
    query(platform.database.url, "update hub.ticket set expires_at = now() - interval '1 second' returning 1")
    client = await Socket.open(gated.socket_url)
    with pytest.raises(Refused) as error:
        await client.ask("connect", ticket=text)
    assert error.value.code == "invalid_token"


async def test_a_token_and_a_ticket_exclude_each_other(gated, platform):
    client = await Socket.open(gated.socket_url)
    with pytest.raises(Refused) as error:
        await client.ask("connect", token=platform.issuer.token("gil"), ticket="x")
    assert error.value.code == "bad_request"


def test_a_token_gets_a_ticket_too(gated, platform):
    text = ticket(gated, {"Authorization": f'Bearer {platform.issuer.token(person("hal"))}'})
    assert len(text) == 43
    assert text not in str(query(platform.database.url, "select * from hub.ticket")), "the table keeps a digest alone"


def faults():
    good = signed("mallory")
    yield "nothing", {}, "invalid_token"
    yield "no signature", {"X-Signed-Context": good["X-Signed-Context"], "X-Context-Kid": "v1"}, "invalid_token"
    yield "no key", {name: value for name, value in good.items() if name != "X-Context-Kid"}, "invalid_token"
    yield "another key", signed("mallory", secret=b"3" * 32), "invalid_token"
    yield "a key under another name", {**good, "X-Context-Kid": "v2"}, "invalid_token"
    yield "an unknown key", {**good, "X-Context-Kid": "v3"}, "invalid_token"
    yield "another user", {**good, "X-Signed-Context": good["X-Signed-Context"].replace("mallory", "alice12")}, "invalid_token"
    yield "expired", signed("mallory", lasts=-60), "token_expired"
    yield "without an expiry", signed("mallory", exp=None), "invalid_token"
    yield "of tomorrow", signed("mallory", iat=int(time.time()) + 3_600), "invalid_token"
    yield "without a user", signed(None), "invalid_token"
    yield "a user with a line break", signed("a\nb"), "invalid_token"
    yield "no JSON", {**good, "X-Signed-Context": "alice"}, "invalid_token"
    yield "the context as a token", {"Authorization": f'Bearer {good["X-Signed-Context"]}'.replace("\n", "")}, "invalid_token"


@pytest.mark.parametrize("fault", [name for name, _, _ in faults()])
def test_what_the_gateway_did_not_sign_gets_nothing(gated, fault):
    # Signed now: the whole run may take longer than a context lasts.
    headers, code = next((headers, code) for name, headers, code in faults() if name == fault)
    answer = httpx.post(f"{gated.url}/v1/ticket", headers=headers)
    assert answer.status_code == 401, answer.text
    assert answer.json()["error"]["code"] == code


def test_a_field_that_comes_twice_gets_nothing(gated):
    fields = list(signed("mallory").items()) + list(signed("alice").items())
    assert httpx.post(f"{gated.url}/v1/ticket", headers=fields).status_code == 401


def test_without_keys_the_fields_mean_nothing(hub):
    answer = httpx.post(f"{hub.url}/v1/ticket", headers=signed("alice"))
    assert answer.status_code == 401


def test_other_methods_and_pages_are_refused(gated):
    assert httpx.get(f"{gated.url}/v1/ticket", headers=signed("a")).status_code == 405
    foreign = httpx.post(f"{gated.url}/v1/ticket", headers={**signed("a"), "Origin": "https://evil.example.org"})
    assert foreign.status_code == 403


async def test_requests_through_the_gateway_need_no_ticket(gated):
    ida = person("ida")
    gated.kafka.produce(event(f"user:{ida}", title="Read me"), key=ida)
    async with httpx.AsyncClient() as http:
        for _ in range(100):
            line = json.dumps({"id": 1, "type": "history", "channel": "inbox"})
            answer = await http.post(f"{gated.url}/v1/commands", headers=signed(ida), content=line)
            assert answer.status_code == 200, answer.text
            entries = json.loads(answer.text.splitlines()[0]).get("ok", {}).get("entries", [])
            if entries:
                break
            await asyncio.sleep(0.1)
        assert entries[0]["title"] == "Read me"


async def test_no_ticket_while_the_database_is_away(platform):
    hub = platform.hub("ticketless", extra={"HUB_AUTH_CONTEXT_KEYS": str(keys(platform.folder))})
    hub.start()
    try:
        text = ticket(hub, signed(person("jo")))
        platform.database.stop()
        try:
            answer = httpx.post(f"{hub.url}/v1/ticket", headers=signed("jo"), timeout=30)
            assert answer.status_code == 503
            assert answer.json()["error"]["temporary"] is True
            client = await Socket.open(hub.socket_url)
            with pytest.raises(Refused) as error:
                await client.ask("connect", ticket=text)
            assert error.value.temporary, "the same ticket may be shown again"
        finally:
            platform.database.start()
        for _ in range(100):
            with contextlib.suppress(Refused):
                assert (await client.ask("connect", ticket=text))["user"]
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError("the ticket was lost")
    finally:
        hub.stop()


@pytest.mark.parametrize(("secrets", "reason"), [({"v1": b"short"}, "tooShort"), ({}, "noUsableKey")])
def test_a_hub_does_not_start_with_keys_that_it_cannot_use(platform, secrets, reason):
    folder = scratch("unusable-keys")
    hub = platform.hub("keyless", extra={"HUB_AUTH_CONTEXT_KEYS": str(keys(folder, secrets))})
    with pytest.raises(AssertionError):
        hub.start()
    assert "auth.context-keys" in hub.tail() and reason in hub.tail()


async def test_a_user_who_asks_without_end_is_slowed_down(platform):
    async with platform.running("few-tickets", extra={"HUB_LIMITS_COMMANDS_PER_SECOND": "20"}) as hub:
        fields = {"Authorization": f'Bearer {platform.issuer.token(person("greedy"))}'}
        async with httpx.AsyncClient() as http:
            statuses = [(await http.post(f"{hub.url}/v1/ticket", headers=fields)).status_code for _ in range(300)]
            assert statuses[0] == 200 and statuses[-1] == 429, statuses
            other = {"Authorization": f'Bearer {platform.issuer.token(person("modest"))}'}
            assert (await http.post(f"{hub.url}/v1/ticket", headers=other)).status_code == 200
