"""Who is there: two hubs, of which one may be killed."""

import asyncio
import contextlib

import pytest

from hubclient import Client, Refused
from rig import person

EXTRA = {"HUB_PRESENCE": "true", "HUB_DRAIN_SPREAD": "1s"}


@pytest.fixture(scope="module")
def two(platform):
    extra = EXTRA | {"HUB_KAFKA_GROUP": "presence"}
    left, right = platform.hub("presence-left", extra=extra), platform.hub("presence-right", extra=extra)
    left.start()
    right.start()
    yield left, right
    left.stop()
    right.stop()


async def pair(left, right, ann, bob):
    """Their sessions, which follow a conversation that they have in common, and the channel."""
    one = await Client.connect(left.socket_url, left.token(ann), {"inbox": 0})
    other = await Client.connect(right.socket_url, right.token(bob), {"inbox": 0})
    channel = (await one.ask("open", **{"with": bob}))["channel"]
    for client in (one, other):
        await client.ask("subscribe", channel=channel)
    return one, other, channel


async def sees(client, user, state, seconds=20):
    """Waits until the client was told that the user is so; the push."""
    async with asyncio.timeout(seconds):
        while True:
            push = await client.next("signal", signal="presence", user=user, seconds=seconds)
            if push["state"] == state:
                return push


async def hears_nothing_of(client, user, seconds=3):
    with contextlib.suppress(AssertionError, TimeoutError, asyncio.TimeoutError):
        push = await client.next("signal", signal="presence", user=user, seconds=seconds)
        assert push["state"] == "offline" and "lastSeen" not in push, f"told of {push}"


async def test_two_people_on_two_hubs_see_each_other_come_be_away_and_go(two):
    ann, bob = person("ann"), person("bob")
    one, other, _ = await pair(*two, ann, bob)
    assert (await one.ask("presence", state="online"))["users"] == []
    await other.ask("presence", state="online")
    await sees(one, bob, "online")
    await sees(other, ann, "online")
    assert (await one.ask("presence", state="online"))["users"] == [{"user": bob, "state": "online"}]
    await other.ask("presence", state="away")
    await sees(one, bob, "away")
    other.drop()
    push = await sees(one, bob, "offline")
    assert push["lastSeen"].endswith(":00.000Z"), "to the minute"


async def test_a_user_with_tabs_on_two_hubs_is_online_until_both_have_ended(two):
    ann, bob = person("ann"), person("bob")
    one, other, channel = await pair(*two, ann, bob)
    tab = await Client.connect(two[0].socket_url, two[0].token(bob), {"inbox": 0})
    for client in (one, other, tab):
        await client.ask("presence", state="online")
    await sees(one, bob, "online")
    other.drop()
    # Longer than the time in which a user who loads a page anew is still there.
    await asyncio.sleep(8)
    assert (await one.ask("presence", state="online"))["users"] == [{"user": bob, "state": "online"}]
    tab.drop()
    await sees(one, bob, "offline")


async def test_who_does_not_share_is_neither_shown_nor_told(two):
    ann, bob = person("ann"), person("bob")
    one, other, _ = await pair(*two, ann, bob)
    await one.ask("presence", state="online")
    await asyncio.gather(hears_nothing_of(one, bob), hears_nothing_of(other, ann))
    await other.ask("presence", state="online")
    await sees(one, bob, "online")
    await other.ask("presence", state="off")
    push = await sees(one, bob, "offline")
    assert "lastSeen" not in push, "whoever ends sharing leaves no time"
    await one.ask("presence", state="away")
    await hears_nothing_of(other, ann)


@pytest.mark.parametrize("blocker", [0, 1])
async def test_nobody_is_seen_across_a_block(two, blocker):
    ann, bob = person("ann"), person("bob")
    clients = (*(await pair(*two, ann, bob))[:2],)
    names = (ann, bob)
    for client in clients:
        await client.ask("presence", state="online")
    for client, name in zip(clients, reversed(names)):
        await sees(client, name, "online")
    await clients[blocker].ask("block", user=names[1 - blocker])
    for client, name in zip(clients, reversed(names)):
        push = await sees(client, name, "offline")
        assert "lastSeen" not in push
        assert (await client.ask("presence", state="online"))["users"] == []
    await clients[blocker].ask("unblock", user=names[1 - blocker])
    for client, name in zip(clients, reversed(names)):
        await sees(client, name, "online")


async def test_the_users_of_a_killed_hub_go_offline(platform, two):
    doomed = platform.hub("presence-doomed", extra=EXTRA | {"HUB_KAFKA_GROUP": "presence-doomed"})
    await asyncio.to_thread(doomed.start)
    try:
        ann, bob = person("ann"), person("bob")
        one, other, _ = await pair(two[0], doomed, ann, bob)
        for client in (one, other):
            await client.ask("presence", state="online")
        await sees(one, bob, "online")
        doomed.kill()
        # The silence after which a source has ended, and a beat.
        push = await sees(one, bob, "offline", seconds=40)
        assert "lastSeen" in push
    finally:
        doomed.kill()


@pytest.mark.alone
async def test_the_users_of_a_stopped_hub_go_offline_when_they_do_not_come_back(platform, two):
    ending = platform.hub("presence-ending", extra=EXTRA | {"HUB_KAFKA_GROUP": "presence-ending"})
    await asyncio.to_thread(ending.start)
    try:
        ann, bob, cyd = person("ann"), person("bob"), person("cyd")
        one, other, _ = await pair(two[0], ending, ann, bob)
        third = await Client.connect(ending.socket_url, ending.token(cyd), {"inbox": 0})
        await one.ask("subscribe", channel=(await third.ask("open", **{"with": ann}))["channel"])
        for client in (one, other, third):
            await client.ask("presence", state="online")
        await sees(one, bob, "online")
        await sees(one, cyd, "online")
        # Without a goodbye the source would be missed 25 seconds after its last digest, which is at most ten seconds old.
        await asyncio.to_thread(ending.stop)
        back = await Client.connect(two[1].socket_url, two[1].token(cyd), {"inbox": 0})
        await back.ask("presence", state="online")
        push = await sees(one, bob, "offline", seconds=13)
        assert "lastSeen" in push
        assert await one.ask("presence", state="online") == {
            "users": [{"user": user, **shown} for user, shown in sorted([(bob, {"state": "offline", "lastSeen": push["lastSeen"]}), (cyd, {"state": "online"})])]}
        await hears_nothing_of(one, cyd, seconds=1)
    finally:
        ending.kill()


async def test_where_it_is_switched_off_the_command_is_refused(platform):
    async with platform.running("presence-off") as hub:
        client = await Client.connect(hub.socket_url, hub.token(person()), {"inbox": 0})
        with pytest.raises(Refused, match="unsupported"):
            await client.ask("presence", state="online")
