"""What the API server says, in one line for a person."""

from __future__ import annotations

import json

import pytest
import urllib3.exceptions
from fake_apiserver import failure
from kubernetes.client.exceptions import ApiException

from seatrial.core.errors import ApiError
from seatrial.kube import refusal, translated, unreachable

APPLY = "apply Deployment/flask"


def said(status, reason, message, causes=None):
    return refusal(APPLY, status, json.dumps(failure(status, reason, message, causes)))


def test_the_cause_with_its_field_is_preferred_over_the_long_message():
    error = said(
        422,
        "Invalid",
        'Deployment.apps "flask" is invalid: spec.replicas: Invalid value: -1: must be …',
        [
            {"field": "spec.replicas", "message": "Invalid value: -1: must be\ngreater than 0"},
            {"field": "spec.paused", "message": "Required value"},
        ],
    )
    assert str(error) == (
        "the API server refused to apply Deployment/flask: "
        "spec.replicas: Invalid value: -1: must be greater than 0\n"
        "  spec.paused: Required value"
    )
    assert (error.status, error.reason) == (422, "Invalid")


@pytest.mark.parametrize(
    ("message", "expected", "more"),
    [
        (
            "failed to create typed patch object (demo/flask; apps/v1, Kind=Deployment): "
            ".spec.replica: field not declared in schema",
            "unknown field spec.replica",
            "",
        ),
        (
            "failed to create typed patch object (demo/flask; apps/v1, Kind=Deployment): errors:\n"
            '  .spec.template.spec.containers[name="flask"].imagePullpolicy: '
            "field not declared in schema\n"
            "  .spec.replica: field not declared in schema",
            'unknown field spec.template.spec.containers[name="flask"].imagePullpolicy',
            "unknown field spec.replica",
        ),
        (
            'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
            'unknown field "spec.replica", unknown field "spec.x", unknown field "spec.x"',
            "unknown field spec.replica",
            "unknown field spec.x",
        ),
        (
            'strict decoding error: duplicate field "spec.replicas"',
            "field spec.replicas is given twice",
            "",
        ),
        (
            'error strict decoding YAML: line 3: key "replicas" already set in map',
            "field replicas is given twice",
            "",
        ),
    ],
)
def test_an_unknown_or_doubled_field_is_named(message, expected, more):
    error = said(500, "", message)
    assert error.cause == f"the API server refused to apply Deployment/flask: {expected}"
    assert error.details == more


def test_a_conflict_of_field_managers_names_the_other_and_the_way_out():
    error = said(
        409,
        "Conflict",
        "Apply failed with 1 conflict: …",
        [
            {
                "reason": "FieldManagerConflict",
                "field": ".spec.replicas",
                "message": 'conflict with "kubectl" using apps/v1',
            }
        ],
    )
    assert str(error) == (
        "the API server refused to apply Deployment/flask: "
        'spec.replicas: conflict with "kubectl" using apps/v1\n'
        "-> somebody else set these fields; force=True takes them over"
    )


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (401, "the credentials of the kubeconfig are not, or no longer, accepted by this cluster"),
        (403, "the user of the kubeconfig lacks this right: kubectl auth can-i --list"),
        (404, ""),
    ],
)
def test_who_we_are_is_hinted_at_where_it_matters(status, hint):
    assert said(status, "Whatever", "because").hint == hint
    assert refusal(APPLY, status, "because").hint == hint


def test_a_status_without_a_word_is_told_by_its_reason():
    assert said(500, "InternalError", "").cause.endswith(": InternalError")
    assert said(500, "", "").cause.endswith(": no reason was given")
    assert said(409, "Conflict", "busy", [{"message": "no field"}]).cause.endswith(": busy")


def test_an_answer_that_is_no_status_is_shown():
    error = refusal(APPLY, 502, "<html>\n" + "line\n" * 50 + "Bad gateway</html>\n")
    assert error.cause == "the API server refused to apply Deployment/flask: 502 Bad Gateway"
    assert len(error.details.splitlines()) == 40
    assert error.details.endswith("Bad gateway</html>")
    assert refusal(APPLY, 599, "").cause.endswith(": 599")


def test_errors_of_the_official_client_are_translated():
    body = json.dumps(failure(404, "NotFound", 'nodes "n1" not found'))
    with pytest.raises(ApiError) as caught, translated("read Node/n1", "https://far"):
        raise ApiException(status=404, reason="Not Found", body=body)
    assert caught.value.cause == ('the API server refused to read Node/n1: nodes "n1" not found')
    assert caught.value.reason == "NotFound"
    assert isinstance(caught.value.__cause__, ApiException)


def test_a_tls_failure_of_the_official_client_is_translated():
    with pytest.raises(ApiError) as caught, translated("read Node/n1", "https://far"):
        raise ApiException(status=0, reason="SSLError\ncertificate verify failed")
    assert str(caught.value) == (
        "the API server at https://far cannot be trusted, or does not trust us: "
        "SSLError certificate verify failed\n  while trying to read Node/n1"
    )


def test_errors_of_the_transport_are_translated():
    with pytest.raises(ApiError) as caught, translated("read Node/n1", "https://far"):
        raise urllib3.exceptions.ProtocolError("Connection aborted.")
    assert caught.value.details == "while trying to read Node/n1\nConnection aborted."


def test_what_is_no_error_passes():
    with translated("read Node/n1", "https://far"):
        pass


def _pool():
    return urllib3.HTTPConnectionPool("far")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            urllib3.exceptions.NameResolutionError("far", _pool(), OSError(-2, "unknown")),
            "the API server cannot be reached at https://far: its name cannot be resolved",
        ),
        (
            urllib3.exceptions.ConnectTimeoutError("too long"),
            "the API server cannot be reached at https://far: no answer in time",
        ),
        (
            urllib3.exceptions.MaxRetryError(
                _pool(), "/", urllib3.exceptions.ReadTimeoutError(_pool(), "/", "too long")
            ),
            "the API server at https://far stopped answering in time",
        ),
        (
            urllib3.exceptions.SSLError("handshake\nfailure"),
            "the API server at https://far cannot be trusted, or does not trust us: "
            "handshake failure",
        ),
        (
            urllib3.exceptions.ProxyError("no way through", OSError("x")),
            "the API server cannot be reached at https://far: ('no way through', OSError('x'))",
        ),
    ],
)
def test_no_answer_has_a_reason_too(error, expected):
    assert unreachable(APPLY, "https://far", error).cause == expected
