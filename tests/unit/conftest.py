"""A fake API server, and a connection to it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from seatrial.kube import connect

# the fakes are shared between areas, and tests are no packages
sys.path.insert(0, str(Path(__file__).parent / "fakes"))
from fake_apiserver import FakeApiServer


@pytest.fixture
def fake():
    server = FakeApiServer()
    yield server
    server.close()


@pytest.fixture
def connection(fake, tmp_path):
    connection = connect(fake.kubeconfig(tmp_path / "kubeconfig"))
    yield connection
    connection.close()
