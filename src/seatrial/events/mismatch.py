"""The text that tells a person how the events that were seen differ from what was expected.

The first line names the first point of disagreement. Below it stand the expected pattern beside
what was seen of it, an arrow at that point, and then the events themselves.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seatrial.core.errors import EventMismatchError
from seatrial.core.model import Record
from seatrial.events.matching import Matcher, Slot, slots_of
from seatrial.events.occurrence import Occurrence
from seatrial.events.patterns import Expectation, Never, names

__all__ = ["Story", "forbidden", "mismatch", "unprovable"]

WIDTH = 98
"""Columns; the error indents each line by two more, which makes a hundred."""

SHOWN_FIRST, SHOWN_LAST = 15, 45
"""Events that are listed at most: how it began, and what came last."""

# columns of the events' list, and of the table
_OBJECT, _REASON = 34, 24
_LEAF, _ON, _NEAR = 26, 28, 22


@dataclass(frozen=True)
class Story:
    """What there is to tell: the events seen so far, and what was asked of them."""

    expectations: Sequence[Expectation]
    matcher: Matcher
    gaps: Sequence[Record]
    opened: float
    """Seconds on the feed's clock; times in the text count from here."""
    now: float
    within: float

    @property
    def occurrences(self) -> Sequence[Occurrence]:
        return self.matcher.occurrences

    def at(self, seconds: float) -> str:
        return f"{seconds - self.opened:.2f}s"

    def when(self, seen: Occurrence) -> str:
        return "listed" if seen.listed else self.at(seen.received)


@dataclass(frozen=True)
class _Finding:
    """What was seen of one slot; `problem` is empty if it has an occurrence."""

    slot: Slot
    seen: Occurrence | None = None
    problem: str = ""
    """For the first line, after "but Started "."""
    evidence: tuple[str, ...] = ()
    """For the table."""


@dataclass(frozen=True)
class _Row:
    expected: str
    on: str = ""
    seen: tuple[str, ...] = ()
    conditions: str = ""
    wrong: bool = False


def mismatch(story: Story) -> EventMismatchError:
    """The error for patterns that do not fit; one of them at least must not."""
    culprit, slots, wrong = next(
        (expected, slots, found)
        for expected in story.expectations
        if not isinstance(expected, Never)
        for slots in [slots_of(expected, story.occurrences)]
        for found in _findings(story, slots)
        if found.problem
    )
    return EventMismatchError(_cause(story, slots, wrong), details=_details(story, culprit))


def forbidden(story: Story, pattern: Never) -> EventMismatchError | None:
    """The error for an occurrence that must not be, if there is one."""
    first = next(iter(_violations(story, pattern)), None)
    if first is None:
        return None
    slot, seen = first
    on = f" on {_object(slot.on, 40)}" if slot.on else ""
    when = "in the list before the watch" if seen.listed else f"at {story.at(seen.received)}"
    about = "" if slot.on == str(seen.object) else f" on {_shorten(str(seen.object), 40)}"
    cause = f"expected no {slot.leaf.reason}{on}, but it was seen {when}{about}: {seen.message}"
    return EventMismatchError(_clip(cause, 100), details=_details(story, pattern))


def unprovable(story: Story, pattern: Never) -> EventMismatchError:
    """The error for an absence that a gap keeps from being proven."""
    slots = slots_of(pattern.pattern, story.occurrences)
    reasons = " or ".join(dict.fromkeys(slot.leaf.reason for slot in slots))
    on = {slot.on for slot in slots}
    where = f" on {_object(on.pop(), 40)}" if len(on) == 1 and on != {""} else ""
    return EventMismatchError(
        _clip(f"expected no {reasons}{where}, which cannot be proven: {_gap(story)}", 100),
        details=_details(story, pattern),
        hint="events may have been lost there; run the test again",
    )


def _gap(story: Story) -> str:
    at = ", ".join(story.at(gap.received) for gap in story.gaps)
    note = next((gap.note for gap in story.gaps if gap.note), "")
    many = "gaps" if len(story.gaps) > 1 else "a gap"
    return f"the stream had {many} at {at}" + (f" ({note})" if note else "")


def _violations(story: Story, pattern: Never) -> Iterator[tuple[Slot, Occurrence]]:
    slots = dict.fromkeys(slots_of(pattern.pattern, story.occurrences))
    for seen in story.occurrences:
        for slot in slots:
            if next(slot.differences(seen), None) is None:
                yield slot, seen
                break


# ---- what was seen of each leaf


def _findings(story: Story, slots: Sequence[Slot]) -> list[_Finding]:
    """As many slots as fit together, taken in the order they are written, and why others do not."""
    matcher = story.matcher
    fitting: list[int] = []
    places: dict[int, int] = {}
    problems: dict[int, _Finding] = {}
    for number, slot in enumerate(slots):
        candidates = matcher.candidates(slot)
        place = next((c for c in candidates if _free(matcher, slot, c, places)), None)
        if place is None and candidates:
            fit = matcher.fit(slots, only=[*fitting, number])
            if fit is not None:
                places = dict(zip(fitting, fit, strict=False))
                place = fit[-1]
        if place is None:
            problems[number] = _problem(story, slots, slot, candidates, places)
        else:
            fitting.append(number)
            places[number] = place
    return [
        problems.get(number) or _Finding(slot, story.occurrences[places[number]])
        for number, slot in enumerate(slots)
    ]


def _free(matcher: Matcher, slot: Slot, place: int, places: dict[int, int]) -> bool:
    return place not in places.values() and all(
        matcher.precedence.may_follow(places[before], place)
        for before in slot.after
        if before in places
    )


def _problem(
    story: Story,
    slots: Sequence[Slot],
    slot: Slot,
    candidates: Sequence[int],
    places: dict[int, int],
) -> _Finding:
    if not candidates:
        return _missing(story, slot)
    untaken = [place for place in candidates if place not in places.values()]
    if untaken:
        # as it is free and was not taken, it must stand before something it should follow
        latest = untaken[-1]
        number = max(
            number
            for number in slot.after
            if number in places and not story.matcher.precedence.may_follow(places[number], latest)
        )
        before = slots[number]
        return _Finding(
            slot,
            problem=f"was seen before {before.leaf.reason}{_of(before, slot)}",
            evidence=(
                f"seen, but before {before.leaf.reason}:",
                _near(story, story.occurrences[latest]),
                _near(story, story.occurrences[places[number]]),
            ),
        )
    times, taken_by = "once", "which the line above took"
    if len(candidates) > 1:
        times, taken_by = f"{len(candidates)} times", "which lines above took"
    return _Finding(
        slot, problem=f"was seen only {times}", evidence=(f"seen only {times},", taken_by)
    )


def _missing(story: Story, slot: Slot) -> _Finding:
    same = [seen for seen in story.occurrences if seen.reason == slot.leaf.reason]
    if same:
        nearest = min(reversed(same), key=lambda seen: len(list(slot.differences(seen))))
        why = list(slot.differences(nearest))
        evidence: tuple[str, ...] = (
            "not seen; nearest:",
            _near(story, nearest),
            f"  whose {'; '.join(why)}",
        )
        elsewhere = why[0].startswith("object ")
        problem = "was not seen" if elsewhere else f"was seen only where {why[0]}"
        return _Finding(slot, problem=problem, evidence=evidence)
    on_it = [
        seen
        for seen in reversed(story.occurrences)
        if (slot.about is None or seen.object == slot.about)
        and (not slot.leaf.on or names(slot.leaf.on, seen.object))
    ]
    # perhaps the reason is misspelt
    like = difflib.get_close_matches(slot.leaf.reason, {seen.reason for seen in on_it}, n=1)
    if like:
        nearest = next(seen for seen in on_it if seen.reason == like[0])
        evidence = ("not seen; nearest:", _near(story, nearest), f"  whose reason is {like[0]}")
    else:
        evidence = ("not seen, on any object" if slot.on else "not seen",)
    return _Finding(slot, problem="was not seen", evidence=evidence)


def _cause(story: Story, slots: Sequence[Slot], found: _Finding) -> str:
    slot = found.slot
    reason = slot.leaf.reason
    problem = found.problem
    if story.within and not problem.startswith("was seen before"):
        problem += f" within {story.within:g} s"

    def subject(width: int) -> str:
        return f"{_object(slot.on, width)}: " if slot.on else ""

    if slot.after:
        before = slots[max(slot.after)]
        after = f"{before.leaf.reason}{_of(before, slot)}"
        cause = f"expected {subject(30)}{reason} after {after}, but {reason} {problem}"
        # what went wrong stands at the end, and matters more than what it should have come after
        if len(cause) <= 100:
            return cause
    return _clip(f"expected {subject(20)}{reason}, but it {problem}", 100)


def _of(other: Slot, slot: Slot) -> str:
    """The object of another leaf, unless it goes without saying."""
    return f" of {_object(other.on, 30)}" if other.on and other.on != slot.on else ""


def _object(on: str, width: int) -> str:
    return _shorten(on, width) if "/" in on else f"any {on}"


# ---- the table


def _details(story: Story, culprit: Expectation) -> str:
    lines = [*_table(story, culprit), ""]
    if story.gaps:
        lines += [_clip(f"{_gap(story)}: events may be missing", WIDTH), ""]
    return "\n".join([*lines, *_seen(story)])


def _table(story: Story, culprit: Expectation) -> Iterator[str]:
    rows: list[_Row] = []
    arrow = None
    for expected in story.expectations:
        if isinstance(expected, Never):
            part = list(_never_rows(story, expected))
        else:
            part = list(_rows(story, _findings(story, slots_of(expected, story.occurrences))))
        if expected is culprit and arrow is None:
            arrow = next(row for row in part if row.wrong)
        rows += part
    leaves = min(_LEAF, max(len(row.expected) for row in rows if row.seen))
    objects = min(_ON, max(len(row.on) for row in rows))
    yield f"   {'expected':<{leaves}}  {'':<{objects}}  seen"
    for row in rows:
        mark = "-> " if row is arrow else " x " if row.wrong else "   "
        if not row.seen:
            yield _clip(f"{mark}{row.expected}", WIDTH)
            continue
        on = _shorten(row.on, objects)
        left = f"{mark}{_clip(row.expected, leaves):<{leaves}}  {on:<{objects}}"
        first, *more = row.seen
        yield _clip(f"{left}  {first}", WIDTH)
        for line in more:
            yield _clip(f"{'':<{len(left)}}  {line}", WIDTH)
        if row.conditions:
            indent = len(row.expected) - len(row.expected.lstrip()) + 5
            yield _clip(f"{'':<{indent}}with {row.conditions}", WIDTH)


def _rows(story: Story, findings: Sequence[_Finding]) -> Iterator[_Row]:
    shown: tuple[tuple[int, str], ...] = ()
    for found in findings:
        groups = found.slot.groups
        for depth, group in enumerate(groups):
            if shown[: depth + 1] != groups[: depth + 1]:
                yield _Row(f"{'  ' * depth}{group[1]}")
        shown = groups
        seen = found.evidence if found.seen is None else (_line(story, found.seen),)
        yield _row(found.slot, len(groups), seen, wrong=bool(found.problem))


def _never_rows(story: Story, pattern: Never) -> Iterator[_Row]:
    seen: dict[Slot, list[Occurrence]] = {
        slot: [] for slot in slots_of(pattern.pattern, story.occurrences)
    }
    for slot, occurrence in _violations(story, pattern):
        seen[slot].append(occurrence)
    yield _Row("never")
    for slot, violations in seen.items():
        if violations:
            times = "" if len(violations) == 1 else f"{len(violations)} times, first "
            yield _row(slot, 1, (times + _line(story, violations[0]),), wrong=True)
        elif story.gaps:
            yield _row(slot, 1, ("not seen, but there was a gap",), wrong=True)
        else:
            yield _row(slot, 1, ("not seen, as expected",))


def _row(slot: Slot, depth: int, seen: tuple[str, ...], *, wrong: bool = False) -> _Row:
    # inside each_pod the heading has the object already
    on = "" if slot.about else slot.on
    return _Row(f"{'  ' * depth}{slot.leaf.reason}", on, seen, slot.leaf.conditions, wrong)


def _line(story: Story, seen: Occurrence) -> str:
    return f"{story.when(seen)}  {_shorten(str(seen.object), 30)}"


def _near(story: Story, seen: Occurrence) -> str:
    return f"  {story.when(seen)}  {_shorten(str(seen.object), _NEAR)}  {seen.reason}"


# ---- the events


def _seen(story: Story) -> Iterator[str]:
    seconds = f"{story.now - story.opened:.2f} s"
    occurrences = story.occurrences
    if not occurrences:
        yield f"no events at all were seen in {seconds}"
        return
    many = "1 event was" if len(occurrences) == 1 else f"{len(occurrences)} events were"
    yield f"{many} seen in {seconds}:"
    shown = [*occurrences]
    left_out = len(shown) - SHOWN_FIRST - SHOWN_LAST
    if left_out > 0:
        shown = [*shown[:SHOWN_FIRST], *shown[-SHOWN_LAST:]]
    objects = min(_OBJECT, max(len(str(seen.object)) for seen in shown))
    reasons = min(_REASON, max(len(_reason(seen)) for seen in shown))
    for index, seen in enumerate(shown):
        if left_out > 0 and index == SHOWN_FIRST:
            yield f"{'…':>8}  {left_out} events between"
        yield _clip(
            f"{story.when(seen):>8}  {_shorten(str(seen.object), objects):<{objects}}"
            f"  {_clip(_reason(seen), reasons):<{reasons}}  {seen.message}",
            WIDTH,
        ).rstrip()


def _reason(seen: Occurrence) -> str:
    return f"{seen.reason} x{seen.count}" if seen.count > 1 else seen.reason


def _clip(text: str, width: int) -> str:
    text = text.replace("\n", " ")
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _shorten(text: str, width: int) -> str:
    """Cut in the middle: the end of a Pod's name tells it from its siblings."""
    if len(text) <= width:
        return text
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[-end:]}"
