"""Finds what somebody probably meant to write."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean", "nearest"]


def nearest(word: str, choices: Iterable[str]) -> str:
    """The choice nearest to `word`, or nothing if none is near."""
    near = difflib.get_close_matches(word, sorted(set(choices)), n=1, cutoff=0.6)
    return near[0] if near else ""


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`did you mean 'flask'?` for the choice nearest to `word`, or nothing if none is near."""
    near = nearest(word, choices)
    return f"did you mean {near!r}?" if near else ""
