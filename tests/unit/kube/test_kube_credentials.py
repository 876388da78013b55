"""Credentials that a program gives, or a file that is renewed."""

from __future__ import annotations

import logging
import os

import pytest

from seatrial.core.errors import ConfigurationError
from seatrial.kube import connect, connect_to, find_target


def plugin(folder, script):
    path = folder / "login"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": str(path),
            "interactiveMode": "Never", "installHint": "get it from the intranet",
        }
    }  # fmt: skip


GIVES = """cat <<END
{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
 "status": {"token": "from-the-plugin"}}
END"""


def test_a_plugin_is_asked_for_the_token(fake, tmp_path):
    user = plugin(tmp_path, GIVES)
    connection = connect(fake.kubeconfig(tmp_path / "kubeconfig", user=user))
    connection.healthy()
    assert fake.requests[0].headers["authorization"] == "Bearer from-the-plugin"
    connection.close()


def test_a_plugin_that_gives_nothing_is_blamed_and_not_the_server(fake, tmp_path):
    user = plugin(tmp_path, "echo 'your session is over' >&2; exit 1")
    handlers = list(logging.getLogger().handlers)
    with pytest.raises(ConfigurationError) as raised:
        connect(fake.kubeconfig(tmp_path / "kubeconfig", user=user))
    assert f"the credential plugin {tmp_path}/login" in raised.value.cause
    assert "gave no credentials" in raised.value.cause
    assert "your session is over" in raised.value.details
    assert raised.value.hint == "get it from the intranet"
    assert logging.getLogger().handlers == handlers
    assert fake.requests == []


def test_a_token_is_read_anew_when_its_file_was(fake, tmp_path):
    renewed = tmp_path / "token"
    renewed.write_text("first\n")
    path = fake.kubeconfig(tmp_path / "kubeconfig", user={"tokenFile": "token"})
    connection = connect_to(find_target([path]), scratch=tmp_path)
    connection.healthy()
    renewed.write_text("second\n")
    os.utime(renewed, ns=(1, 1))
    connection.healthy()
    renewed.unlink()
    connection.healthy()
    tokens = [seen.headers["authorization"] for seen in fake.requests]
    assert tokens == ["Bearer first", "Bearer second", "Bearer second"]
    connection.close()
