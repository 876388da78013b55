"""The search for one fit of slots to places: a constraint problem, decided by narrowing and splits.

Each variable is a slot, its domain the set of places whose occurrence its leaf matches. A variable
behind a choice takes part only if its alternative is taken; until that is known, its domain holds
the places it could have in that case, and it restricts only what takes part whenever it does.

Narrowing drops what some partner does not support, until nothing changes. An alternative of which
a variable has nothing left is dropped as well, and the last one left of a choice is taken. Then the
first alternative of each open choice is supposed, and the earliest places are tried. They satisfy
every `within`, and every order but those inside a chain (one source, one object). A conflict that
is left is decided by splitting: on a choice that one of the two hangs on, else on whether one takes
its place from that chain, else on which of the two gives way. Parts that share neither occurrences
nor open questions are searched one after another: their branches add up and do not multiply.

In general the problem is NP-hard (colouring a permutation graph from lists can be put as one), so
the number of steps for each part is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import islice, product
from operator import and_

from seatrial.core.errors import ConfigurationError
from seatrial.events.assignment import distinct, sharing
from seatrial.events.choices import LEFT_OUT, Choices, Options
from seatrial.events.layout import Gate
from seatrial.events.precedence import Precedence, first_of, last_of
from seatrial.events.separation import Part, Separation

__all__ = ["Problem", "Search"]


@dataclass
class Problem:
    """What the variables, numbered from 0, have to keep to."""

    domains: list[int]
    """The places that each of them may have, as a bit set."""
    seen: list[int]
    """The places whose occurrence matches, in time or not: did what is optional occur?"""
    leaves: list[tuple[int, ...]]
    """The same, leaf by leaf: of a slot that several leaves may have, one of them is its reading,
    and what matches the others alone is left for somebody else."""
    befores: list[list[int]]
    """The variables that come before each of them."""
    gates: list[tuple[Gate, ...]]
    """The alternatives that each of them hangs on, outermost first."""
    windows: list[tuple[list[int], float]] = field(default_factory=list)
    """Variables, and how many seconds there may be between the first and the last of them."""
    chains: list[list[int]] = field(default_factory=list)
    """Variables that could be exchanged: each is to have a later place than the one before."""


@dataclass
class _Branch:
    """Some of the possibilities: what is left of the domains and of the choices."""

    domains: list[int]
    options: Options
    touched: list[int] = field(default_factory=list)
    """The variables to begin narrowing with."""

    def with_domains(self, changes: Mapping[int, int]) -> _Branch:
        domains = list(self.domains)
        for variable, domain in changes.items():
            domains[variable] = domain
        return _Branch(domains, dict(self.options), list(changes))

    def with_options(self, choice: int, options: int, touched: Sequence[int]) -> _Branch:
        return _Branch(list(self.domains), {**self.options, choice: options}, list(touched))


class Search:
    """One search; `steps` counts the branches and readings that were looked at."""

    def __init__(self, problem: Problem, precedence: Precedence, limit: int) -> None:
        self.problem = problem
        self.precedence = precedence
        self.limit = limit
        self.steps = 0
        self._left = limit
        self.choices = Choices(problem.gates)
        every = range(len(problem.domains))
        self.befores = problem.befores
        self.afters: list[list[int]] = [[] for _ in every]
        for variable in every:
            for earlier in self.befores[variable]:
                self.afters[earlier].append(variable)
        self.windows: list[list[int]] = [[] for _ in every]
        for number, (variables, _) in enumerate(problem.windows):
            for variable in variables:
                self.windows[variable].append(number)
        self.chain = {v: number for number, chain in enumerate(problem.chains) for v in chain}

    def solve(self) -> list[int | None] | None:
        """The place of each variable, None for one that takes no part; None if there is no fit.

        Raises `ConfigurationError` if the search is given up.
        """
        every = range(len(self.problem.domains))
        whole = _Branch(list(self.problem.domains), dict(self.choices.options), list(every))
        unsure = self._settle_optionals(whole)
        if not self._narrow(whole):
            return None
        places: list[int | None] = [None] * len(every)
        for part in self._separated(whole, unsure):
            found = self._solve_part(part, whole)
            if found is None:
                return None
            for variable, place in found.items():
                places[variable] = place
        return places

    def _solve_part(self, part: Part, whole: _Branch) -> dict[int, int] | None:
        open_branches = [whole]
        self._left = self.limit
        while open_branches:
            self._count()
            branch = open_branches.pop()
            if not self._narrow(branch):
                continue
            found, more = self._look(part, branch)
            if found is not None:
                return found
            open_branches += more
        return None

    def _count(self) -> None:
        if not self._left:
            raise ConfigurationError(
                "the pattern can be read in too many ways to decide whether the events fit it",
                hint="name the object of each event: on='Pod/flask-*', or use each_pod(…)",
            )
        self._left -= 1
        self.steps += 1

    def _look(self, part: Part, branch: _Branch) -> tuple[dict[int, int] | None, list[_Branch]]:
        """A fit, or the branches that are to be looked at instead, the best one last."""
        options = branch.options
        possible = [v for v in part.variables if not self.choices.dead(options, v)]
        sure = [choice for choice in part.unsure if self.choices.surely_left_out(options, choice)]
        if sure:
            surely = {v: self._in_any_reading(v, branch.domains[v]) for v in possible}
            if any(self._occurred(choice, surely) for choice in sure):
                return None, []
        taken = [v for v in possible if self.choices.supposed(options, v)]
        fit = {variable: first_of(branch.domains[variable]) for variable in taken}
        conflict = self._conflict(fit)
        if conflict is not None:
            matching, competing = distinct(branch.domains, taken)
            if not matching:
                return None, self._split_choice(branch, competing)
            if self._conflict(matching) is not None:
                more = self._split_choice(branch, conflict)
                return None, more or list(self._split(branch, fit, *conflict))
            fit = matching
        left_out = [choice for choice in part.unsure if self.choices.left_out(options, choice)]
        if left_out and not any(
            all(not self._occurred(choice, reading) for choice in left_out)
            for reading in self._readings(fit)
        ):
            return None, self._split_choice(branch, taken) or self._split_leaves(branch, taken)
        return fit, []

    # ---- narrowing

    def _narrow(self, branch: _Branch) -> bool:
        """Drop, in place, what some other domain does not support; False if nothing is left."""
        waiting: dict[int, None] = {}
        chains: dict[int, None] = {}
        windows: dict[int, None] = {}
        changed: Iterable[int] = branch.touched
        branch.touched = []
        while True:
            for variable in changed:
                waiting[variable] = None
                windows.update(dict.fromkeys(self.windows[variable]))
                if variable in self.chain:
                    chains[self.chain[variable]] = None
            # those that change many at once come first
            if chains:
                changed = self._restrict_chain(branch, chains.popitem()[0])
            elif windows:
                changed = self._restrict_window(branch, windows.popitem()[0])
            elif not waiting:
                return True
            else:
                variable = waiting.popitem()[0]
                changed = ()
                if self.choices.dead(branch.options, variable):
                    continue
                if branch.domains[variable]:
                    changed = self._restrict_partners(branch, variable)
                    continue
                surer = self.choices.drop(branch.options, variable)
                if surer is None:
                    return False
                changed = surer

    def _restrict_partners(self, branch: _Branch, variable: int) -> Iterator[int]:
        domain = branch.domains[variable]
        for partners, related in (
            (self.afters[variable], self.precedence.after_any),
            (self.befores[variable], self.precedence.before_any),
        ):
            if partners:
                yield from self._restrict(branch, related(domain), partners, variable)

    def _restrict_chain(self, branch: _Branch, number: int) -> Iterator[int]:
        chain = self.problem.chains[number]
        left = -1
        for variable in chain:
            before = branch.domains[variable]
            branch.domains[variable] &= left
            if branch.domains[variable] != before:
                yield variable
            if not branch.domains[variable]:
                return
            left = -2 << first_of(branch.domains[variable])
        left = -1
        for variable in reversed(chain):
            before = branch.domains[variable]
            branch.domains[variable] &= left
            if branch.domains[variable] != before:
                yield variable
            left = (1 << last_of(branch.domains[variable])) - 1

    def _restrict_window(self, branch: _Branch, window: int) -> Iterator[int]:
        variables, seconds = self.problem.windows[window]
        sure = [
            branch.domains[variable]
            for variable in variables
            if not self.choices.open(branch.options, variable) and branch.domains[variable]
        ]
        if sure:
            first = max(first_of(domain) for domain in sure)
            last = min(last_of(domain) for domain in sure)
            yield from self._restrict(
                branch, self.precedence.near(first, last, seconds), variables, None
            )

    def _restrict(
        self, branch: _Branch, supported: int, partners: Sequence[int], variable: int | None
    ) -> Iterator[int]:
        """Leave the partners no more than is supported; gives those that have less than before."""
        for partner in partners:
            left = branch.domains[partner] & supported
            if left != branch.domains[partner] and (
                variable is None or self.choices.implies(branch.options, partner, variable)
            ):
                branch.domains[partner] = left
                yield partner

    # ---- conflicts and splits

    def _conflict(self, places: Mapping[int, int]) -> tuple[int, int] | None:
        """Two variables that cannot have these places at once, the earlier one first."""
        for variable, place in places.items():
            for before in self.befores[variable]:
                if before in places and not self.precedence.may_follow(places[before], place):
                    return before, variable
        holders: dict[int, int] = {}
        for variable, place in places.items():
            if place in holders:
                return holders[place], variable
            holders[place] = variable
        moments = self.precedence.moments
        for variables, seconds in self.problem.windows:
            inside = [variable for variable in variables if variable in places]
            if inside:
                first = min(inside, key=places.__getitem__)
                last = max(inside, key=places.__getitem__)
                if moments[places[last]] - seconds > moments[places[first]]:
                    return first, last
        return None

    def _split_choice(self, branch: _Branch, variables: Sequence[int]) -> list[_Branch]:
        """Branches on the first open choice that one of these hangs on, if there is any."""
        for variable in variables:
            for choice, _ in self.choices.open(branch.options, variable):
                options = branch.options[choice]
                first = options & -options
                return [
                    branch.with_options(choice, left, self.choices.behind(choice, left))
                    for left in (options & ~first, first)
                ]
        return []

    def _split(
        self, branch: _Branch, earliest: Mapping[int, int], one: int, other: int
    ) -> Iterator[_Branch]:
        """Branches that hold all fits between them, the last one to be looked at first."""
        domains = branch.domains
        if one in self.befores[other]:
            # Both are of one chain, in the wrong order. `other` kept its place for the sake of a
            # place of `one` outside that chain, so both branches are smaller and not empty.
            chain = self.precedence.chain(earliest[one])
            yield branch.with_domains({one: domains[one] & ~chain})
            yield branch.with_domains({one: domains[one] & chain})
            return
        wanted = 1 << earliest[one]
        if not self._twins(branch, one, other) and domains[one] != wanted:
            yield branch.with_domains({one: domains[one] & ~wanted, other: wanted})
        if domains[other] != wanted:
            yield branch.with_domains({other: domains[other] & ~wanted})

    def _twins(self, branch: _Branch, one: int, other: int) -> bool:
        """Can the two be exchanged in every fit? Then one branch stands for both."""
        return (
            branch.domains[one] == branch.domains[other]
            and self.befores[one] == self.befores[other]
            and self.afters[one] == self.afters[other]
            and self.windows[one] == self.windows[other]
            and one not in self.chain
            and other not in self.chain
        )

    def _split_leaves(self, branch: _Branch, variables: Sequence[int]) -> list[_Branch]:
        """Branches on which leaf a slot stands for, where that is open."""
        for variable in variables:
            domain, leaves = branch.domains[variable], self.problem.leaves[variable]
            if len(leaves) > 1 and all(domain & ~leaf for leaf in leaves):
                return [
                    branch.with_domains({variable: domain & leaf})
                    for leaf in reversed(leaves)
                    if domain & leaf
                ]
        return []

    # ---- what is optional

    def _in_any_reading(self, variable: int, domain: int) -> int:
        """What matches, whichever of its leaves the slot stands for."""
        return reduce(
            and_, [leaf for leaf in self.problem.leaves[variable] if leaf & domain] or [0]
        )

    def _readings(self, fit: Mapping[int, int]) -> Iterator[dict[int, int]]:
        """What matches each variable, for each way to say which leaves these places stand for."""
        ways = [
            [leaf for leaf in self.problem.leaves[variable] if leaf >> place & 1]
            for variable, place in fit.items()
        ]
        for reading in product(*ways):
            yield dict(zip(fit, reading, strict=True))

    def _settle_optionals(self, whole: _Branch) -> list[int]:
        """Forbid to leave out what occurred whatever else is taken; gives what is not settled."""
        unsure: list[int] = []
        if not self.choices.optionals:
            return unsure
        seen, leaves = self.problem.seen, self.problem.leaves
        enough: set[int] = set()
        surely = [reduce(and_, of) for of in leaves]
        for together in sharing(range(len(seen)), seen):
            # of one that competes with nobody it is the same, whatever it stands for
            if distinct(surely if len(together) > 1 else seen, together)[0]:
                enough.update(together)
        for choice in sorted(self.choices.optionals):
            readings = list(islice(self.choices.readings(choice), 2))
            if any(enough.issuperset(reading) for reading in readings):
                whole.options[choice] &= ~LEFT_OUT
            elif len(readings) > 1 or all(seen[variable] for variable in readings[0]):
                unsure.append(choice)
        return unsure

    def _occurred(self, choice: int, taken: Mapping[int, int]) -> bool:
        """Is there enough for what is optional beside what is taken, whatever the order?

        `taken` has the places that match each variable, as it is read there.
        """
        for reading in self.choices.readings(choice):
            self._count()
            seen = {**taken, **{variable: self.problem.seen[variable] for variable in reading}}
            if distinct(seen, [*taken, *reading])[0]:
                return True
        return False

    def _separated(self, whole: _Branch, unsure: Sequence[int]) -> list[Part]:
        every = range(len(whole.domains))
        alive = [v for v in every if not self.choices.dead(whole.options, v)]
        apart = Separation(whole.domains, alive, self.precedence)
        for together in sharing(every, self.problem.seen):
            apart.join(together)
        for together in self.choices.members():
            apart.join(together)
        for together in self.problem.chains:
            apart.join(together)
        for together, seconds in self.problem.windows:
            apart.join_unless_near(together, seconds)
        for variable in alive:
            for before in self.befores[variable]:
                apart.join_unless_settled(before, variable)
        return apart.parts({choice: self.choices.some_member(choice) for choice in unsure})
