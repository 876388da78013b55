"""Manifests: read, changed for a test, applied and deleted."""

from seatrial.manifests.applying import Objects, apply, delete, wait_gone
from seatrial.manifests.documents import Manifest, require
from seatrial.manifests.helm import Chart
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
from seatrial.manifests.mistakes import Mistake
from seatrial.manifests.namespace import Namespaces, PodSecurity, namespace_name
from seatrial.manifests.order import in_deletion_order, in_order
from seatrial.manifests.patching import Patch, merge_patch, patched
from seatrial.manifests.sources import Renderers, Source, load
from seatrial.manifests.validation import Validation, validate

__all__ = [
    "MANAGED_BY",
    "SESSION",
    "TEST",
    "Chart",
    "HasReference",
    "Manifest",
    "Mistake",
    "Namespaces",
    "Objects",
    "Patch",
    "PodSecurity",
    "Renderers",
    "Source",
    "Validation",
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
    "patched",
    "require",
    "validate",
    "wait_gone",
    "with_images",
]
