"""How this repository's own tests use seatrial: as anybody's would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest


@pytest.fixture(scope="session")
def k8s_image_options(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """The image of the Flask application in `app/`."""
    return {"path": request.config.rootpath, "repository": "flask"}
