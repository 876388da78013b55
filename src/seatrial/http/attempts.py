"""What was sent and what came of it, as lines for an error's text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

__all__ = ["Attempt", "attempt_lines"]

#: lines of attempts in an error; what is left out is in the middle
SHOWN = 40
#: attempts with the same result in a row from which on they are told in three lines
MANY = 6


@dataclass(frozen=True)
class Attempt:
    """One request that was sent, and what came of it."""

    time: datetime
    """When it began, UTC."""
    method: str
    url: str
    route: str
    result: str
    """`200 OK`, or what went wrong: `connection refused`."""
    seconds: float
    """Until the answer was complete, or the failure was clear."""
    pod: str = ""
    """Who was to answer, as far as it is known: `Pod/flask-1`, `one of 2 pods`, or nothing. Through
    a Service it is looked up for failures alone."""
    status: int = 0
    """Of the answer; 0 where none came."""

    @property
    def place(self) -> str:
        """The route, and the pod if it is known."""
        return f"{self.route} ({self.pod})" if self.pod else self.route


def attempt_lines(attempts: Sequence[Attempt]) -> list[str]:
    """One line for each attempt, with the seconds since the first; many alike are condensed."""
    lines = list(_told(attempts))
    half = SHOWN // 2
    if len(lines) > SHOWN:
        lines[half:-half] = [f"… {len(lines) - 2 * half} more lines …"]
    return lines


def _told(attempts: Sequence[Attempt]) -> Iterator[str]:
    began = attempts[0].time

    def line(one: Attempt) -> str:
        after = (one.time - began).total_seconds()
        return (
            f"+{after:6.2f} s  {one.place}  {one.method} {one.url}"
            f"  {one.result} ({one.seconds:.3f} s)"
        )

    def alike(one: Attempt) -> tuple[str, ...]:
        return one.place, one.method, one.url, one.result

    for _, group in groupby(attempts, key=alike):
        same = list(group)
        if len(same) < MANY:
            yield from map(line, same)
            continue
        yield line(same[0])
        yield f"           … {len(same) - 2} more like it …"
        yield line(same[-1])
