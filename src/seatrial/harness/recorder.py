"""Records a test while it runs: what the streams bring, and what the test waits for.

A `Recorder` is one more consumer of a feed, in a thread of its own. It holds the feed's lock only
to ask for the records that are new; leaving out secrets and writing happen without it. What the
test asks comes from the three classes below, which are what they stand for, and tell the recorder.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from seatrial.core.errors import ConfigurationError, SeatrialError
from seatrial.core.feed import Feed
from seatrial.core.model import Change, ObjectRef, Record, Verdict, dig
from seatrial.core.recording_file import Header, RecordingWriter
from seatrial.core.redaction import Redactor
from seatrial.events import Expected, Match, Timeline
from seatrial.harness.descriptions import describe, describe_condition
from seatrial.harness.release import Deployer, Release
from seatrial.readiness import Condition

__all__ = ["RecordedDeployer", "RecordedRelease", "RecordedTimeline", "Recorder", "recording_path"]

#: seconds between two looks at the feed if nobody notifies
WAKE_WITHIN = 0.5
#: seconds between two looks however many records come, so that a burst is written in few steps
PAUSE = 0.05
#: seconds that `close` waits for a thread whose disk does not answer
CLOSE_TIMEOUT = 10.0

#: a line that belongs behind the record of that number
_Line = tuple[int, Mapping[str, Any]]
#: characters of a file's name: most file systems end at 255, and a suffix may follow
LONGEST_NAME = 150


def recording_path(folder: Path, test: str, attempt: int = 1) -> Path:
    """The file for a test's id: `tests-e2e-test_flask.py-test_it.jsonl`."""
    name = re.sub(r"[^\w.]+", "-", test, flags=re.ASCII).strip("-.") or "test"
    suffix = "" if attempt == 1 else f"-{attempt}"
    # the end of an id tells more than its beginning
    return folder / f"{name[-LONGEST_NAME:].lstrip('-.')}{suffix}.jsonl"


def _create(folder: Path, test: str) -> tuple[Path, TextIO]:
    attempt = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            attempt += 1
            path = recording_path(folder, test, attempt)
            # x: of two sessions, or two workers, that want one name, only one gets it
            with suppress(FileExistsError):
                return path, path.open("x", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"cannot record into {folder}: {error.strerror or error}",
            hint="give --seatrial-record a folder that can be written to",
        ) from error


class Answer:
    """Around a question: `begin` writes it down, and how the block ends is its answer."""

    def __init__(self, recorder: Recorder, kind: str) -> None:
        self.cause = ""
        """What the verdict says, if it is satisfied."""
        self._recorder = recorder
        self._kind = kind
        self._id = 0
        self._more: dict[str, list[Any]] = {}

    def begin(self, question: Mapping[str, Any]) -> None:
        self._id = self._recorder.question(self._kind, question)

    def note(self, what: str, *said: Any) -> None:
        """Remember what the cluster was asked meanwhile, and what it said."""
        self._more.setdefault(what, []).append(list(said))

    def __enter__(self) -> Answer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._id:
            return  # it was refused before anything was asked
        if error is None:
            said = {"outcome": "satisfied", "cause": self.cause}
        else:
            text = str(error)
            said = {"outcome": type(error).__name__, "cause": text.partition("\n")[0], "text": text}
        self._recorder.answer(self._id, {**said, "more": self._more})


class Recorder:
    """Writes one recording. Starts with its making, ends with `close`.

    What goes wrong in writing ends the recording, not the test: `trouble` tells of it.
    """

    def __init__(
        self, folder: Path, feed: Feed, *, test: str, namespace: str, kubernetes: str, tie: float
    ) -> None:
        self.path, self._file = _create(folder, test)
        self.feed = feed
        self.redactor = Redactor()
        self.trouble = ""
        with feed.changed:
            self._started = feed.clock.monotonic()
            wall = feed.clock.wall()
        header = Header(
            test, namespace, kubernetes, version("seatrial"), self._started, wall, tie
        )  # fmt: skip
        self._writer = RecordingWriter(self._file, header, self.redactor)
        self._writer.flush()
        #: what is to be written beside records
        self._lines: deque[_Line] = deque()
        self._questions = 0
        self._number = 0
        self._held = 0
        #: guards the writing; never asked for while the feed's lock is held
        self._writing = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"record {namespace}", daemon=True)
        self._thread.start()

    def question(self, kind: str, question: Mapping[str, Any]) -> int:
        """Write down that the test begins to ask something; gives the id to answer it by."""
        with self.feed.changed:
            self._questions += 1
            identity, number = self._questions, self._last_number()
            line = {
                "line": kind,
                "id": identity,
                "started": round(self.feed.clock.monotonic(), 6),
                "after": number,
                "question": self.redactor.value(question),
            }
            self._put(number, line)
        return identity

    def answer(self, identity: int, said: Mapping[str, Any]) -> None:
        """Write down what came of it: `outcome`, `cause`, `text`, `more`."""
        with self.feed.changed:
            number = self._last_number()
            line = {
                "line": "end",
                "id": identity,
                "ended": round(self.feed.clock.monotonic(), 6),
                "number": number,
            }
            shown = self.redactor.value({key: value for key, value in said.items() if value})
            self._put(number, {**line, **shown})

    def phase(self, when: str, outcome: str, message: str = "") -> None:
        """Write down what became of the test's set-up, its call or its teardown."""
        with self.feed.changed:
            line = {"line": "phase", "when": when, "outcome": outcome}
            if message:
                line["message"] = self.redactor.text(message)
            self._put(self._last_number(), line)

    def asking(self, kind: str) -> Answer:
        """Around a question of that kind, `wait` or `expect`."""
        return Answer(self, kind)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Write nothing meanwhile: what comes may have to be hidden by what is learned here."""
        with self._writing:
            self._held += 1
        try:
            yield
        finally:
            with self._writing:
                self._held -= 1

    def close(self) -> None:
        """Write what has been received by now, and end. Once more does nothing."""
        if self._file.closed:
            return
        self._stopped.set()
        with self.feed.changed:
            self.feed.changed.notify_all()
        self._thread.join(CLOSE_TIMEOUT)
        if self._thread.is_alive():
            self.trouble = f"the disk did not take it within {CLOSE_TIMEOUT:g} s"
            return
        self._drain()
        try:
            with self._file:
                if not self.trouble:
                    self._writer.line({
                        "line": "close",
                        "ended": round(self.feed.clock.monotonic(), 6),
                        "records": self._writer.records,
                    })  # fmt: skip
        except OSError as error:
            self.trouble = self.trouble or str(error)

    # --- inside

    def _last_number(self) -> int:
        fresh = self.feed.records(after=self._number)
        return fresh[-1].number if fresh else self._number

    def _put(self, number: int, line: Mapping[str, Any]) -> None:
        self._lines.append((number, line))
        self.feed.changed.notify_all()

    def _run(self) -> None:
        while not self._stopped.is_set():
            with self.feed.changed:
                if not self._lines and not self.feed.records(after=self._number):
                    # the condition's own time: the feed's clock is for those who wait for a verdict
                    self.feed.changed.wait(WAKE_WITHIN)
            self._drain()
            self._stopped.wait(PAUSE)

    def _drain(self) -> None:
        with self._writing:
            if self._held or self.trouble:
                return
            with self.feed.changed:
                lines = [self._lines.popleft() for _ in range(len(self._lines))]
                fresh = list(self.feed.records(after=self._number))
            try:
                self._write(fresh, lines)
            except Exception as error:  # noqa: BLE001 - a recording that fails must fail no test
                self.trouble = str(error) or type(error).__name__

    def _write(
        self, fresh: Sequence[Record], lines: Sequence[tuple[int, Mapping[str, Any]]]
    ) -> None:
        for record in fresh if self._number else self._without_the_past(fresh):
            while lines and lines[0][0] < record.number:
                self._writer.line(lines[0][1])
                lines = lines[1:]
            self._writer.record(record)
        for _, line in lines:
            self._writer.line(line)
        if fresh:
            self._number = fresh[-1].number
        if fresh or lines:
            self._writer.flush()

    def _without_the_past(self, records: Sequence[Record]) -> Sequence[Record]:
        """The first records, without what others have made of before.

        Of an object that lives in no namespace (a Node) a session has told since its beginning;
        what it was like when this recording began is enough. Gaps stay: they are doubts.
        """
        latest: dict[tuple[str, str], int] = {}
        for record in records:
            if self._is_past(record):
                latest[record.kind, record.ref.name] = record.number
        return [
            record
            for record in records
            if not self._is_past(record)
            or (
                latest[record.kind, record.ref.name] == record.number
                and record.change is not Change.DELETED
            )
        ]

    def _is_past(self, record: Record) -> bool:
        return (
            record.received < self._started
            and record.change is not Change.GAP
            and not dig(record.object, "metadata", "namespace", default="")
        )


class RecordedTimeline(Timeline):
    """A timeline whose expectations are recorded."""

    def __init__(self, recorder: Recorder, *, tie: float) -> None:
        super().__init__(recorder.feed, tie=tie)
        self._recorder = recorder

    def expect(self, *patterns: Expected, within: float = 0.0) -> Match:
        with self._recorder.asking("expect") as answer:
            answer.begin({"patterns": describe(patterns), "within": within})
            return super().expect(*patterns, within=within)


@dataclass(frozen=True)
class RecordedDeployer(Deployer):
    """Deploys as a `Deployer` does; the waits of its releases are recorded."""

    recorder: Recorder = field(kw_only=True)

    @classmethod
    def of(cls, deployer: Deployer, recorder: Recorder) -> RecordedDeployer:
        return cls(**vars(deployer), recorder=recorder)

    def __call__(self, source: Any, **options: Any) -> Release:
        with self.recorder.held():
            release = super().__call__(source, **options)
            self.recorder.redactor.learn(*(each.object for each in release.manifests))
        return RecordedRelease(release, self.recorder)


class RecordedRelease(Release):
    """A release whose waits are recorded."""

    def __init__(self, release: Release, recorder: Recorder) -> None:
        # it is that release, applied already: nothing is to be made anew
        vars(self).update(vars(release))
        self._recorder = recorder
        self._asking = threading.local()

    def apply(self) -> None:
        with self._recorder.held():
            self._recorder.redactor.learn(*(each.object for each in self.manifests))
            super().apply()

    def wait_ready(
        self,
        ref: str = "",
        *,
        timeout: float | None = None,
        holds_for: float | None = None,
        graces: Mapping[str, float] | None = None,
        expect_restarts: int = 0,
    ) -> Verdict:
        with self._recorder.asking("wait") as answer:
            self._asking.answer = answer
            self._asking.question = {
                "ref": ref,
                "timeout": self._ready_timeout if timeout is None else timeout,
                "holds_for": holds_for,
                "graces": describe(graces or {}),
                "expect_restarts": expect_restarts,
            }
            verdict = super().wait_ready(
                ref,
                timeout=timeout,
                holds_for=holds_for,
                graces=graces,
                expect_restarts=expect_restarts,
            )
            answer.cause = f"{verdict.reason}: {verdict.message}"
            return verdict

    def _condition(self, ref: str, *, settling: float) -> Condition:
        condition = super()._condition(ref, settling=settling)
        question = {**self._asking.question, "condition": describe_condition(condition)}
        self._asking.answer.begin(question)
        return condition

    def _exists(self, ref: ObjectRef, key: str) -> bool:
        found = super()._exists(ref, key)
        now = round(self.feed.clock.monotonic(), 6)
        self._asking.answer.note("existed", now, ref.kind, ref.namespace, ref.name, key, found)
        return found

    def _log_tail(self, namespace: str, pod: str, container: str, previous: bool) -> str:
        where = (namespace, pod, container, previous)
        try:
            text = super()._log_tail(*where)
        except SeatrialError as error:
            self._asking.answer.note("logs", *where, None, error.cause)
            raise
        self._asking.answer.note("logs", *where, text)
        return text
