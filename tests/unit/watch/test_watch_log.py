"""Which records are let go, and that what is left still tells where things stand."""

from __future__ import annotations

import random

import pytest

from seatrial.core.model import Change, Record, Snapshot
from seatrial.testing import VirtualClock
from seatrial.watch.log import Log


@pytest.fixture
def log():
    return Log(kept=2)


def record(number, change, name, kind="Pod"):
    meta = {"name": name, "namespace": "demo", "uid": f"uid-{name}", "resourceVersion": str(number)}
    obj = {} if change is Change.GAP else {"kind": kind, "metadata": meta}
    return Record(number, float(number), VirtualClock.EPOCH, change, kind, obj)


def fill(log, *told, kind="Pod"):
    """Appends records written as `+web` (added), `~web`, `-web` or `GAP`."""
    changes = {"+": Change.ADDED, "~": Change.MODIFIED, "-": Change.DELETED, "G": Change.GAP}
    last = [record.number for record in log.after(0)][-1:] or [0]
    for number, each in enumerate(told, start=last[0] + 1):
        log.append(record(number, changes[each[0]], each[1:], kind))


def numbers(log, kind=""):
    return [record.number for record in log.after(0, kind)]


def test_the_latest_are_kept_whatever_they_say(log):
    fill(log, "+web", "~web")
    assert log.trim() == []
    assert numbers(log) == [1, 2]


def test_an_old_record_goes_when_a_newer_one_stands_for_its_object(log):
    fill(log, "+web", "+db", "~web", "~web", "~web")
    gone = log.trim()
    assert sorted(record.number for record in gone) == [1, 3]
    # the database has not changed since: nothing newer stands for it
    assert numbers(log) == [2, 4, 5]


def test_all_of_an_object_goes_when_it_has_been_gone_for_long(log):
    fill(log, "+web", "~web", "-web", "+db", "+mq")
    log.trim()
    assert numbers(log) == [4, 5]


def test_the_deletion_stays_while_it_is_among_the_latest(log):
    fill(log, "+web", "~web", "-web", "+db")
    log.trim()
    assert numbers(log) == [3, 4]


def test_each_change_of_an_event_stays_as_long_as_the_event_exists(log):
    fill(log, "+e", "~e", "~e", "~e", "~e", kind="Event")
    assert log.trim() == []
    fill(log, "-e", "+f", "+g", kind="Event")
    log.trim()
    assert numbers(log) == [7, 8]


def test_a_gap_is_never_forgotten(log):
    fill(log, "GAP", "+web", "-web", "GAP", "+a", "+b", "+c")
    log.trim()
    assert numbers(log) == [1, 4, 5, 6, 7]


def test_what_is_asked_for_by_kind_or_number_is_found_after_a_trim(log):
    for _ in range(3):
        fill(log, "+web", "~web")
        fill(log, "+e", "~e", kind="Event")
    log.trim()
    assert numbers(log, "Pod") == [10]
    assert numbers(log, "Event") == [3, 4, 7, 8, 11, 12]
    assert [record.number for record in log.after(8)] == [10, 11, 12]
    assert [record.number for record in log.after(8, "Event")] == [11, 12]
    assert [record.number for record in log.after(-1, "Pod")] == [10]
    assert log.after(99) == []
    assert log.after(0, "Node") == []


def test_it_is_full_seldom_enough_to_cost_nothing():
    log = Log(kept=100)
    looked_through = 0
    for number in range(1, 10_001):
        log.append(record(number, Change.MODIFIED, f"web-{number % 50}"))
        if log.full:
            looked_through += len(log.after(0))
            log.trim()
            assert len(log.after(0)) <= 150
    assert looked_through < 3 * 10_000


def test_objects_without_a_uid_are_kept(log):
    for number in range(1, 6):
        log.append(Record(number, 0.0, VirtualClock.EPOCH, Change.MODIFIED, "Odd", {"kind": "Odd"}))
    assert log.trim() == []


@pytest.mark.parametrize("seed", range(20))
def test_what_is_left_adds_up_to_the_same_objects(seed):
    dice = random.Random(seed)  # noqa: S311 - a test's dice, to be thrown again
    log, all_of_them = Log(kept=dice.randint(1, 30)), []
    alive = set()
    for number in range(1, 300):
        name = f"o{dice.randrange(12)}"
        change = Change.MODIFIED if name in alive else Change.ADDED
        if name in alive and dice.random() < 0.3:
            change = Change.DELETED
        alive ^= {name} if change is not Change.MODIFIED else set()
        made = record(number, change, name, "Event" if name < "o3" else "Pod")
        all_of_them.append(made)
        log.append(made)
        if dice.random() < 0.05:
            log.trim()
        assert Snapshot.of_records(log.after(0)) == Snapshot.of_records(all_of_them)
