"""Image references as Docker reads them: `flask:dev` is `docker.io/library/flask:dev`.

The rules are those of the distribution project's reference grammar, which Docker, containerd and
the kubelet share: the first part is a registry only if it has a dot or a colon in it, is
`localhost`, or has a capital letter; without one the registry is docker.io, and a repository there
without a slash lies under `library/`. No tag and no digest means the tag `latest`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Reference"]

_DOMAIN = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:(?P<registry>{_DOMAIN})/)?(?P<path>{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>[a-z0-9+.-]+:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)
_HUB = "docker.io"


@dataclass(frozen=True)
class Reference:
    """An image reference, taken apart and completed."""

    registry: str
    path: str
    tag: str
    """Empty only where there is a digest instead."""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Raises `ValueError`, with one line for a person, if `text` is not a reference."""
        first, slash, rest = text.partition("/")
        is_registry = slash and (
            "." in first or ":" in first or first == "localhost" or first != first.lower()
        )
        match = _REFERENCE.fullmatch(text if is_registry else f"{_HUB}/{text}")
        if match is None or (is_registry and not rest):
            raise ValueError(f"{text!r} is not an image reference such as flask:1.0")
        registry, path = match["registry"], match["path"]
        if registry in (_HUB, f"index.{_HUB}"):
            registry = _HUB
            path = path if "/" in path else f"library/{path}"
        digest = match["digest"] or ""
        return cls(registry, path, match["tag"] or ("" if digest else "latest"), digest)

    @property
    def repository(self) -> str:
        """The name without tag and digest: `docker.io/library/flask`."""
        return f"{self.registry}/{self.path}"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"
