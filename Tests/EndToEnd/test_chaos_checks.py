"""Each check of the chaos run can fail: every guarantee is broken once."""

import pytest

import chaos
from chaos import Chaos, Scale


class Stub:
    class database:
        url = "unused"


def settled(monkeypatch):
    """Two people, three events and an answered message, everything as it should be."""
    run = Chaos(Stub, None, Scale(clients=2, users=2, events=0, messages=0, seed=1))
    one, two = (user.name for user in run.users)
    conversation = "conversation:00000000-0000-4000-8000-000000000000"
    entries = {
        f"inbox:{one}": [(None, "e1"), (None, "e2")], "broadcast:system": [(None, "e3")], conversation: [(one, "m-0")]}
    run.published = {"e1": [f"inbox:{one}"], "e2": [f"inbox:{one}"], "e3": ["broadcast:system"]}
    run.answered = {(one, "m-0"): (conversation, 1)}
    for device in run.devices:
        device.channels["broadcast:system"] = [(None, "e3")]
        device.channels[conversation] = [(one, "m-0")]
    run.devices[0].channels["inbox"] = [(None, "e1"), (None, "e2")]
    run.devices[0].acked = {"inbox": 2, "broadcast:system": 1}
    cursors = [[one, f"inbox:{one}", 2], [one, "broadcast:system", 1]]

    def query(_, statement):
        if "hub.entry" in statement:
            return [(name, seq + 1, *entry) for name in sorted(entries) for seq, entry in enumerate(entries[name])]
        if "hub.member" in statement:
            return [(conversation, one), (conversation, two)]
        return cursors

    monkeypatch.setattr(chaos, "query", query)
    return run, entries, cursors, one, two, conversation


def test_a_good_run_passes_every_check(monkeypatch):
    run, *_ = settled(monkeypatch)
    run._verify()
    assert run.wrong == []


FAULTS = {
    "an event was lost": lambda run, entries, cursors, one, two, talk: entries[f"inbox:{one}"].pop(),
    "an event was stored twice": lambda run, entries, cursors, one, two, talk: entries["broadcast:system"].append((None, "e3")),
    "an event went to somebody else": lambda run, entries, cursors, one, two, talk: entries.update({f"inbox:{two}": [(None, "e2")]}),
    "an answered message is gone": lambda run, entries, cursors, one, two, talk: entries.pop(talk),
    "a message was stored twice": lambda run, entries, cursors, one, two, talk: entries[talk].append((one, "m-0")),
    "a message was never answered": lambda run, entries, cursors, one, two, talk: run.answered.update({(two, "m-1"): None}),
    "a device misses an entry": lambda run, entries, cursors, one, two, talk: run.devices[0].channels["inbox"].pop(),
    "a device has another order": lambda run, entries, cursors, one, two, talk: run.devices[0].channels["inbox"].reverse(),
    "a device has too much": lambda run, entries, cursors, one, two, talk: run.devices[1].channels["inbox"].append((None, "e1")),
    "a device hears a foreign channel": lambda run, entries, cursors, one, two, talk: run.devices[1].channels.update({"broadcast:institution:x": [(None, "e9")]}),
    "an answered ack is not in the table": lambda run, entries, cursors, one, two, talk: cursors[0].__setitem__(2, 1),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_each_fault_is_noticed(monkeypatch, fault):
    run, *rest = settled(monkeypatch)
    fault(run, *rest)
    run._verify()
    assert run.wrong != []


async def test_an_ack_that_was_lost_for_a_while_is_noticed(monkeypatch):
    run, _, cursors, *_ = settled(monkeypatch)
    await run._verify_acks_so_far()
    assert run.wrong == []
    cursors[0][2] = 1
    await run._verify_acks_so_far()
    cursors[0][2] = 2  # a later one makes up for it
    run._verify()
    assert len(run.wrong) == 1


def test_a_gap_and_a_changed_entry_are_noticed(monkeypatch):
    run, *_ = settled(monkeypatch)
    device = run.devices[0]
    line = {"type": "entry", "channel": "inbox", "kind": "notification", "data": {"for": [device.user.name]}}
    device._entry({**line, "seq": 2, "id": "e2"})
    assert run.wrong == [] and run.statistics.again == 1
    device._entry({**line, "seq": 1, "id": "another"})
    device._entry({**line, "seq": 4, "id": "e4"})
    device._entry({**line, "seq": 3, "id": "e5", "data": {"for": ["somebody else"]}})
    assert len(run.wrong) == 3 and run.statistics.gaps == 1
