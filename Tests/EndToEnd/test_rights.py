"""Rights that another program takes away in the database end in living sessions."""

import asyncio
import time

import psycopg
import pytest

from hubclient import Refused
from rig import event, person


@pytest.fixture(scope="module")
def plain(platform):
    hub = platform.hub("rights")
    try:
        yield hub.start()
    finally:
        hub.stop()


def execute(platform, sql, *values):
    with psycopg.connect(platform.database.url, autocommit=True) as connection:
        return connection.execute(sql, values)


REMOVE = """
    delete from hub.member m using hub.channel c
    where c.id = m.channel_id and c.name = %s and m.user_id = %s
"""


async def together(plain, Client):
    ann, bob = person("ann"), person("bob")
    one = await Client.connect(plain.socket_url, plain.token(ann))
    channel = (await one.ask("open", **{"with": bob}))["channel"]
    other = await Client.connect(plain.socket_url, plain.token(bob), {channel: 0})
    assert "refused" not in other.welcome
    await one.ask("send", channel=channel, key="1", body="before")
    await other.next("entry", channel=channel)
    return bob, one, other, channel


async def is_out(one, other, channel):
    for command, members in (("history", {}), ("subscribe", {"since": 0}), ("send", {"key": "x", "body": "still there?"})):
        with pytest.raises(Refused, match="forbidden"):
            await other.ask(command, channel=channel, **members)
    await one.ask("send", channel=channel, key="2", body="after")
    await other.ask("ping")
    assert [f["body"] for f in other.heard if f["type"] == "entry"] == ["before"]


async def test_a_deleted_membership_ends_following_and_history_within_a_second(platform, plain, Client):
    bob, one, other, channel = await together(plain, Client)
    began = time.monotonic()
    await asyncio.to_thread(execute, platform, REMOVE, channel, bob)
    signal = await other.next("signal", signal="unsubscribed")
    assert time.monotonic() - began < 1.5, "a second, and the time of a slow machine"
    assert signal["channel"] == channel
    await is_out(one, other, channel)
    # Both together again: the old withdrawal is over.
    await one.ask("open", **{"with": bob})
    assert (await other.ask("subscribe", channel=channel, since=0))["channel"] == channel
    with pytest.raises(AssertionError, match="never came"):
        await other.next("signal", signal="unsubscribed", seconds=1.5)


async def test_a_refresh_judges_memberships_at_once(platform, plain, Client):
    bob, one, other, channel = await together(plain, Client)
    # The transaction is not told before it commits, and the refresh comes right behind the commit.
    await asyncio.to_thread(execute, platform, REMOVE, channel, bob)
    await other.ask("refresh", token=plain.token(bob))
    signal = await other.next("signal", signal="unsubscribed")
    assert signal["channel"] == channel
    await is_out(one, other, channel)


async def test_a_membership_beside_the_token_may_end_without_a_loss(platform, plain, Client):
    name, one = person(), person("u")
    channel = f"broadcast:institution:{one}"
    client = await Client.connect(plain.socket_url, plain.token(name, institution=one), {channel: 0})
    await asyncio.to_thread(plain.kafka.produce, event(channel))
    await client.next("entry", channel=channel)
    await asyncio.to_thread(
        execute, platform, "insert into hub.member (channel_id, user_id) select id, %s from hub.channel where name = %s", name, channel)
    await asyncio.to_thread(execute, platform, REMOVE, channel, name)
    with pytest.raises(AssertionError, match="never came"):
        await client.next("signal", signal="unsubscribed", seconds=1.5)
    await asyncio.to_thread(plain.kafka.produce, event(channel))
    await client.next("entry", channel=channel)
