"""Which occurrence may count as coming after which, answered for whole sets at once.

The rule itself is in `seatrial.events.matching`. Sets of occurrences are `int`s used as bit sets:
bit i is the occurrence at place i of the timeline. That makes the questions of the matcher, which
are asked of ten thousand occurrences at a time, a few machine instructions per 64 of them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence

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
    """The relation "may follow" over the places of one timeline.

    A place that `copies` names is there that many times, one directly after the other, so that
    each time an Event object counted can be given away by itself. Copies do not follow one another,
    as what was between the occurrences of one delivery cannot be told.
    """

    def __init__(
        self,
        occurrences: Sequence[Occurrence],
        *,
        tie: float,
        copies: Mapping[int, int] | None = None,
    ) -> None:
        many = copies or {}
        self._single = not many
        self.places = [
            place for place in range(len(occurrences)) for _ in range(many.get(place, 1))
        ]
        """Which occurrence each place holds: its own, unless there are copies."""
        moments = moments_of(occurrences)
        self.moments = [moments[place] for place in self.places]
        self._chains: list[int] = []
        self._members: list[int] = []
        numbers: dict[object, int] = {}
        for index, place in enumerate(self.places):
            seen = occurrences[place]
            chain = numbers.setdefault((seen.source, seen.object), len(self._members))
            if chain == len(self._members):
                self._members.append(0)
            self._members[chain] |= 1 << index
            self._chains.append(chain)
        # the first place that may follow a place, its own chain left aside: it never falls
        self._reach = [bisect_left(self.moments, moment - tie) for moment in self.moments]

    def of(self, place: int) -> range:
        """Where the occurrence at this place of the timeline is."""
        if self._single:
            return range(place, place + 1)
        first = bisect_left(self.places, place)
        return range(first, bisect_right(self.places, place, lo=first))

    def chain(self, place: int) -> int:
        """The set of all places that have the source and the object of this one."""
        return self._members[self._chains[place]]

    def may_follow(self, first: int, second: int) -> bool:
        if self._chains[first] == self._chains[second]:
            return self.places[first] < self.places[second]
        return self._reach[first] <= second

    def near(self, first: int, last: int, seconds: float) -> int:
        """All that is at most `seconds` before the place `first` and after the place `last`."""
        start = bisect_left(self.moments, self.moments[first] - seconds)
        # by the same difference as above, so that no rounding comes between the two
        end = bisect_right(self.moments, self.moments[last], key=lambda moment: moment - seconds)
        return ((1 << end) - 1) & (-1 << start)

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
        up_to_it = (1 << self.of(self.places[place]).stop) - 1
        return (-1 << self._reach[place]) & ~(self.chain(place) & up_to_it)

    def _before(self, place: int) -> int:
        from_it_on = -1 << self.of(self.places[place]).start
        reached = bisect_right(self._reach, place)
        return ((1 << reached) - 1) & ~(self.chain(place) & from_it_on)


def first_of(places: int) -> int:
    """The lowest place of a set that is not empty."""
    return (places & -places).bit_length() - 1


def last_of(places: int) -> int:
    """The highest place of a set that is not empty."""
    return places.bit_length() - 1
