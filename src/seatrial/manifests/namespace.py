"""A namespace of a test's own, so that tests neither see nor hinder one another."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from seatrial.core.errors import ClusterError
from seatrial.core.feed import Feed
from seatrial.core.model import dig
from seatrial.manifests.applying import Objects, wait_gone
from seatrial.manifests.labels import is_ours, ownership

__all__ = ["Namespaces", "PodSecurity", "namespace_name"]

#: the longest DNS label (RFC 1123), which a namespace's name has to be
LONGEST = 63

#: without letters and digits that look alike
ALPHABET = "bcdfghjkmnpqrstvwxz2456789"

PodSecurity = Literal["", "privileged", "baseline", "restricted"]


def _random_suffix() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(6))


def namespace_name(test: str, suffix: str) -> str:
    """A DNS label made from a test's id and a suffix: `test-it-is-ready-x7k2mq`.

    Of `tests/e2e/test_rollout.py::test_it_is_ready[two]` the last part is taken, which says most.
    """
    last = test.rpartition("::")[2]
    words = re.sub(r"[^a-z0-9]+", "-", last.lower()).strip("-")
    # names of some objects derive from that of the namespace: a letter is safe everywhere
    if not words[:1].isalpha():
        words = f"test-{words}"
    return f"{words[: LONGEST - len(suffix) - 1].strip('-')}-{suffix}"


@dataclass(frozen=True)
class Namespaces:
    """Makes and deletes the namespaces of one session's tests."""

    objects: Objects
    session: str
    pod_security: PodSecurity = ""
    """Which Pod Security standard is enforced in them; empty means the cluster's default."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Written on each of them."""
    suffix: Callable[[], str] = field(default=_random_suffix, repr=False)

    def body(self, name: str, test: str) -> dict[str, Any]:
        """The object that is created."""
        labels = ownership(session=self.session, test=test)
        if self.pod_security:
            labels["pod-security.kubernetes.io/enforce"] = self.pod_security
        return {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "labels": labels,
                # a label's value cannot hold all of a test's id
                "annotations": {"seatrial.dev/test-id": test, **self.annotations},
            },
        }

    def make(self, test: str) -> str:
        """Create a namespace for the test of that id; gives its name. Raises `ApiError`."""
        name = namespace_name(test, self.suffix())
        self.objects.create(self.body(name, test))
        return name

    def delete(self, name: str, *, feed: Feed | None = None, timeout: float = 60.0) -> None:
        """Delete a namespace that is ours; with `feed`, wait until it is gone (`timeout` seconds).

        Raises `ClusterError` for a namespace that is not ours, and `ManifestError` for one that is
        still there when the time is up.
        """
        there = self.objects.get("v1", "Namespace", name)
        if there is None:
            return
        if not is_ours(there):
            raise ClusterError(
                f"namespace {name} is not seatrial's, and is not deleted",
                details=f"labels: {dig(there, 'metadata', 'labels', default={})}",
            )
        self.objects.delete("v1", "Namespace", name, uid=there["metadata"].get("uid"))
        if feed is not None:
            going = {**there, "apiVersion": "v1", "kind": "Namespace"}
            wait_gone([going], self.objects, feed=feed, timeout=timeout)
