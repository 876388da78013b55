"""What one running copy of the application knows of itself."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["State"]


@dataclass
class State:
    """Who this copy is, how often it has greeted, and whether it wants traffic."""

    build_id: str
    pod_name: str
    node_name: str
    ready_at: float
    """On `clock`, in seconds."""
    fails: bool
    clock: Callable[[], float]
    shutting_down: bool = False
    greeted: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def of(cls, environ: Mapping[str, str], clock: Callable[[], float]) -> State:
        """POD_NAME and NODE_NAME come from the downward API, BUILD_ID from the image.

        READY_DELAY_SECONDS and READY_FAIL make readiness late or impossible, to see what the
        cluster makes of it.
        """
        host = socket.gethostname()
        delay = environ.get("READY_DELAY_SECONDS") or "0"
        try:
            ready_at = clock() + float(delay)
        except ValueError:
            raise ValueError(f"READY_DELAY_SECONDS must be a number, not {delay!r}") from None
        return cls(
            build_id=environ.get("BUILD_ID") or "unknown",
            pod_name=environ.get("POD_NAME") or host,
            node_name=environ.get("NODE_NAME") or host,
            ready_at=ready_at,
            fails=environ.get("READY_FAIL", "").lower() not in ("", "0", "false", "no"),
            clock=clock,
        )

    def count(self) -> int:
        """Count one more visit and give how many there were."""
        with self._lock:
            self.greeted += 1
            return self.greeted

    def unready_because(self) -> str:
        """Why no traffic is wanted, or nothing if it is."""
        if self.shutting_down:
            return "shutting down"
        if self.fails:
            return "READY_FAIL is set"
        left = self.ready_at - self.clock()
        return f"ready in {left:.1f} s" if left > 0 else ""
