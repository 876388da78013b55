"""Finds, verifies and runs other people's programs."""

from seatrial.tools.artifacts import Artifacts, fingerprint
from seatrial.tools.golang import GoBuild, go_version
from seatrial.tools.running import Completed, run
from seatrial.tools.toolchain import Download, LockedTool, Toolchain, read_lock

__all__ = [
    "Artifacts",
    "Completed",
    "Download",
    "GoBuild",
    "LockedTool",
    "Toolchain",
    "fingerprint",
    "go_version",
    "read_lock",
    "run",
]
