"""`seatrial replay`: a recorded test, looked at again on a desk."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from seatrial.core.recording import Recording
from seatrial.harness.replaying import (
    Replayed,
    expect_sequence,
    replay_all,
    timeline_of,
    wait_for,
)
from seatrial.report.events import event_lines
from seatrial.report.replay import asked_lines, header_lines

__all__ = ["replay"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--ready", "refs", multiple=True, metavar="KIND/NAME",
              help="Wait for it to become ready, from the beginning of the recording.")  # fmt: skip
@click.option("--expect", "sequences", multiple=True, metavar="NAME[:KIND/NAME]",
              help="Look for a ready-made sequence, such as FRESH_ROLLOUT.")  # fmt: skip
@click.option("--events", is_flag=True, help="Show all events, and nothing else.")
def replay(file: Path, refs: tuple[str, ...], sequences: tuple[str, ...], *, events: bool) -> None:
    """Look at a recorded test again (see pytest --seatrial-record). Needs no cluster.

    Shows its events, and asks again what the test asked. Status 1 if an answer differs from that of
    the day, or if what --ready or --expect asks for did not come.
    """
    recording = Recording.read(file)
    lines, fine = _shown(recording, refs, sequences, events=events)
    click.echo("\n".join(lines))
    if not fine:
        sys.exit(1)


def _shown(
    recording: Recording, refs: tuple[str, ...], sequences: tuple[str, ...], *, events: bool
) -> tuple[list[str], bool]:
    whole = recording.again()
    timeline = timeline_of(whole)
    whole.finish()
    lines = [*header_lines(recording), ""]
    fine = True
    if events or not (refs or sequences):
        lines += ["events", *(f" {line}" for line in event_lines(timeline)), ""]
    for title, answer in _asked_now(recording, refs, sequences):
        fine = fine and answer.outcome == "satisfied"
        lines += [f"{title}: {answer.outcome} after {answer.seconds:.2f} s"]
        lines += [f"   {line}".rstrip() for line in (answer.text or answer.cause).splitlines()]
        lines.append("")
    if not (events or refs or sequences):
        answers = replay_all(recording)
        fine = all(answer.same is not False for answer in answers)
        lines += _asked_then(recording, answers)
    return lines[:-1], fine


def _asked_now(
    recording: Recording, refs: tuple[str, ...], sequences: tuple[str, ...]
) -> Iterator[tuple[str, Replayed]]:
    for ref in refs:
        yield f"{ref} to be ready", wait_for(recording, ref)
    for name in sequences:
        yield name, expect_sequence(recording, name)


def _asked_then(recording: Recording, answers: Sequence[Replayed]) -> list[str]:
    if not answers:
        return ["the test waited for nothing, and expected nothing", ""]
    lines = ["what the test asked"]
    for number, (asked, answer) in enumerate(zip(recording.asked, answers, strict=True), start=1):
        lines += asked_lines(
            number,
            asked,
            began=recording.header.started,
            outcome=answer.outcome,
            cause=answer.cause,
            text=answer.text,
            seconds=answer.seconds,
            same=answer.same,
        )
        lines.append("")
    return lines
