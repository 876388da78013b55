"""Texts of settings, and what they stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from seatrial.core.errors import ConfigurationError
from seatrial.core.setting_values import name_list, namespaced_name, path_list, registry_place
from seatrial.core.settings import Settings


@pytest.mark.parametrize(
    ("text", "names"),
    [("a", ("a",)), ("a, b*,", ("a", "b*")), ("\na\nb, c\n", ("a", "b", "c")), ("", ())],
)
def test_names_are_separated_by_commas_or_lines(text, names):
    assert name_list(text) == names


def test_paths_are_separated_as_in_path_and_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert path_list("~/a:b") == (Path("/home/somebody/a"), tmp_path / "b")
    assert path_list("") == ()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("registry.example", "registry.example"),
        ("registry.example:5000/team/", "registry.example:5000/team"),
        ("localhost/team", "localhost/team"),
        ("127.0.0.1:5000", "127.0.0.1:5000"),
        (" ", ""),
    ],
)
def test_a_registry_is_a_host_and_perhaps_a_path(text, place):
    assert registry_place(text) == place


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("https://registry.example", "has a scheme: give host:port/path alone"),
        ("team", "names no host: for Docker Hub, say docker.io/team"),
        ("registry.example/Team", "is not a registry such as registry.example:5000/team"),
    ],
)
def test_what_is_no_registry_is_told_why(text, why):
    with pytest.raises(ValueError, match=why):
        registry_place(text)


@pytest.mark.parametrize("text", ["", "ci/pull"])
def test_an_object_is_named_with_its_namespace(text):
    assert namespaced_name(text) == text


@pytest.mark.parametrize("text", ["pull", "/pull", "ci/", "a/b/c"])
def test_an_object_without_one_is_refused(text):
    with pytest.raises(ValueError, match="is not NAMESPACE/NAME"):
        namespaced_name(text)


def test_a_setting_that_cannot_be_is_told_with_its_source():
    with pytest.raises(ConfigurationError, match="has a scheme: give") as raised:
        Settings.resolve(env={"SEATRIAL_REGISTRY": "http://here"})
    assert "from: environment SEATRIAL_REGISTRY" in str(raised.value)


def test_what_is_known_of_an_existing_cluster_is_described():
    rows = {row.name: row.value for row in Settings.resolve(
        cli={"allowed_contexts": "a,b*", "kubeconfig": "/x:/y", "provider": "existing"}
    ).describe()}  # fmt: skip
    assert rows["allowed_contexts"] == "a, b*"
    assert rows["kubeconfig"] == "/x, /y"
    assert rows["registry"] == "none"
