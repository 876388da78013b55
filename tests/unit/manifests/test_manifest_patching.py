from __future__ import annotations

import pytest

from seatrial.manifests import load, merge_patch

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "flask", "labels": {"tier": "web"}},
    "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "flask"}]}}},
}


@pytest.mark.parametrize(
    ("patch", "path", "expected"),
    [
        ({"spec": {"replicas": 3}}, ("spec", "replicas"), 3),
        ({"metadata": {"labels": {"colour": "blue"}}}, ("metadata", "labels"),
         {"tier": "web", "colour": "blue"}),
        ({"metadata": {"labels": {"tier": None}}}, ("metadata", "labels"), {}),
        ({"metadata": {"labels": None}}, ("metadata",), {"name": "flask"}),
        ({"spec": {"template": {"spec": {"containers": []}}}},
         ("spec", "template", "spec", "containers"), []),
        ({"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}},
         ("spec", "strategy"), {"type": "Recreate"}),
        ({"spec": {"replicas": {"odd": 1}}}, ("spec", "replicas"), {"odd": 1}),
    ],
)  # fmt: skip
def test_a_patch_is_merged_as_rfc_7386_says(patch, path, expected):
    (manifest,) = load(DEPLOYMENT)
    found = merge_patch(manifest, patch).object
    for step in path:
        found = found[step]
    assert found == expected


def test_neither_the_manifest_nor_the_patch_is_changed():
    (manifest,) = load(DEPLOYMENT)
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "other"}]}}}}
    changed = merge_patch(manifest, patch)
    changed.object["spec"]["template"]["spec"]["containers"][0]["name"] = "third"
    assert manifest.object["spec"]["template"]["spec"]["containers"] == [{"name": "flask"}]
    assert patch["spec"]["template"]["spec"]["containers"] == [{"name": "other"}]
    assert changed.origin == manifest.origin
