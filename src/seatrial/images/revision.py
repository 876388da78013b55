"""Which revision of the source an image is built from, as git tells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit, urlunsplit

from seatrial.core.errors import CommandError
from seatrial.images.context import BuildContext
from seatrial.tools.running import run

__all__ = ["REVISION", "SOURCE", "revision_labels"]

#: labels of the OCI image specification (annotations.md)
REVISION = "org.opencontainers.image.revision"
SOURCE = "org.opencontainers.image.source"

#: what git itself appends where files differ from the revision (`git describe --dirty`)
DIRTY = "-dirty"

#: `git@host:path`, which is short for a URL of ssh
_SCP = re.compile(r"(?P<host>(?:[\w.-]+@)?[\w.-]+):(?!/)(?P<path>.+)")


def revision_labels(context: BuildContext) -> Mapping[str, str]:
    """The labels that name revision and source; none where the folder is no git repository.

    The revision ends in `-dirty` if a file of the build differs from it. The source is the URL of
    the remote `origin`, without a password; a remote that is a folder is no source for others.
    """
    revision = _git(context, "rev-parse", "--verify", "HEAD").strip()
    if not revision:
        return {}
    labels = {REVISION: revision + (DIRTY if _is_dirty(context) else "")}
    if source := public_url(_git(context, "config", "--get", "remote.origin.url").strip()):
        labels[SOURCE] = source
    return labels


def public_url(remote: str) -> str:
    """`remote` as a URL without a password; "" if it is no URL that others could use."""
    if "://" not in remote:
        short = _SCP.fullmatch(remote)
        remote = f"ssh://{short['host']}/{short['path']}" if short else ""
    parts = urlsplit(remote)
    if parts.scheme in ("", "file"):
        return ""
    user, at, host = parts.netloc.rpartition("@")
    # over ssh it is an account, such as git; elsewhere it may be a token
    keep = f"{user.partition(':')[0]}{at}{host}" if "ssh" in parts.scheme else host
    return urlunsplit((parts.scheme, keep, parts.path, "", ""))


def _is_dirty(context: BuildContext) -> bool:
    files = set(context.files)
    # a file that is gone is not among those of the build any more
    return any(gone or name in files for name, gone in _changes(context))


def _changes(context: BuildContext) -> Iterator[tuple[str, bool]]:
    """What differs below the folder, by its path in it, and whether it is gone."""
    prefix = _git(context, "rev-parse", "--show-prefix").strip()
    # no renames: then each entry has one name
    told = _git(
        context, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", "."
    )
    for entry in filter(None, told.split("\0")):
        yield entry[3:].removeprefix(prefix), "D" in entry[:2]


def _git(context: BuildContext, *args: str) -> str:
    try:
        return run(
            ["git", "-C", context.path, *args],
            # nothing of a repository that the caller is in, such as a hook's
            env={"GIT_OPTIONAL_LOCKS": "0"},
            check=False,
            timeout=60,
        ).stdout
    except CommandError:
        # no git, no revision
        return ""
