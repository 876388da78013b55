"""The doctor's findings, as a person sees them."""

import io

import pytest
from rich.console import Console

from seatrial.core.health import Finding, Health
from seatrial.report.doctor import findings_table


def shown(*findings, width=100):
    output = io.StringIO()
    Console(file=output, width=width, color_system=None).print(findings_table(findings))
    return output.getvalue()


@pytest.mark.parametrize(
    ("health", "mark"), [(Health.OK, "✓"), (Health.NOTE, "•"), (Health.BAD, "✗")]
)
def test_each_finding_is_a_row_with_its_mark(health, mark):
    lines = shown(Finding("disk", health, "3 GiB free", "docker system prune")).splitlines()
    [row] = [line for line in lines if "disk" in line]
    assert row.split(maxsplit=2)[:2] == [mark, "disk"]
    assert "3 GiB free" in row
    assert "docker system prune" in row


def test_rows_keep_their_order():
    text = shown(Finding("memory", Health.OK, "1"), Finding("disk", Health.OK, "2"))
    assert text.index("memory") < text.index("disk")


def test_the_columns_say_what_they_are():
    assert "found" in shown()
    assert "what to do" in shown()


def test_brackets_are_shown_as_they_are():
    text = shown(Finding("node[0]", Health.BAD, "[Errno 2] /x[/y]", "sed [a-z]"))
    for part in ("node[0]", "[Errno 2] /x[/y]", "sed [a-z]"):
        assert part in text


def test_nothing_is_cut_off_on_a_narrow_terminal():
    value = "seatrial/node:v1.37.2-0123456789abcdef"
    text = shown(Finding("node image", Health.OK, value), width=40)
    joined = "".join(char for char in text if not char.isspace())
    assert "…" not in text
    for start in range(0, len(value) - 6, 6):
        assert value[start : start + 3] in joined
