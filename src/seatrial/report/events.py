"""The events of a test as lines for a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from seatrial.events import Occurrence

__all__ = ["event_lines"]

WIDTH = 100
#: a failed test's last events tell more than its first
SHOWN = 40


def event_lines(occurrences: Iterable[Occurrence]) -> Sequence[str]:
    """One aligned line per event, with the seconds since the first; the latest of them."""
    seen = list(occurrences)
    if not seen:
        return ["none were seen"]
    start = seen[0].received
    shown = seen[-SHOWN:]
    objects = max(len(str(one.object)) for one in shown)
    reasons = max(len(one.reason) for one in shown)
    lines = [] if len(shown) == len(seen) else [f"… {len(seen) - len(shown)} before these …"]
    for one in shown:
        mark = "!" if one.type == "Warning" else " "
        line = (
            f"{one.received - start:7.2f}s {mark} {one.object!s:{objects}}  "
            f"{one.reason:{reasons}}  {' '.join(one.message.split())}"
        )
        lines.append(line if len(line) <= WIDTH else line[: WIDTH - 1] + "…")
    return lines
