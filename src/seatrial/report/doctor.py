"""The doctor's findings as a table."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.table import Table
from rich.text import Text

from seatrial.core.health import Finding, Health

__all__ = ["findings_table"]

_MARKS = {Health.OK: ("✓", "green"), Health.NOTE: ("•", "yellow"), Health.BAD: ("✗", "red")}


def findings_table(findings: Iterable[Finding]) -> Table:
    """One row per finding: a mark, the subject, what was found, and what to do about it."""
    table = Table(box=box.SIMPLE, pad_edge=False)
    for title in ("", "", "found", "what to do"):
        table.add_column(title, overflow="fold")
    for finding in findings:
        mark, colour = _MARKS[finding.health]
        # as Text: brackets in a path or in an error are no markup
        words = (Text(each) for each in (finding.subject, finding.value, finding.hint))
        table.add_row(Text(mark, style=colour), *words)
    return table
