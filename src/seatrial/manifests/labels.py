"""Labels that say whose an object is, so that only what is ours is ever deleted."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from seatrial.core.model import Object, dig
from seatrial.manifests.documents import Manifest

__all__ = [
    "MANAGED_BY",
    "SESSION",
    "TEST",
    "is_ours",
    "label",
    "label_value",
    "ownership",
    "without_ownership",
]

MANAGED_BY = "app.kubernetes.io/managed-by"
SESSION = "seatrial.dev/session"
TEST = "seatrial.dev/test"
OWNER = "seatrial"

#: the longest value of a label (Kubernetes' documentation, "Labels and Selectors")
LONGEST = 63


def label_value(text: str) -> str:
    """`text` as the value of a label: at most 63 letters, digits, `-`, `_` and `.`.

    What is too long is cut at its front, where test ids are most alike, and made unique again by
    eight digits of its hash.
    """
    value = _trimmed(re.sub(r"[^A-Za-z0-9_.-]+", "-", text))
    if len(value) <= LONGEST:
        return value
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{_trimmed(value[-(LONGEST - 9) :])}-{digest}"


def ownership(*, session: str, test: str = "") -> dict[str, str]:
    """The labels of what a session, and a test in it, makes."""
    labels = {MANAGED_BY: OWNER, SESSION: label_value(session)}
    if test:
        labels[TEST] = label_value(test)
    return labels


def label(manifests: Iterable[Manifest], labels: Mapping[str, str]) -> tuple[Manifest, ...]:
    """The manifests with `labels` on each object itself, such as those of `ownership`.

    Pod templates and selectors stay as they are: labels there would change what is under test.
    """
    labelled = []
    for manifest in manifests:
        obj = manifest.copy_object()
        obj["metadata"]["labels"] = {**(obj["metadata"].get("labels") or {}), **labels}
        labelled.append(manifest.with_object(obj))
    return tuple(labelled)


def without_ownership(manifest: Manifest) -> Manifest:
    """The manifest without labels of ownership."""
    obj = manifest.copy_object()
    labels = obj["metadata"].get("labels") or {}
    ours = {SESSION, TEST} | ({MANAGED_BY} if is_ours(obj) else set())
    obj["metadata"]["labels"] = {key: labels[key] for key in labels if key not in ours}
    return manifest.with_object(obj)


def is_ours(obj: Object) -> bool:
    """Whether an object of the cluster carries our label."""
    return bool(dig(obj, "metadata", "labels", MANAGED_BY) == OWNER)


def _trimmed(value: str) -> str:
    # a value begins and ends with a letter or a digit
    return value.strip("-_.")
