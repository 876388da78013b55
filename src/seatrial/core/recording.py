"""A recorded test as a feed, to be looked at again: no cluster, no waiting, the same verdicts.

`seatrial.core.recording_file` has the file's format. The clock of a `Recording` moves through the
recorded times: whoever waits on it waits for no real second, and sees each record at the moment at
which it was received.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from seatrial.core.model import Change, Object, Record, Snapshot, dig
from seatrial.core.recording_file import Asked, Contents, Header, read_contents

__all__ = ["RecordedClock", "Recording"]

#: seconds: records nearer to each other came in one step (a list), and nobody saw them apart
ONE_MOMENT = 0.001
#: seconds after which a step has ended, however near the next record is
LONGEST_MOMENT = 0.05


class Recording:
    """A recorded test, as a `core.feed.Feed` that begins where the recording began.

    It moves on when somebody waits on it (`wait_until`, `Timeline.expect(within=…)`), by `move_to`
    or by `finish`. `again` gives it from the beginning.
    """

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self.changed = threading.Condition(threading.RLock())
        self.clock = RecordedClock(self)
        self._numbers = [record.number for record in contents.records]
        self._delivered = 0
        self._objects: dict[tuple[str, str, str], Object] = {}
        self._snapshot: Snapshot | None = None
        self.move_to(contents.header.started)

    @classmethod
    def read(cls, path: str | Path) -> Recording:
        """Read a file that `--seatrial-record` wrote. A last line that is cut off is left out.

        Raises `ConfigurationError`, which names the line, for what is no recording.
        """
        return cls(read_contents(Path(path)))

    def again(self) -> Recording:
        """The same recording, from its beginning."""
        return Recording(self.contents)

    @property
    def header(self) -> Header:
        return self.contents.header

    @property
    def asked(self) -> Sequence[Asked]:
        """The test's waits and expectations, in their order."""
        return self.contents.asked

    @property
    def end(self) -> float:
        """The last moment that it tells of, in seconds on its clock."""
        moments = [self.header.started, self.contents.ended or 0.0]
        moments += [each.ended or each.started for each in self.asked]
        moments += [record.received for record in self.contents.records[-1:]]
        return max(moments)

    @property
    def upcoming(self) -> float | None:
        """When the next step of the streams ends, or None after the last one."""
        left = self.contents.records[self._delivered :]
        if not left:
            return None
        first = last = left[0].received
        for record in left:
            if record.received - last > ONE_MOMENT or record.received - first > LONGEST_MOMENT:
                break
            last = max(last, record.received)
        return last

    def move_to(self, seconds: float) -> None:
        """Go on to a moment, and deliver all that had been received by then."""
        with self.changed:
            self.clock.now = max(self.clock.now, seconds)
            for record in self.contents.records[self._delivered :]:
                if record.received > self.clock.now:
                    break
                self._delivered += 1
                self._apply(record)

    def finish(self) -> None:
        """Go on to the end, so that all records are there."""
        self.move_to(self.end)

    def records(self, kind: str = "", *, after: int = 0) -> Sequence[Record]:
        with self.changed:
            first = bisect_right(self._numbers, after)
            fresh = self.contents.records[first : self._delivered]
            return [record for record in fresh if kind in ("", record.kind)]

    def snapshot(self) -> Snapshot:
        with self.changed:
            if self._snapshot is None:
                self._snapshot = Snapshot(dict(self._objects))
            return self._snapshot

    def check(self) -> None:
        """No stream of a recording ends for good."""

    def _apply(self, record: Record) -> None:
        if record.change is Change.GAP:
            return
        ref = record.ref
        key = (ref.kind, ref.namespace, ref.name)
        if record.change is not Change.DELETED:
            self._objects[key] = record.object
        elif dig(self._objects.get(key), "metadata", "uid", default="") == ref.uid:
            self._objects.pop(key, None)
        self._snapshot = None


class RecordedClock:
    """A clock that moves when somebody waits on it, and stops at every step of its recording."""

    def __init__(self, recording: Recording) -> None:
        self.now = recording.contents.header.started
        self._recording = recording

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> datetime:
        header = self._recording.header
        return header.wall + timedelta(seconds=self.now - header.started)

    def wait(self, condition: threading.Condition, timeout: float) -> None:  # noqa: ARG002 - nobody
        # notifies it: what was recorded is delivered by the move itself
        until, upcoming = self.now + timeout, self._recording.upcoming
        self._recording.move_to(until if upcoming is None else min(until, upcoming))
