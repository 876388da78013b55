"""Manifests: read, changed for a test, applied and deleted."""

from seatrial.manifests.applying import Objects, apply, delete, wait_gone
from seatrial.manifests.documents import Manifest, Source, load, require
from seatrial.manifests.images import HasReference, with_images
from seatrial.manifests.labels import (
    MANAGED_BY,
    SESSION,
    TEST,
    is_ours,
    label,
    label_value,
    ownership,
)
from seatrial.manifests.namespace import Namespaces, PodSecurity, namespace_name
from seatrial.manifests.order import in_deletion_order, in_order
from seatrial.manifests.patching import merge_patch

__all__ = [
    "MANAGED_BY",
    "SESSION",
    "TEST",
    "HasReference",
    "Manifest",
    "Namespaces",
    "Objects",
    "PodSecurity",
    "Source",
    "apply",
    "delete",
    "in_deletion_order",
    "in_order",
    "is_ours",
    "label",
    "label_value",
    "load",
    "merge_patch",
    "namespace_name",
    "ownership",
    "require",
    "wait_gone",
    "with_images",
]
