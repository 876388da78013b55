from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

MANIFESTS = Path(__file__).parents[2] / "fixtures" / "manifests"


@pytest.fixture
def manifests():
    """The folder of the application's own manifests."""
    return MANIFESTS


@pytest.fixture
def broken_deployment(k8s_image):
    """The application's Deployment with its container, or its pod's spec, changed for the worse."""

    def make(*, container=None, spec=None):
        deployment = yaml.safe_load((MANIFESTS / "deployment.yaml").read_text())
        pod_spec = deployment["spec"]["template"]["spec"]
        pod_spec["containers"][0]["image"] = k8s_image.reference
        pod_spec["containers"][0].update(copy.deepcopy(container or {}))
        pod_spec.update(copy.deepcopy(spec or {}))
        return deployment

    return make
