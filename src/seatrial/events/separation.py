"""Which variables of a search have to be decided together, once it has narrowed their domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seatrial.events.precedence import Precedence, first_of, last_of

__all__ = ["Part", "Separation"]


@dataclass(frozen=True)
class Part:
    """What is decided by itself."""

    variables: list[int] = field(default_factory=list)
    unsure: list[int] = field(default_factory=list)
    """Its optionals of which it is not settled that they occurred, nor that they did not."""


class Separation:
    """All apart at first; what has something open between it is joined."""

    def __init__(
        self, domains: Sequence[int], alive: Sequence[int], precedence: Precedence
    ) -> None:
        self._domains = domains
        self._alive = alive
        self._precedence = precedence
        self._limits = {v: (first_of(domains[v]), last_of(domains[v])) for v in alive}
        self._roots = list(range(len(domains)))

    def join(self, variables: Sequence[int]) -> None:
        for variable in variables[1:]:
            self._roots[self._root(variable)] = self._root(variables[0])

    def join_unless_near(self, variables: Sequence[int], seconds: float) -> None:
        """Join them, unless whatever places they take are that near to each other."""
        limits = [self._limits[v] for v in variables if v in self._limits]
        if limits:
            moments = self._precedence.moments
            first, last = min(low for low, _ in limits), max(high for _, high in limits)
            if moments[last] - moments[first] > seconds:
                self.join(variables)

    def join_unless_settled(self, before: int, after: int) -> None:
        """Join the two, unless their order is kept whatever places they take."""
        if before in self._limits and not self._settled(before, after):
            self.join([before, after])

    def parts(self, unsure: Mapping[int, int]) -> list[Part]:
        """The variables that are alive, part by part; `unsure` names one variable of a choice."""
        found: dict[int, Part] = {}
        for variable in self._alive:
            found.setdefault(self._root(variable), Part()).variables.append(variable)
        for choice, variable in unsure.items():
            found.setdefault(self._root(variable), Part()).unsure.append(choice)
        return list(found.values())

    def _root(self, variable: int) -> int:
        while self._roots[variable] != variable:
            self._roots[variable] = self._roots[self._roots[variable]]
            variable = self._roots[variable]
        return variable

    def _settled(self, before: int, after: int) -> bool:
        first, second = self._limits[before], self._limits[after]
        if first[1] < second[0]:
            return True
        if first[0] == first[1]:
            return not self._domains[after] & ~self._precedence.after_any(self._domains[before])
        if second[0] == second[1]:
            return not self._domains[before] & ~self._precedence.before_any(self._domains[after])
        return False
