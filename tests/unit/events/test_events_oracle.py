"""The matcher against histories of which it is known whether they are legal.

What is legal is said in `histories_kit`, without the matcher, from what causes what. Each test here
makes up 10,000 histories, always the same ones. To make up 100,000:

    ORACLE_HISTORIES=100000 pytest tests/unit/events/test_events_oracle.py
"""

from __future__ import annotations

import os
from collections import Counter
from random import Random

import pytest
from histories_kit import (
    BREAKS,
    TIE,
    deliveries,
    is_hidden,
    is_legal,
    net,
    net_with_choices,
    occurrences,
    play,
    shaken,
    story,
)

from seatrial.core.errors import EventMismatchError
from seatrial.events import Matcher, Timeline, event, never, repeated, slots_of
from seatrial.events.sequences import NamedSequence
from seatrial.testing import ScriptedFeed, VirtualClock

HISTORIES = int(os.environ.get("ORACLE_HISTORIES", "10000"))
BATCH = 100

STAMP = 1.0
"""Seconds: what a listed event's time is cut to, which the delay has to leave room for."""


def fits(expected, seen):
    if isinstance(expected, NamedSequence):
        expected = expected.pattern(seen, tie=TIE)
    return Matcher(seen, tie=TIE).fit(slots_of(expected, seen)) is not None


def plan_of(random):
    roll = random.random()
    if roll < 0.6:
        return net(random, random.randint(2, 12))
    if roll < 0.8:
        return net_with_choices(random, random.randint(3, 12))
    return story(random)


def show(plan, history):
    return "\n".join(
        [
            f"{plan.expected}",
            *(
                f"{w.at:7.2f} {w.number:3} {w.action.process:22} {w.action.object:24} "
                f"{w.action.reason} {w.action.message} causes={w.action.causes}"
                for w in history
            ),
        ]
    )


def batches(salt, *, share=1):
    """Seeded, so that a history that fails can be made up again."""
    for batch in range(HISTORIES // BATCH // share):
        yield Random(f"{salt} {batch}")  # noqa: S311 - no secret is made of it


def test_every_legal_interleaving_fits():
    for random in batches("legal"):
        for _ in range(BATCH):
            plan = plan_of(random)
            history = play(plan, random)
            assert is_legal(plan, history), show(plan, history)
            assert fits(plan.expected, occurrences(history)), show(plan, history)


def test_every_illegal_history_is_refused():
    told = Counter()
    for random in batches("illegal"):
        for number in range(BATCH):
            breaking = BREAKS[number % len(BREAKS)]
            history = None
            while history is None:
                plan = (
                    net(random, random.randint(2, 12)) if random.random() < 0.7 else story(random)
                )
                history = breaking(plan, play(plan, random), random)
                if history is not None and (is_legal(plan, history) or is_hidden(plan, history)):
                    history = None  # such as two that are not told apart
            told[breaking.__name__] += 1
            assert not fits(plan.expected, occurrences(history)), show(plan, history)
    assert len(told) == len(BREAKS)


def test_whatever_is_shaken_fits_exactly_if_it_is_still_legal():
    verdicts = Counter()
    for random in batches("shaken"):
        for _ in range(BATCH):
            plan = net(random, random.randint(2, 10))
            history = shaken(plan, play(plan, random), random)
            legal = is_legal(plan, history)
            verdicts[legal] += 1
            assert fits(plan.expected, occurrences(history)) is legal, show(plan, history)
    # both are told often enough to mean something
    assert min(verdicts.values()) > HISTORIES / 10


def delivered(history, random):
    """The timeline of a history that a feed delivered, partly as a list."""
    clock = VirtualClock()
    feed = ScriptedFeed(clock)
    timeline = Timeline(feed, tie=TIE)
    for seconds, change, obj in deliveries(history, random):
        feed.at(seconds, change, obj, kind="Event")
    clock.advance(1000)
    return timeline


def test_every_legal_interleaving_fits_however_it_is_delivered():
    for random in batches("delivered", share=10):
        for _ in range(BATCH):
            plan = plan_of(random)
            history = play(plan, random, latest=TIE - STAMP)
            seen = tuple(delivered(history, random))
            assert fits(plan.expected, seen), show(plan, history)


def test_one_more_than_there_may_be_is_refused_however_it_is_delivered():
    for random in batches("once too often", share=20):
        for _ in range(BATCH):
            plan = net(random, random.randint(2, 8))
            history = play(plan, random, latest=TIE - STAMP)
            kind = random.choice(history).action
            alike = [written for written in history if written.action.looks == kind.looks]
            leaf = event(kind.reason, on=kind.object, source=kind.process)
            most = repeated(leaf, at_least=0, at_most=len(alike))
            assert delivered(history, random).expect(plan.expected, most)
            again = [*history, alike[-1]]
            with pytest.raises(EventMismatchError):
                delivered(again, random).expect(plan.expected, most)
            with pytest.raises(EventMismatchError):
                delivered(history, random).expect(plan.expected, never(leaf))
