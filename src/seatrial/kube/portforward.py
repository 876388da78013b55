"""A way to one port of one pod, through the API server: `kubectl port-forward` as a child.

The official client's port-forward stands in for sockets inside this process; an HTTP client needs
a real port. kubectl lets the system pick it, so that two forwards never want the same one.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import threading
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import IO

from seatrial.core.clock import Clock, Deadline, SystemClock
from seatrial.core.errors import CommandError

__all__ = ["PortForward", "is_closed_inside"]

#: seconds for kubectl to say that it forwards
START_TIMEOUT = 15.0
#: seconds between asking the child to end and killing it
STOP_TIMEOUT = 2.0
#: lines of its output that are kept
KEPT_LINES = 200

#: seconds for the node to say that it could not connect; milliseconds as a rule
REFUSED_WITHIN = 1.0

_FORWARDING = re.compile(r"^Forwarding from 127\.0\.0\.1:(\d+) ->")
#: the node's own words, of containerd or of CRI-O with socat, in kubectl's log
_REFUSED = re.compile(r"error occurred forwarding.*connection refused", re.IGNORECASE)


class PortForward:
    """Forwards a free port of 127.0.0.1 to `port` of a pod, from its making until `close`.

    Raises `CommandError`, with what kubectl printed, when it does not forward within `timeout`
    seconds. The forward is bound to this very pod: it ends when the pod does, see `alive`.
    """

    def __init__(
        self,
        kubectl_path: Path | str,
        kubeconfig: Path,
        namespace: str,
        pod: str,
        port: int,
        *,
        context: str | None = None,
        timeout: float = START_TIMEOUT,
        clock: Clock | None = None,
    ) -> None:
        self._argv = [
            str(kubectl_path),
            f"--kubeconfig={kubeconfig}",
            *([f"--context={context}"] if context else []),
            f"--namespace={namespace}",
            "port-forward",
            "--address=127.0.0.1",
            f"pod/{pod}",
            f":{port}",
        ]
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._changed = threading.Condition()
        self._port = 0
        self._at_end = False
        try:
            self._child = subprocess.Popen(
                self._argv,
                # kubectl would keep what it discovers below the user's own ~/.kube
                env={**os.environ, "KUBECACHEDIR": str(kubeconfig.parent / "cache")},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            raise CommandError(
                self._argv, status=None, output="", because=f"cannot be started: {error.strerror}"
            ) from error
        self._reader = threading.Thread(
            target=self._read, args=(self._child.stdout,), name=f"port-forward {pod}", daemon=True
        )
        self._reader.start()
        try:
            self._wait_for_port(Deadline.after(timeout, clock or SystemClock()))
        except BaseException:
            self.close()
            raise

    @property
    def local_port(self) -> int:
        """The port of 127.0.0.1 that leads to the pod."""
        return self._port

    @property
    def alive(self) -> bool:
        """Whether the child still runs; it ends by itself once it has lost its pod."""
        return self._child.poll() is None

    @property
    def output(self) -> str:
        """The last lines that kubectl printed."""
        with self._changed:
            return "\n".join(self._lines)

    def is_refused(self, *, within: float) -> bool:
        """Whether a connection was refused inside of the pod, or is within so many seconds."""
        deadline = Deadline.after(within, SystemClock())
        with self._changed:
            while not (refused := any(map(_REFUSED.search, self._lines))):
                if self._at_end or deadline.passed:
                    break
                deadline.clock.wait(self._changed, deadline.remaining)
        return refused

    def close(self) -> None:
        """End the child; any number of times."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        # a grandchild may hold the pipe open; it is then left to the daemon thread
        self._reader.join(STOP_TIMEOUT)

    def __enter__(self) -> PortForward:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            for raw in pipe:
                line = raw.decode(errors="replace").rstrip()
                forwarding = _FORWARDING.match(line)
                with self._changed:
                    self._lines.append(line)
                    if forwarding and not self._port:
                        self._port = int(forwarding[1])
                    self._changed.notify_all()
        with self._changed:
            self._at_end = True
            self._changed.notify_all()

    def _wait_for_port(self, deadline: Deadline) -> None:
        with self._changed:
            while not self._port and not self._at_end and not deadline.passed:
                deadline.clock.wait(self._changed, deadline.remaining)
            if self._port:
                return
            at_end = self._at_end
        if at_end:
            # its output has ended, so it is most likely ending as well
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(STOP_TIMEOUT)
            status = self._child.poll()
            raise CommandError(
                self._argv,
                status=status,
                output=self.output,
                because="closed its output without forwarding a port" if status is None else "",
            )
        raise CommandError(
            self._argv,
            status=None,
            output=self.output,
            because=f"did not forward a port within {deadline.timeout:g} s",
        )


def is_closed_inside(
    kubectl_path: Path, kubeconfig: Path, namespace: str, pod: str, port: int
) -> bool:
    """Whether nothing listens on that port of the pod, by a connection to it from its own node.

    Nothing is sent. False as well where it cannot be told.
    """
    try:
        with (
            PortForward(kubectl_path, kubeconfig, namespace, pod, port) as forward,
            socket.create_connection(("127.0.0.1", forward.local_port), REFUSED_WITHIN),
        ):
            return forward.is_refused(within=REFUSED_WITHIN)
    except (CommandError, OSError):
        return False
