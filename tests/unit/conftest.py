"""A fake API server, and a connection to it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from seatrial.kube import connect

# the fakes are shared between areas, and tests are no packages
sys.path.insert(0, str(Path(__file__).parent / "fakes"))
from fake_apiserver import FakeApiServer

# how fast examples are made says how busy the machine is, and nothing about them
settings.register_profile("unhurried", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("unhurried")


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
