"""How counts, durations and foreign messages are put into one line for a person."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["listed", "one_line", "quantity", "seconds", "times"]

_QUANTITY = re.compile(r"([0-9.]+)(m|[kMGTPE]i?|Ki)?")
_SUFFIXES = {
    "m": 1e-3,
    **{name: 1000.0**power for power, name in enumerate("kMGTPE", 1)},
    **{f"{name}i": 1024.0**power for power, name in enumerate("KMGTPE", 1)},
}


def quantity(text: str) -> float:
    """A resource quantity (`500m`, `1Gi`) as a number; 0 for what is none."""
    found = _QUANTITY.fullmatch(text.strip())
    return float(found[1]) * _SUFFIXES.get(found[2] or "", 1.0) if found else 0.0


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
