"""Changes manifests as a JSON merge patch says (RFC 7386)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from seatrial.manifests.documents import Manifest

__all__ = ["merge_patch"]


def merge_patch(manifest: Manifest, patch: Mapping[str, Any]) -> Manifest:
    """The manifest with `patch` merged in: mappings by key, None removes, all else replaces."""
    merged: dict[str, Any] = _merged(manifest.copy_object(), patch)
    return manifest.with_object(merged)


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result
