"""podman's limits: lowered only where the machine forbids its own."""

import os

import pytest

from seatrial.tools import podman

WITHOUT, WITH = "CapBnd:\t000001fffeffffff\n", "CapBnd:\t000001ffffffffff\n"


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """Root on a machine with hard limits of 20000 files, and processes without end."""
    monkeypatch.delenv("CONTAINERS_CONF", raising=False)
    monkeypatch.setattr(podman.os, "geteuid", lambda: 0)
    monkeypatch.setattr(podman, "CONFIGURATION", tmp_path / "none")
    hard = {
        podman.resource.RLIMIT_NOFILE: 20000,
        podman.resource.RLIMIT_NPROC: podman.resource.RLIM_INFINITY,
    }
    monkeypatch.setattr(podman.resource, "getrlimit", lambda which: (1, hard[which]))

    def ask(status=WITHOUT):
        (tmp_path / "status").write_text(status)
        return podman.environment(tmp_path / "state", status=tmp_path / "status")

    return ask


def test_where_a_capability_is_missing_podman_is_given_limits_of_this_process(environment):
    before = dict(os.environ)
    place = environment()["CONTAINERS_CONF"]
    with open(place) as file:  # noqa: PTH123 - as podman does
        assert file.read() == (
            '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]\n'
        )
    assert environment() == {"CONTAINERS_CONF": place}
    assert dict(os.environ) == before


def test_where_nothing_is_missing_podman_has_its_own_way(environment):
    assert environment(WITH) == {}


def test_a_podman_without_root_lowers_its_limits_itself(environment, monkeypatch):
    monkeypatch.setattr(podman.os, "geteuid", lambda: 1000)
    assert environment() == {}


def test_a_configuration_of_the_users_own_is_not_overruled(environment, monkeypatch, tmp_path):
    (tmp_path / "none").write_text("")
    assert environment() == {}
    (tmp_path / "none").unlink()
    monkeypatch.setenv("CONTAINERS_CONF", "/mine")
    assert environment() == {}
