"""Places for several at once: a different one for each, and who competes for them.

Sets of places are `int`s used as bit sets, as in `seatrial.events.precedence`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from operator import or_

from seatrial.events.precedence import first_of

__all__ = ["distinct", "sharing"]


def sharing(variables: Iterable[int], domains: Sequence[int]) -> list[list[int]]:
    """The variables that have a place, in groups that have none in common."""
    alike: dict[int, list[int]] = {}
    for variable in variables:
        if domains[variable]:
            alike.setdefault(domains[variable], []).append(variable)
    groups: list[tuple[int, list[int]]] = []
    in_any = 0
    for places, members in alike.items():
        joined = [group for group in groups if group[0] & places] if places & in_any else []
        in_any |= places
        if joined:
            groups = [group for group in groups if not group[0] & places]
        together = [*joined, (places, members)]
        groups.append(
            (
                reduce(or_, (each for each, _ in together)),
                [variable for _, group in together for variable in group],
            )
        )
    return [members for _, members in groups]


def distinct(
    domains: Sequence[int] | Mapping[int, int], variables: Sequence[int]
) -> tuple[dict[int, int], Sequence[int]]:
    """A different place of its domain for each of the variables, early ones first.

    If there are not enough, none; and instead the variables that want the same too few places. A
    bipartite matching, by augmenting paths.
    """
    places: dict[int, int] = {}
    holders: dict[int, int] = {}
    taken = 0
    for variable in variables:
        reached_from: dict[int, int] = {}
        reached = 0
        queue = [variable]
        for current in queue:
            free = domains[current] & ~taken
            if free:
                break
            for place in _places(domains[current] & ~reached):
                reached_from[place] = current
                queue.append(holders[place])
            reached |= domains[current]
        else:
            return {}, queue
        place = first_of(free)
        taken |= 1 << place
        while True:
            given_up = places.get(current, -1)
            places[current] = place
            holders[place] = current
            if current == variable:
                break
            place, current = given_up, reached_from[given_up]
    return places, ()


def _places(places: int) -> Iterator[int]:
    while places:
        place = first_of(places)
        yield place
        places &= ~(1 << place)
