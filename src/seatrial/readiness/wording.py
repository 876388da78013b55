"""How counts, durations and foreign messages are put into one line for a person."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["listed", "one_line", "seconds", "times"]


def one_line(text: str, limit: int = 400) -> str:
    """`text` without line breaks, and cut where it is longer than `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def times(count: int) -> str:
    """`once`, `2 times`, …"""
    return "once" if count == 1 else f"{count} times"


def seconds(duration: float) -> str:
    """`30 s` or `2.3 s`."""
    return f"{round(duration, 1):g} s"


def listed(words: Sequence[str], limit: int = 5) -> str:
    """`a, b and 3 more`."""
    if len(words) <= limit:
        return ", ".join(words)
    return f"{', '.join(words[:limit])} and {len(words) - limit} more"
