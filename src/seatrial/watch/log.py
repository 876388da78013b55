"""Records in their order, as many as are of use.

A session may go on for hours, and a thousand pods change twenty times a second. So what is old is
let go where something newer stands for it: then what is left still adds up to the same objects.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from seatrial.core.model import Change, Record, dig

__all__ = ["KEPT", "Log"]

#: of the latest records, so many are kept whatever they say: several times what a test sees, and
#: some 7 MB
KEPT = 5_000


class Log:
    """Keeps the latest `kept` records, and of those before them what is not outdated.

    Outdated is a record of an object that is gone, and of one that has changed since. Events stay
    as long as they exist: their changes are occurrences of their own. Gaps stay for ever.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._records: list[Record] = []
        self._by_kind: dict[str, list[Record]] = {}
        #: length at which it is looked through next: rarely enough to cost nothing
        self._full = 2 * kept

    @property
    def full(self) -> bool:
        """Whether it is time to `trim`."""
        return len(self._records) >= self._full

    def append(self, record: Record) -> None:
        self._records.append(record)
        self._by_kind.setdefault(record.kind, []).append(record)

    def after(self, number: int, kind: str = "") -> Sequence[Record]:
        """The records with a higher number, of one kind or of all."""
        records = self._by_kind.get(kind, []) if kind else self._records
        return records[bisect_right(records, number, key=lambda record: record.number) :]

    def trim(self) -> Sequence[Record]:
        """Let go of what is outdated; gives those records."""
        recent = len(self._records) - self._kept
        kept: list[Record] = []
        outdated: list[Record] = []
        #: uids of which a newer record was seen, and of those whose newest says that they are gone
        newer: set[str] = set()
        dead: set[str] = set()
        for place, record in reversed(list(enumerate(self._records))):
            uid = str(dig(record.object, "metadata", "uid", default=""))
            superseded = uid in newer
            if uid and not superseded:
                newer.add(uid)
                if record.change is Change.DELETED:
                    dead.add(uid)
            stale = uid in dead or (superseded and record.kind != "Event")
            (outdated if stale and place < recent else kept).append(record)
        self._records = kept[::-1]
        self._by_kind = {}
        for record in self._records:
            self._by_kind.setdefault(record.kind, []).append(record)
        self._full = len(self._records) + self._kept
        return outdated
