"""Which occurrence may count as coming after which, answered for whole sets at once.

The rule itself is in `seatrial.events.matching`. Sets of occurrences are `int`s used as bit sets:
bit i is the occurrence at place i of the timeline. That makes the questions of the matcher, which
are asked of ten thousand occurrences at a time, a few machine instructions per 64 of them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from seatrial.events.occurrence import Occurrence

__all__ = ["Precedence", "first_of", "last_of", "moments_of"]


def moments_of(occurrences: Sequence[Occurrence]) -> list[float]:
    """When each occurrence was written, as well as can be told: seconds on the feed's clock.

    What was watched was written when it was received. What was listed has only its component's
    stamp. An event is stamped before it is written, and the timeline is in the order of writing; so
    the latest stamp up to a place is the closest that is known, and the result never falls.
    """
    moments: list[float] = []
    latest = float("-inf")
    for seen in occurrences:
        moment = seen.received
        if seen.listed and seen.stamped:
            # a stamp after the receipt can only be a clock that runs ahead of ours
            moment += min(0.0, (seen.stamped - seen.wall).total_seconds())
        latest = max(latest, moment)
        moments.append(latest)
    return moments


class Precedence:
    """The relation "may follow" over the places of one timeline."""

    def __init__(self, occurrences: Sequence[Occurrence], *, tie: float) -> None:
        self.moments = moments_of(occurrences)
        self._chains: list[int] = []
        self._members: list[int] = []
        numbers: dict[object, int] = {}
        for place, seen in enumerate(occurrences):
            chain = numbers.setdefault((seen.source, seen.object), len(self._members))
            if chain == len(self._members):
                self._members.append(0)
            self._members[chain] |= 1 << place
            self._chains.append(chain)
        # the first place that may follow a place, its own chain left aside: it never falls
        self._reach = [bisect_left(self.moments, moment - tie) for moment in self.moments]

    def chain(self, place: int) -> int:
        """The set of all places that have the source and the object of this one."""
        return self._members[self._chains[place]]

    def may_follow(self, first: int, second: int) -> bool:
        if self._chains[first] == self._chains[second]:
            return first < second
        return self._reach[first] <= second

    def after_any(self, places: int) -> int:
        """The set of all that may follow one of `places` at least (which is not empty).

        The earliest of them decides, except about its own chain; about that, the earliest one of
        another chain may allow more.
        """
        first = first_of(places)
        others = places & ~self.chain(first)
        after = self._after(first)
        return after | self._after(first_of(others)) if others else after

    def before_any(self, places: int) -> int:
        """The set of all that one of `places` at least may follow; the mirror of `after_any`."""
        last = last_of(places)
        others = places & ~self.chain(last)
        before = self._before(last)
        return before | self._before(last_of(others)) if others else before

    def _after(self, place: int) -> int:
        up_to_it = (1 << (place + 1)) - 1
        return (-1 << self._reach[place]) & ~(self.chain(place) & up_to_it)

    def _before(self, place: int) -> int:
        from_it_on = -1 << place
        reached = bisect_right(self._reach, place)
        return ((1 << reached) - 1) & ~(self.chain(place) & from_it_on)


def first_of(places: int) -> int:
    """The lowest place of a set that is not empty."""
    return (places & -places).bit_length() - 1


def last_of(places: int) -> int:
    """The highest place of a set that is not empty."""
    return places.bit_length() - 1
