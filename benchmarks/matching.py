"""Matching events against patterns, at 1,000 and at 10,000 events, beside a plain scan.

The plain scan is what a script of one's own would do: take the events in the order of the list, and
look for the reasons one after another. It knows no causes, no near ties and no objects, so it is
wrong wherever Kubernetes writes events in another order; it is the floor of the cost. Prints
seconds, how they grow with ten times the events, and the search's steps. Nothing is asserted.

    python -m benchmarks.matching
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from rich.console import Console
from rich.table import Table

from seatrial import any_order, each_pod, in_order, one_of, optional, repeated
from seatrial.core.model import ObjectRef
from seatrial.events.matching import Matcher, slots_of
from seatrial.events.occurrence import Occurrence
from seatrial.events.patterns import Pattern

CYCLE = ("Scheduled", "Pulled", "Created", "Started")
COUNTS = (1_000, 10_000)
#: seconds between two events
PACES = {"at once": 0.0, "in a burst": 0.01, "slowly": 5.0}
RUNS = 3
EPOCH = datetime(2030, 1, 1, tzinfo=timezone.utc)

PATTERNS: dict[str, Pattern] = {
    "20 in order": in_order(*CYCLE * 5),
    "20 in order, the last never came": in_order(*CYCLE * 5, "Nope"),
    "20 in order, the first came last": in_order("Last", *CYCLE * 5),
    "10 in any order, then 10 in any order": in_order(
        any_order(*["Pulled"] * 10), any_order(*["Started"] * 10)
    ),
    "10 pairs in any order": any_order(*(in_order("Pulled", "Started") for _ in range(10))),
    "20 that are optional": in_order(*(optional(reason) for reason in CYCLE * 5)),
    "7 choices of one or two": in_order(
        *(one_of("Pulled", in_order("Pulled", "Created")) for _ in range(7))
    ),
    "one 18 times, then the last": in_order("Scheduled", repeated("Pulled", at_least=18), "Last"),
    "4 for each pod": each_pod(*CYCLE),
}


def occurrences(count: int, pace: float) -> Sequence[Occurrence]:
    """So many events of pods that come up one after another, and one more at the end."""
    told = [(i * pace, CYCLE[i % 4], "Pod", f"p{i // 8}") for i in range(count)]
    told.append((count * pace + 10, "Last", "Node", "last"))
    return [
        Occurrence(
            number=number,
            received=seconds,
            wall=EPOCH + timedelta(seconds=seconds),
            reason=reason,
            type="Normal",
            message="",
            count=1,
            new=1,
            object=ObjectRef(kind, name, namespace="trial", uid=name),
            source="default-scheduler" if reason == "Scheduled" else "kubelet",
        )
        for number, (seconds, reason, kind, name) in enumerate(told)
    ]


def plain_scan(reasons: Sequence[str], seen: Sequence[Occurrence]) -> bool:
    """Whether the reasons come one after another in the list."""
    rest = iter(seen)
    return all(any(one.reason == reason for one in rest) for reason in reasons)


def seconds_of(pattern: Pattern, seen: Sequence[Occurrence]) -> tuple[float, int, bool]:
    """The processor's seconds of the fastest run, the steps, and whether it fits."""
    best, steps, fits = float("inf"), 0, False
    for _ in range(RUNS):
        began = time.process_time()
        matcher = Matcher(seen)
        fits = matcher.fit(slots_of(pattern, seen)) is not None
        best = min(best, time.process_time() - began)
        steps = matcher.steps
    return best, steps, fits


def main() -> None:
    """Print the table."""
    table = Table("pattern", "events come", *(f"{count:,} events" for count in COUNTS), "growth",
                  "steps", "verdict", title="processor's seconds, best of 3")  # fmt: skip
    for pace_name, pace in PACES.items():
        histories = [occurrences(count, pace) for count in COUNTS]
        for name, pattern in PATTERNS.items():
            few, many = (seconds_of(pattern, seen) for seen in histories)
            table.add_row(
                name, pace_name, f"{few[0]:.3f}", f"{many[0]:.3f}", f"{many[0] / few[0]:.0f}",
                str(many[1]), "fits" if many[2] else "no fit",
            )  # fmt: skip
        times = []
        for seen in histories:
            began = time.process_time()
            plain_scan([*CYCLE * 5, "Nope"], seen)
            times.append(time.process_time() - began)
        table.add_row("plain scan for 21 reasons", pace_name, f"{times[0]:.3f}", f"{times[1]:.3f}",
                      f"{times[1] / times[0]:.0f}", "", "no fit", style="dim")  # fmt: skip
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
