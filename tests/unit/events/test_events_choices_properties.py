"""What may be missing, be another or be repeated: the matcher against trying everything."""

from datetime import timedelta
from functools import partial
from itertools import combinations, product

from events_kit import EPOCH, seen
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from seatrial.core.errors import ConfigurationError
from seatrial.events import (
    AnyOrder,
    EventPattern,
    InOrder,
    Matcher,
    OneOf,
    OptionalPattern,
    any_order,
    event,
    in_order,
    one_of,
    optional,
    repeated,
    slots_of,
)
from seatrial.events.patterns import leaves

unhurried = partial(settings, deadline=None, suppress_health_check=list(HealthCheck))

OPENED = 20.0


# ---- the rule, read literally


class Leaf:
    """A leaf that takes part; `counts` if it stands for one of the times of a delivery."""

    def __init__(self, pattern, counts=False):
        self.pattern = pattern
        self.counts = counts

    def leaves(self):
        return [self]


class Group:
    def __init__(self, members, *, ordered=False, within=None):
        self.members = members
        self.ordered = ordered
        self.within = within

    def leaves(self):
        return [leaf for member in self.members for leaf in member.leaves()]


class Readings:
    """Every way to read a pattern: what takes part, what is left out, and whether it may at all."""

    def __init__(self, occurrences):
        self.occurrences = occurrences

    def of(self, pattern):
        if isinstance(pattern, EventPattern):
            return [(Leaf(pattern), [])]
        if isinstance(pattern, InOrder | AnyOrder):
            return self._group(pattern.patterns, isinstance(pattern, InOrder), pattern.within)
        if isinstance(pattern, OneOf):
            return [reading for one in pattern.patterns for reading in self.of(one)]
        if isinstance(pattern, OptionalPattern):
            return [*self.of(pattern.pattern), (None, [pattern.pattern])]
        return self._repeated(pattern)

    def _group(self, patterns, ordered, within):
        found = []
        for combination in product(*map(self.of, patterns)):
            members = [member for member, _ in combination if member is not None]
            out = [pattern for _, left_out in combination for pattern in left_out]
            found.append((Group(members, ordered=ordered, within=within), out))
        return found

    def _repeated(self, pattern):
        inner = pattern.pattern
        alone = isinstance(inner, EventPattern) or (
            isinstance(inner, OneOf)
            and all(isinstance(p, EventPattern) and p.within is None for p in inner.patterns)
        )
        counted = sum(s.new for s in self.occurrences if any(p.matches(s) for p in leaves(inner)))
        least = max(pattern.at_least, 1)
        missing = [(None, [pattern])] if pattern.at_least == 0 else []
        if pattern.at_most is not None and counted > pattern.at_most:
            return missing
        if not alone:
            return [*self._group([inner] * least, ordered=True, within=None), *missing]
        ways = product(*[list(leaves(inner))] * least)
        return [
            *((Group([Leaf(leaf, counts=True) for leaf in way]), []) for way in ways),
            *missing,
        ]


class Rule:
    def __init__(self, occurrences, tie):
        self.occurrences = occurrences
        self.tie = tie
        own = [
            s.received - max(0.0, (s.wall - s.stamped).total_seconds()) if s.stamped else s.received
            for s in occurrences
        ]
        self.times = [max(own[: place + 1]) for place in range(len(own))]

    def follows(self, first, second):
        a, b = self.occurrences[first], self.occurrences[second]
        if (a.source, a.object) == (b.source, b.object):
            return second > first
        return second > first or self.times[first] - self.times[second] <= self.tie

    def units(self, leaf):
        """What a leaf can be given, in time or not: (place, which of its times)."""
        return [
            (place, copy)
            for place, s in enumerate(self.occurrences)
            if leaf.pattern.matches(s)
            for copy in range(s.new if leaf.counts else 1)
        ]

    def assignments(self, members):
        """Every way to give each leaf a unit of its own."""
        found = [()]
        for leaf in members:
            found = [(*a, unit) for a in found for unit in self.units(leaf) if unit not in a]
        return found

    def keeps(self, term, place_of):
        if isinstance(term, Leaf):
            late = term.pattern.within
            return late is None or self.times[place_of[term]] - OPENED <= late
        if not all(self.keeps(member, place_of) for member in term.members):
            return False
        places = [place_of[leaf] for leaf in term.leaves()]
        if term.within is not None and places:
            times = [self.times[place] for place in places]
            if max(times) - min(times) > term.within:
                return False
        return not term.ordered or all(
            self.follows(place_of[a], place_of[b])
            for earlier, later in combinations(term.members, 2)
            for a in earlier.leaves()
            for b in later.leaves()
        )

    def fits(self, pattern):
        readings = Readings(self.occurrences)
        return any(
            self._fits(term, left_out, readings)
            for term, left_out in readings.of(in_order(pattern))
        )

    def _fits(self, term, left_out, readings):
        members = term.leaves()
        if not any(
            self.keeps(term, dict(zip(members, [place for place, _ in units], strict=True)))
            for units in self.assignments(members)
        ):
            return False
        return not any(self._occurred(members, pattern) for pattern in left_out)

    def _occurred(self, members, pattern):
        return any(self.assignments([*members, *term.leaves()]) for term in required(pattern))


def required(pattern):
    """What an optional asks for at the least, in each of its readings; `at_most` left aside."""
    if isinstance(pattern, EventPattern):
        return [Leaf(pattern)]
    if isinstance(pattern, InOrder | AnyOrder):
        asked = [p for p in pattern.patterns if not may_be_absent(p)]
        return [Group(list(way)) for way in product(*map(required, asked))]
    if isinstance(pattern, OneOf):
        return [term for one in pattern.patterns for term in required(one)]
    single = isinstance(pattern.pattern, EventPattern) or (
        isinstance(pattern.pattern, OneOf)
        and all(isinstance(p, EventPattern) and p.within is None for p in pattern.pattern.patterns)
    )
    least = max(pattern.at_least, 1)
    ways = product(*[required(pattern.pattern)] * least)
    if single:
        return [
            Group([Leaf(leaf.pattern, counts=True) for term in way for leaf in term.leaves()])
            for way in ways
        ]
    return [Group(list(way)) for way in ways]


def may_be_absent(pattern):
    return isinstance(pattern, OptionalPattern) or getattr(pattern, "at_least", 1) == 0


# ---- random patterns and timelines

TIES = st.sampled_from([0.0, 0.5, 1.5, 100.0])


@st.composite
def timelines(draw):
    at, found = 0.0, []
    listed = draw(st.sampled_from([0, 0, 0, 2]))
    for place in range(draw(st.integers(1, 6))):
        at += draw(st.sampled_from([0.0, 0.25, 0.75, 1.5]))
        was_listed = place < listed
        stamp = EPOCH + timedelta(seconds=OPENED + at + draw(st.sampled_from([-3, 0, 0])))
        found.append(
            seen(
                draw(st.sampled_from("AABC")),
                draw(st.sampled_from(["Pod/x", "Pod/x", "Pod/y"])),
                at=OPENED + (8.0 if was_listed else at),
                source=draw(st.sampled_from(["kubelet", "kubelet", "scheduler"])),
                listed=was_listed,
                stamped=stamp if was_listed else None,
                new=draw(st.sampled_from([1, 1, 1, 2, 3])),
            )
        )
    return found


withins = st.sampled_from([None, None, None, 0.25, 1.0, 2.5])


@st.composite
def patterns(draw, count=None, *, inside=""):
    count = count or draw(st.integers(1, 4))
    kind = draw(
        st.sampled_from(
            ["leaf", "optional", "repeated"]
            if count == 1
            else ["in_order", "in_order", "any_order", "optional", "one_of", "repeated"]
        )
    )
    try:
        if kind == "leaf":
            on = draw(st.sampled_from([None, "Pod/x"]))
            within = draw(st.sampled_from([None, None, None, 2.5])) if not inside else None
            return event(draw(st.sampled_from("ABC")), on=on, within=within)
        if kind == "optional":
            return optional(draw(patterns(count, inside=kind)))
        if kind == "repeated":
            least = draw(st.sampled_from([0, 1, 2, 3] if count == 1 else [1, 2]))
            most = draw(st.sampled_from([None, 2, 3, 4])) if count == 1 else None
            return repeated(draw(patterns(count, inside=kind)), at_least=least, at_most=most)
        left = draw(st.integers(1, count - 1))
        members = [draw(patterns(left, inside=inside)), draw(patterns(count - left, inside=inside))]
        if kind == "one_of":
            return one_of(*members)
        group = in_order if kind == "in_order" else any_order
        return group(*members, within=draw(withins))
    except ConfigurationError:
        reject()


@unhurried(max_examples=400)
@given(patterns(), timelines(), TIES)
def test_the_matcher_decides_as_the_rule_says(pattern, occurrences, tie):
    pattern = in_order(pattern)
    slots = slots_of(pattern, occurrences)
    rule = Rule(occurrences, tie)
    places = Matcher(occurrences, tie=tie, opened=OPENED).fit(slots)
    assert (places is not None) is rule.fits(pattern)
    taken = [(s, p) for s, p in zip(slots, places or (), strict=False) if p is not None]
    for slot, place in zip(slots, places or (), strict=False):
        if place is not None:
            assert next(slot.differences(occurrences[place]), None) is None
            assert all(places[a] is None or rule.follows(places[a], place) for a in slot.after)
            for group in slot.groups:
                inside = [rule.times[p] for s, p in taken if group in s.groups]
                assert group.within is None or max(inside) - min(inside) <= group.within
