"""Which alternatives of a pattern's choices are left, and which of its leaves hang on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from seatrial.events.layout import Gate
from seatrial.events.precedence import first_of

__all__ = ["LEFT_OUT", "Choices", "Options"]

Options: TypeAlias = dict[int, int]
"""The alternatives of each choice that are left, as a bit set."""

LEFT_OUT = 0b10
"""Of what is optional only this is left: its second alternative."""

_Way: TypeAlias = tuple[int, int]
"""An alternative: the number of the choice, and which one."""


class Choices:
    """The choices of one pattern. Its variables are the slots, by their numbers.

    A choice is taken once one alternative is left of it, and open before; a variable takes part if
    all that it hangs on is taken.
    """

    def __init__(self, gates: Sequence[tuple[Gate, ...]]) -> None:
        self.ways: list[tuple[_Way, ...]] = [
            tuple((gate.choice, gate.option) for gate in behind) for behind in gates
        ]
        """What each variable hangs on, outermost first."""
        self.options: Options = {}
        """All alternatives of all choices."""
        self.optionals: set[int] = set()
        """The choices that are only whether to leave something out."""
        self._above: dict[int, tuple[_Way, ...]] = {}
        self._behind: dict[_Way, list[int]] = {}
        for variable, behind in enumerate(gates):
            for depth, gate in enumerate(behind):
                self.options[gate.choice] = (1 << gate.options) - 1
                self._above[gate.choice] = self.ways[variable][:depth]
                self._behind.setdefault((gate.choice, gate.option), []).append(variable)
                if gate.optional:
                    self.optionals.add(gate.choice)

    def behind(self, choice: int, options: int) -> list[int]:
        """The variables behind the alternative that is taken; none while the choice is open."""
        if options & (options - 1):
            return []
        return self._behind.get((choice, first_of(options)), [])

    def above(self, choice: int) -> tuple[_Way, ...]:
        """What the choice itself hangs on, outermost first."""
        return self._above[choice]

    def members(self) -> list[list[int]]:
        """Of each choice, the variables that hang on it."""
        return [
            [v for way in range(options.bit_length()) for v in self._behind.get((choice, way), ())]
            for choice, options in self.options.items()
        ]

    def some_member(self, choice: int) -> int:
        return self._behind[choice, 0][0]

    def dead(self, options: Options, variable: int) -> bool:
        """Can it take no part any more?"""
        return any(not options[choice] >> way & 1 for choice, way in self.ways[variable])

    def open(self, options: Options, variable: int) -> list[_Way]:
        """What it hangs on that is not taken yet, outermost first."""
        return _open(options, self.ways[variable])

    def implies(self, options: Options, variable: int, other: int) -> bool:
        """Does `other` take part whenever `variable` does, which is not dead?"""
        return not self.ways[other] or all(
            way in self.ways[variable] for way in self.open(options, other)
        )

    def supposed(self, options: Options, variable: int) -> bool:
        """Does it take part if of each open choice the first alternative left is taken?"""
        return _supposed(options, self.ways[variable])

    def left_out(self, options: Options, choice: int) -> bool:
        """Is it left out, though its surroundings take part, if the same is supposed?"""
        return options[choice] == LEFT_OUT and _supposed(options, self._above[choice])

    def surely_left_out(self, options: Options, choice: int) -> bool:
        return options[choice] == LEFT_OUT and not _open(options, self._above[choice])

    def drop(self, options: Options, variable: int) -> list[int] | None:
        """Drop the innermost open alternative that this variable hangs on, as it is impossible.

        Gives the variables that take part more surely than before; None if nothing is left.
        """
        still_open = self.open(options, variable)
        if not still_open:
            return None
        choice, way = still_open[-1]
        options[choice] &= ~(1 << way)  # as it was open, another one is left
        return self.behind(choice, options[choice])

    def readings(self, choice: int, way: int = 0) -> Iterator[list[int]]:
        """The sets of variables that take part behind an alternative, what is optional left out."""
        own: list[int] = []
        inner: dict[int, int] = {}
        depth = len(self._above[choice]) + 1
        for variable in self._behind[choice, way]:
            deeper = self.ways[variable][depth:]
            if not deeper:
                own.append(variable)
            elif deeper[0][0] not in self.optionals:
                inner[deeper[0][0]] = self.options[deeper[0][0]].bit_length()
        return self._combined(own, list(inner.items()))

    def _combined(self, own: list[int], inner: list[tuple[int, int]]) -> Iterator[list[int]]:
        if not inner:
            yield own
            return
        (choice, ways), *more = inner
        for way in range(ways):
            for reading in self.readings(choice, way):
                yield from self._combined([*own, *reading], more)


def _open(options: Options, ways: Sequence[_Way]) -> list[_Way]:
    return [way for way in ways if options[way[0]] != 1 << way[1]]


def _supposed(options: Options, ways: Sequence[_Way]) -> bool:
    return all(options[choice] & ((2 << way) - 1) == 1 << way for choice, way in ways)
