"""What the kernel lets a process do, as /proc tells it."""

from __future__ import annotations

__all__ = ["CAP_SYS_RESOURCE", "has_capability"]

#: number of the capability in /proc/PID/status, capabilities(7)
CAP_SYS_RESOURCE = 24


def has_capability(status: str, number: int) -> bool:
    """Whether the bounding set in the text of /proc/PID/status has that capability, proc(5)."""
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "CapBnd":
            return bool(int(value, 16) >> number & 1)
    return False
