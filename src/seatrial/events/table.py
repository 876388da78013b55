"""The expected patterns beside what was seen of them, and the events: what a mismatch shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from seatrial.events.findings import Finding, Findings, Story, shorten
from seatrial.events.layout import Group, Slot, slots_of
from seatrial.events.occurrence import Occurrence
from seatrial.events.parts import Never

__all__ = ["Told", "clip", "conditions", "events", "gap", "table", "violations"]

WIDTH = 98
"""Columns; the error indents each line by two more, which makes a hundred."""

SHOWN_FIRST, SHOWN_LAST = 15, 45
"""Events that are listed at most: how it began, and what came last."""

# columns of the events' list, and of the table
_OBJECT, _REASON = 34, 24
_LEAF, _ON, _NEAR = 26, 28, 22

Told = Findings | Never
"""What there is to tell of an expectation; of a `never` it is told by itself."""


@dataclass(frozen=True)
class _Row:
    expected: str
    on: str = ""
    seen: tuple[str, ...] = ()
    conditions: str = ""
    wrong: bool = False
    about: tuple[object, ...] = ()
    """The slots or the group that it shows, for the arrow."""


def table(story: Story, told: Sequence[Told], culprit: Told, about: object) -> Iterator[str]:
    """The arrow stands at the row of `culprit` that is about this slot, by number, or group."""
    rows: list[_Row] = []
    arrow = None
    for one in told:
        part = list(_never_rows(story, one) if isinstance(one, Never) else _rows(story, one))
        if one is culprit and arrow is None:
            arrow = next(row for row in part if about in row.about)
        rows += part
    leaves = min(_LEAF, max(len(row.expected) for row in rows if row.seen))
    objects = min(_ON, max(len(row.on) for row in rows))
    yield f"   {'expected':<{leaves}}  {'':<{objects}}  seen"
    for row in rows:
        mark = "-> " if row is arrow else " x " if row.wrong else "   "
        if not row.seen:
            yield clip(f"{mark}{row.expected}", WIDTH)
            continue
        on = shorten(row.on, objects)
        left = f"{mark}{clip(row.expected, leaves):<{leaves}}  {on:<{objects}}"
        first, *more = row.seen
        yield clip(f"{left}  {first}", WIDTH)
        for line in more:
            yield clip(f"{'':<{len(left)}}  {line}", WIDTH)
        if row.conditions:
            indent = len(row.expected) - len(row.expected.lstrip()) + 5
            yield clip(f"{'':<{indent}}with {row.conditions}", WIDTH)


def _rows(story: Story, findings: Findings) -> Iterator[_Row]:
    shown: tuple[Group, ...] = ()
    for _, together in groupby(findings.all, key=_repetition):
        found = list(together)
        groups = found[0].slot.groups
        for depth, group in enumerate(groups):
            if shown[: depth + 1] != groups[: depth + 1]:
                slow = findings.slow is not None and findings.slow.group == group
                took = f": took {findings.slow.took:.2f} s" if slow and findings.slow else ""
                yield _Row(f"{'  ' * depth}{group.title}{took}", wrong=slow, about=(group,))
        shown = groups
        yield _row(
            found[0].slot,
            len(groups),
            tuple(_repeated(story, found) if found[0].slot.times else _once(story, found[0])),
            wrong=any(one.problem for one in found),
            about=tuple(one.number for one in found),
        )


def _repetition(found: Finding) -> object:
    """The same for all slots of one repetition, which are one row."""
    return found.slot.times.number if found.slot.times else (found.number,)


def _once(story: Story, found: Finding) -> Iterator[str]:
    if found.seen is not None:
        yield _line(story, found.seen)
    yield from _evidence(story, found)


def _repeated(story: Story, found: Sequence[Finding]) -> Iterator[str]:
    seen = [one.seen for one in found if one.seen is not None]
    wrong = next((one for one in found if one.seen is None), None)
    if wrong is None:
        if len(found) == 1:
            yield _line(story, seen[0])
        else:
            yield f"{len(found)} times, from {story.when(seen[0])} to {_line(story, seen[-1])}"
        return
    if seen:
        yield f"{len(seen)} of {len(found)} seen, last {_line(story, seen[-1])}"
        if not any(isinstance(line, Occurrence) for line in wrong.evidence):
            return
    yield from _evidence(story, wrong)


def _evidence(story: Story, found: Finding) -> Iterator[str]:
    for line in found.evidence:
        yield line if isinstance(line, str) else _near(story, line)


def _never_rows(story: Story, pattern: Never) -> Iterator[_Row]:
    seen: dict[Slot, list[Occurrence]] = {
        slot: [] for slot in slots_of(pattern.pattern, story.occurrences)
    }
    for slot, occurrence in violations(story, pattern):
        seen[slot].append(occurrence)
    yield _Row("never")
    for slot, found in seen.items():
        if found:
            times = "" if len(found) == 1 else f"{len(found)} times, first "
            yield _row(slot, 1, (times + _line(story, found[0]),), wrong=True, about=(slot,))
        elif story.gaps:
            yield _row(slot, 1, ("not seen, but there was a gap",), wrong=True, about=(slot,))
        else:
            yield _row(slot, 1, ("not seen, as expected",))


def violations(story: Story, pattern: Never) -> Iterator[tuple[Slot, Occurrence]]:
    """The occurrences that must not be, each with the slot that forbids it."""
    slots = dict.fromkeys(slots_of(pattern.pattern, story.occurrences))
    for seen in story.occurrences:
        for slot in slots:
            if next(slot.differences(seen), None) is None:
                yield slot, seen
                break


def _row(
    slot: Slot,
    depth: int,
    seen: tuple[str, ...],
    *,
    wrong: bool = False,
    about: tuple[object, ...] = (),
) -> _Row:
    # inside each_pod the heading has the object already
    on = "" if slot.about else slot.on
    return _Row(f"{'  ' * depth}{slot.reason}", on, seen, conditions(slot), wrong, about)


def conditions(slot: Slot) -> str:
    """What a slot asks for besides reason and object, for a person."""
    parts = dict.fromkeys(leaf.conditions for leaf in slot.leaves)
    asked = [" or ".join(part or "nothing else" for part in parts)] if any(parts) else []
    if slot.times and slot.times.asked.times != "once or more":
        asked.append(slot.times.asked.times)
    return ", ".join(asked)


def _line(story: Story, seen: Occurrence) -> str:
    return f"{story.when(seen)}  {shorten(str(seen.object), 30)}"


def _near(story: Story, seen: Occurrence) -> str:
    return f"  {story.when(seen)}  {shorten(str(seen.object), _NEAR)}  {seen.reason}"


# ---- the events


def gap(story: Story) -> str:
    """Where the stream was interrupted, of a story with a gap."""
    at = ", ".join(story.at(record.received) for record in story.gaps)
    note = next((record.note for record in story.gaps if record.note), "")
    many = "gaps" if len(story.gaps) > 1 else "a gap"
    return f"the stream had {many} at {at}" + (f" ({note})" if note else "")


def events(story: Story) -> Iterator[str]:
    """What was seen, in its order; the middle is left out where it is much."""
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
        yield clip(
            f"{story.when(seen):>8}  {shorten(str(seen.object), objects):<{objects}}"
            f"  {clip(_reason(seen), reasons):<{reasons}}  {seen.message}",
            WIDTH,
        ).rstrip()


def _reason(seen: Occurrence) -> str:
    return f"{seen.reason} x{seen.count}" if seen.count > 1 else seen.reason


def clip(text: str, width: int) -> str:
    text = text.replace("\n", " ")
    return text if len(text) <= width else f"{text[: width - 1]}…"
