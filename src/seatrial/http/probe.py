"""Keeps asking while something is done to the deployment: would a client have noticed?

Requests are begun at a fixed rate, whether or not earlier ones have been answered: one that hangs
does not hide those that would have failed behind it. Nothing is retried. Each request has a
connection of its own, unless connections are to be kept, since a Service picks the pod for each
connection: who keeps one stays with one pod, and sees less of a rollout.
"""

from __future__ import annotations

import http.client
import math
import select
import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from types import TracebackType
from urllib.parse import urlsplit

from seatrial.core.clock import Clock, Deadline, SystemClock
from seatrial.core.errors import ConfigurationError, HttpExpectationError

__all__ = ["Answer", "Moment", "Probe", "Summary"]

#: requests that may be in flight at once; the rate falls only when so many hang
WORKERS = 16
#: seconds, beside an attempt's own timeout, for the threads to end
STOP_TIMEOUT = 2.0
#: failures with the same result in a row from which on they are told in one line
MANY = 4
#: lines of a timeline; what is left out is in the middle
SHOWN = 200
#: seconds before the first failure from which on moments are told: what led to it
BEFORE = 5.0


@dataclass(frozen=True)
class Answer:
    """One request of a probe, and what came of it."""

    number: int
    """1, 2, 3, … in the order in which they were begun."""
    began: float
    """Seconds on the probe's clock, which is the one that events are stamped with."""
    wall: datetime
    """The same as a time of day, UTC."""
    seconds: float
    """Until the answer was complete, or the failure was clear."""
    result: str
    """`200 OK`, or what went wrong: `connection refused`."""
    ok: bool
    """Whether a whole answer came, with the status that was to come."""


@dataclass(frozen=True)
class Moment:
    """Something else that happened, for the timeline."""

    at: float
    """Seconds on the probe's clock."""
    what: str


@dataclass(frozen=True)
class Summary:
    """How a probe went, in numbers. `str()` is one line."""

    count: int
    failed: int
    seconds: float
    """From the first request to the end of the last."""
    wanted_rate: float
    rate: float
    """Requests begun in a second, as reached."""
    p50: float
    """Seconds within which half of the requests were over, failed ones included."""
    p99: float
    slowest: float

    @classmethod
    def of(cls, answers: Sequence[Answer], wanted_rate: float) -> Summary:
        failed = sum(not one.ok for one in answers)
        if not answers:
            return cls(0, 0, 0.0, wanted_rate, 0.0, 0.0, 0.0, 0.0)
        first = min(one.began for one in answers)
        last = max(one.began for one in answers)
        ended = max(one.began + one.seconds for one in answers)
        took = sorted(one.seconds for one in answers)
        # n requests have n - 1 spaces between them
        rate = (len(answers) - 1) / (last - first) if last > first else 0.0
        return cls(
            len(answers),
            failed,
            ended - first,
            wanted_rate,
            rate,
            _percentile(took, 50),
            _percentile(took, 99),
            took[-1],
        )

    def __str__(self) -> str:
        return (
            f"{self.count} requests in {self.seconds:.1f} s, {self.failed} failed; "
            f"{self.rate:.1f} a second of {self.wanted_rate:g} wanted; "
            f"p50 {self.p50 * 1000:.1f} ms, p99 {self.p99 * 1000:.1f} ms, "
            f"slowest {self.slowest * 1000:.1f} ms"
        )


class Probe:
    """Asks `url` `rate` times a second from threads of its own, from `with` until its end.

    A request fails when no whole answer comes within `timeout` seconds without a byte, or its
    status is none of `status`. `keep_alive` uses connections again, unless the other side has
    closed them by the time of the next request.
    """

    def __init__(
        self,
        url: str,
        *,
        rate: float = 50.0,
        status: int | Collection[int] = 200,
        timeout: float = 5.0,
        keep_alive: bool = False,
        clock: Clock | None = None,
    ) -> None:
        where = urlsplit(url)
        if where.scheme != "http" or not where.hostname:
            raise ConfigurationError(f"{url!r} cannot be probed", hint="http://HOST:PORT/PATH can")
        if not 0 < rate <= 1000:
            raise ConfigurationError(
                f"a probe cannot ask {rate:g} times a second", hint="from above 0 to 1000 it can"
            )
        self.url = url
        self.rate = rate
        self.timeout = timeout
        self.keep_alive = keep_alive
        self.clock = clock or SystemClock()
        self._statuses = frozenset((status,) if isinstance(status, int) else status)
        self._host, self._port = where.hostname, where.port or 80
        self._path = (where.path or "/") + (f"?{where.query}" if where.query else "")
        self._answers: list[Answer] = []
        self._taken = 0
        self._due = 0.0
        self._stopping = False
        #: for the workers, each of which waits for its turn
        self._turns = threading.Condition()
        #: for those who wait for answers
        self._answered = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name=f"probe {number}", daemon=True)
            for number in range(WORKERS)
        ]

    # --- what was seen

    @property
    def answers(self) -> Sequence[Answer]:
        """Every request that is over, in the order in which they were begun."""
        with self._answered:
            return sorted(self._answers, key=lambda one: one.number)

    @property
    def failures(self) -> Sequence[Answer]:
        """Those that failed."""
        return [one for one in self.answers if not one.ok]

    @property
    def summary(self) -> Summary:
        """Count, rate reached, p50 and p99, so far."""
        return Summary.of(self.answers, self.rate)

    def wait_for(self, count: int, *, timeout: float = 30.0) -> None:
        """Wait until `count` more requests are over, so that what was done has been tried.

        Raises `HttpExpectationError` after `timeout` seconds.
        """
        deadline = Deadline.after(timeout, self.clock)
        with self._answered:
            wanted = len(self._answers) + count
            while len(self._answers) < wanted and not deadline.passed:
                self.clock.wait(self._answered, deadline.remaining)
            missing = wanted - len(self._answers)
        if missing > 0:
            raise HttpExpectationError(
                f"{missing} of {count} requests of the probe were not over within {timeout:g} s",
                details=str(self.summary),
            )

    def assert_no_failures(self) -> None:
        """Raise `HttpExpectationError` unless requests were sent, and all were answered.

        Its text has every failed request, on one timeline with what happened meanwhile.
        """
        answers = self.answers
        failures = [one for one in answers if not one.ok]
        if not answers:
            raise HttpExpectationError(
                "the probe has sent no request, and so proves nothing",
                hint="do what is to be probed inside `with k8s_http.probe(…) as probe:`",
            )
        if failures:
            summary = Summary.of(answers, self.rate)
            raise HttpExpectationError(
                f"{len(failures)} of {len(answers)} requests failed: {_kinds(failures)}",
                details="\n".join(
                    [f"GET {self.url}: {summary}", "", *_timeline(answers, self._moments())]
                ),
                hint=self._hint(),
            )

    def _moments(self) -> Iterable[Moment]:
        """What else happened; see `harness.probing`."""
        return ()

    def _hint(self) -> str:
        return ""

    # --- the asking

    def __enter__(self) -> Probe:
        self._due = self.clock.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._turns:
            self._stopping = True
            self._turns.notify_all()
        # real seconds, whatever the clock: threads end in no other time
        deadline = Deadline.after(self.timeout + STOP_TIMEOUT, SystemClock())
        for thread in self._threads:
            thread.join(deadline.remaining)

    def _work(self) -> None:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self.timeout)
        try:
            while number := self._turn():
                self._ask(number, connection)
        finally:
            connection.close()

    def _turn(self) -> int:
        """Wait for the next turn and give its number; 0 when it is over."""
        with self._turns:
            # what was missed while all workers hung is not made up for: that would be a flood
            due = max(self._due, self.clock.monotonic() - 1 / self.rate)
            self._due = due + 1 / self.rate
            while not self._stopping and due > self.clock.monotonic():
                self.clock.wait(self._turns, due - self.clock.monotonic())
            if self._stopping:
                return 0
            self._taken += 1
            return self._taken

    def _ask(self, number: int, connection: http.client.HTTPConnection) -> None:
        began, wall = self.clock.monotonic(), self.clock.wall()
        ok = False
        try:
            if not self.keep_alive or _is_dropped(connection):
                connection.close()
            headers = {} if self.keep_alive else {"Connection": "close"}
            if connection.sock is None:
                connection.connect()
            connection.request("GET", self._path, headers=headers)
            with connection.getresponse() as answer:
                answer.read()
            result = f"{answer.status} {answer.reason}".rstrip()
            ok = answer.status in self._statuses
        except (OSError, http.client.HTTPException) as error:
            result = _told(error, connected=connection.sock is not None)
            connection.close()
        seconds = self.clock.monotonic() - began
        with self._answered:
            self._answers.append(Answer(number, began, wall, seconds, result, ok))
            self._answered.notify_all()


def _is_dropped(connection: http.client.HTTPConnection) -> bool:
    """Whether the other side has closed a kept connection: nothing else makes it readable now."""
    if connection.sock is None:
        return False
    poller = select.poll()
    poller.register(connection.sock, select.POLLIN)
    return bool(poller.poll(0))


def _told(error: Exception, *, connected: bool) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time" if connected else "no connection in time"
    # it is an OSError as well, which says less
    if isinstance(error, http.client.RemoteDisconnected):
        return "the connection was closed before an answer came"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, http.client.IncompleteRead):
        return "the connection was closed in the middle of the answer"
    return " ".join(str(error).split()) or type(error).__name__


def _percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of values that are in order."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _kinds(failures: Sequence[Answer]) -> str:
    counts: dict[str, int] = {}
    for one in failures:
        counts[one.result] = counts.get(one.result, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{result} ({count})" for result, count in ordered)


def _timeline(answers: Sequence[Answer], moments: Iterable[Moment]) -> list[str]:
    """Every failed request among what else happened; times are seconds since the probe began."""
    start = answers[0].began
    failures = [one for one in answers if not one.ok]
    opens = failures[0].began - BEFORE
    closes = max(one.began + one.seconds for one in failures)
    entries: list[Answer | Moment] = [*failures]
    entries += [one for one in moments if opens <= one.at <= closes]
    entries.sort(key=lambda one: one.at if isinstance(one, Moment) else one.began)
    lines: list[str] = []
    for _, group in groupby(entries, key=lambda one: getattr(one, "result", None)):
        same = list(group)
        failed = [one for one in same if isinstance(one, Answer)]
        lines += _failed_lines(failed, start) if failed else _moment_lines(same, start)
    half = SHOWN // 2
    if len(lines) > SHOWN:
        lines[half:-half] = [f"… {len(lines) - 2 * half} more lines …"]
    return lines


def _failed_lines(failed: Sequence[Answer], start: float) -> list[str]:
    """A line for each, or one for many that failed alike with nothing else between them."""
    first, last = failed[0], failed[-1]
    if len(failed) < MANY:
        return [
            f"! {one.began - start:7.3f} s  request {one.number}: {one.result} "
            f"({one.seconds:.3f} s)"
            for one in failed
        ]
    return [
        f"! {first.began - start:7.3f} s  {len(failed)} requests ({first.number} to {last.number}) "
        f"until {last.began - start:.3f} s: {first.result}"
    ]


def _moment_lines(moments: Iterable[Answer | Moment], start: float) -> list[str]:
    return [f"  {one.at - start:7.3f} s  {one.what}" for one in moments if isinstance(one, Moment)]
