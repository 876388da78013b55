"""What the official client leaves out about credentials: plugins that fail, and files with tokens.

It logs what a plugin says and goes on without credentials, so the server would be blamed; and it
reads a token's file once, while the kubelet writes a new token into it every hour or so.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from kubernetes.client import Configuration

from seatrial.core.errors import ConfigurationError

__all__ = ["client_log", "follow_token_file", "require_credentials"]


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def client_log() -> Iterator[list[str]]:
    """The errors that are logged meanwhile, which the client does to the root logger."""
    handler = _Lines()
    root = logging.getLogger()
    # with a handler there, logging sets up none of its own for the whole process
    root.addHandler(handler)
    try:
        yield handler.lines
    finally:
        root.removeHandler(handler)


def require_credentials(
    configuration: Configuration, user: Mapping[str, Any], said: list[str], kubeconfig: str
) -> None:
    """Raise `ConfigurationError` where a credential plugin was asked, and gave nothing."""
    plugin = user.get("exec")
    if not isinstance(plugin, Mapping) or configuration.api_key or configuration.cert_file:
        return
    command = plugin.get("command", "?")
    raise ConfigurationError(
        f"the credential plugin {command} of the kubeconfig {kubeconfig} gave no credentials",
        details="\n".join(said),
        hint=str(plugin.get("installHint") or "").strip()
        or "log in again, as you do for kubectl, and see that kubectl works",
    )


def follow_token_file(configuration: Configuration, path: Path) -> None:
    """Send the token that is in the file at the time of each request."""
    stamp = 0

    def renew(current: Configuration) -> None:
        nonlocal stamp
        # while the file is being replaced, the token from before is still good
        with suppress(OSError):
            now = path.stat().st_mtime_ns
            if now != stamp:
                current.api_key["BearerToken"] = f"Bearer {path.read_text().strip()}"
                stamp = now

    # its class declares no type for it
    vars(configuration)["refresh_api_key_hook"] = renew
