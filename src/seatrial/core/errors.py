"""The errors of seatrial: one root, and a fault of the product under test told from one of ours.

`SeatrialError` is everything this library raises on purpose. Of those, an `ExpectationError` says
that the deployment under test did not do what the test expected; it is an `AssertionError` as well,
so pytest reports it as a failed assertion. All the others say that something around the test (the
cluster, a tool, a setting) is at fault.

Every error has one line that names the cause, and may carry `details` (evidence, several lines) and
a `hint` (the way out, with a command that can be pasted where there is one).
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

__all__ = [
    "ApiError",
    "ClusterError",
    "CommandError",
    "ConfigurationError",
    "EngineError",
    "EventMismatchError",
    "ExpectationError",
    "HttpExpectationError",
    "ImageError",
    "ManifestError",
    "NodeImageError",
    "NotReadyError",
    "ProvenanceError",
    "SeatrialError",
    "SetupError",
    "ToolError",
]


class SeatrialError(Exception):
    """Root of every error that seatrial raises on purpose.

    `cause` is one line; `details` are lines of evidence; `hint` says what to do about it.
    """

    def __init__(self, cause: str, *, details: str = "", hint: str = "") -> None:
        self.cause = cause
        self.details = details
        self.hint = hint
        super().__init__(cause)

    def __str__(self) -> str:
        parts = [self.cause]
        if self.details:
            parts.append("\n".join(f"  {line}" for line in self.details.rstrip().splitlines()))
        if self.hint:
            first, *more = self.hint.rstrip().splitlines()
            parts.append("\n".join([f"-> {first}", *(f"   {line}" for line in more)]))
        return "\n".join(parts)


class ConfigurationError(SeatrialError):
    """An option, a name or a file that the user gave cannot be used."""


class ManifestError(ConfigurationError):
    """A manifest cannot be read, or does not hold what was asked of it."""


class ImageError(SeatrialError):
    """An image cannot be built, found or loaded into a node."""


class SetupError(SeatrialError):
    """Something that the machine needs cannot be installed or started."""


class EngineError(SetupError):
    """No Docker engine answers, or the one that does cannot run nodes."""


class ToolError(SetupError):
    """A tool (kind, kubectl) cannot be found, fetched, verified or built."""


class NodeImageError(SetupError):
    """A node image cannot be pulled or built."""


class ClusterError(SeatrialError):
    """A cluster cannot be created, reached, reused or deleted."""


class ApiError(SeatrialError):
    """The Kubernetes API server refused a request, or cannot be reached.

    `status` is the HTTP status (0 if there was no answer), `reason` the `reason` of the Status
    object the server sent (`NotFound`, `Conflict`, `Forbidden`, …).
    """

    def __init__(
        self, cause: str, *, status: int = 0, reason: str = "", details: str = "", hint: str = ""
    ) -> None:
        super().__init__(cause, details=details, hint=hint)
        self.status = status
        self.reason = reason


class CommandError(SeatrialError):
    """A command ended with a status other than 0, or could not be started, or took too long.

    The text shows the command line so that it can be pasted into a shell, the exit status and the
    last lines of what the command printed.
    """

    #: lines of output shown; a failing build's cause is nearly always among the last of them
    SHOWN_LINES = 40

    def __init__(
        self,
        argv: Sequence[str],
        *,
        status: int | None,
        output: str,
        because: str = "",
        hint: str = "",
    ) -> None:
        self.argv = tuple(argv)
        self.status = status
        self.output = output
        lines = output.rstrip().splitlines()
        shown = lines[-self.SHOWN_LINES :]
        if len(shown) < len(lines):
            shown = [f"… {len(lines) - len(shown)} lines before this …", *shown]
        ended = because or f"ended with status {status}"
        super().__init__(
            f"{argv[0].rsplit('/', 1)[-1]} {ended}",
            details="\n".join([f"$ {shlex.join(argv)}", *shown]),
            hint=hint,
        )


class ExpectationError(SeatrialError, AssertionError):
    """The deployment under test did not do what the test expected of it."""


class NotReadyError(ExpectationError):
    """A wait for readiness ended without it: impossible by now, or out of time."""


class EventMismatchError(ExpectationError):
    """The events that were seen do not fit the pattern that was expected."""


class ProvenanceError(ExpectationError):
    """A container runs something else than the image that was built."""


class HttpExpectationError(ExpectationError):
    """The application did not answer over HTTP, or not as expected."""
