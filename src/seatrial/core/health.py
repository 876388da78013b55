"""What an examination of the machine finds: rows of a table, graded."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["Finding", "Health"]


class Health(enum.Enum):
    """How good it is."""

    OK = "ok"
    NOTE = "note"
    """Not as it might be, and no obstacle."""
    BAD = "bad"
    """The main job cannot run."""


@dataclass(frozen=True)
class Finding:
    """One row of what the doctor says."""

    subject: str
    health: Health
    value: str
    hint: str = ""
