"""Turns what the `kubernetes` client and urllib3 raise into `ApiError`s that a person can read.

An answer of the API server that says no is a `Status` object (see "Response Status Kind" in
Kubernetes' API conventions): `message` for a person, `reason` for a program, and `details.causes`
with the field that each complaint is about. The causes are shorter and name the field, so they are
preferred over the message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import urllib3.exceptions
from kubernetes.client.exceptions import ApiException

from seatrial.core.errors import ApiError
from seatrial.core.model import dig

__all__ = ["refusal", "translated", "unreachable"]

#: lines shown of an answer that is no Status object, such as a failed `/readyz`
SHOWN_LINES = 40

# An unknown field reads differently by the way it was found. Decoding (create, custom resources):
# `unknown field "spec.replica"`; server-side apply: `.spec.replica: field not declared in schema`.
_UNKNOWN_FIELDS = (
    re.compile(r'unknown field "([^"]+)"'),
    re.compile(r"\.(\S+): field not declared in schema"),
)
_DUPLICATE_FIELD = re.compile(r'(?:duplicate field "([^"]+)"|key "([^"]+)" already set in map)')

_HINTS = {
    401: "the credentials of the kubeconfig are not, or no longer, accepted by this cluster",
    403: "the user of the kubeconfig lacks this right: kubectl auth can-i --list",
}


@contextmanager
def translated(doing: str, host: str) -> Iterator[None]:
    """Raise what goes wrong inside as an `ApiError`.

    For callers of the official client itself. `doing` completes "refused to …", such as
    `read nodes`; `host` is the address of the API server.
    """
    try:
        yield
    except ApiException as error:
        if error.status:
            raise refusal(doing, int(error.status), error.body or "") from error
        raise unreachable(doing, host, error) from error
    except urllib3.exceptions.HTTPError as error:
        raise unreachable(doing, host, error) from error


def refusal(doing: str, status: int, body: str) -> ApiError:
    """The error for an answer whose HTTP `status` says that the request was not fulfilled."""
    answer = _parsed(body)
    if dig(answer, "kind") != "Status":
        phrase = f"{status} {_phrase(status)}".rstrip()
        return ApiError(
            f"the API server refused to {doing}: {phrase}",
            status=status,
            details="\n".join(body.strip().splitlines()[-SHOWN_LINES:]),
            hint=_HINTS.get(status, ""),
        )
    complaints = _complaints(answer)
    reason = dig(answer, "reason", default="")
    return ApiError(
        f"the API server refused to {doing}: {complaints[0]}",
        status=status,
        reason=reason,
        details="\n".join(complaints[1:]),
        hint=_hint(status, answer),
    )


def unreachable(doing: str, host: str, error: Exception) -> ApiError:
    """The error for a request that got no answer, or only a part of one."""
    if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason is not None:
        error = error.reason
    details = f"while trying to {doing}"
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        cause = f"the API server cannot be reached at {host}: its name cannot be resolved"
    elif isinstance(error, urllib3.exceptions.ConnectTimeoutError):
        # NewConnectionError is one of these as well; only the system's own words tell them apart
        cause = f"the API server cannot be reached at {host}: {_system_words(error)}"
    elif isinstance(error, urllib3.exceptions.ReadTimeoutError):
        cause = f"the API server at {host} stopped answering in time"
    elif isinstance(error, urllib3.exceptions.ProtocolError):
        cause = f"the API server at {host} cut the connection before its answer was complete"
        # urllib3 wraps the telling error as the last argument of a vaguer one
        details += f"\n{_one_line(str(error.args[-1] if error.args else error))}"
    elif isinstance(error, (urllib3.exceptions.SSLError, ApiException)):
        # the client turns a TLS failure into an ApiException without a status
        words = _one_line(str(getattr(error, "reason", "") or error))
        cause = f"the API server at {host} cannot be trusted, or does not trust us: {words}"
    else:
        cause = f"the API server cannot be reached at {host}: {_one_line(str(error))}"
    return ApiError(cause, details=details)


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _complaints(answer: Any) -> list[str]:
    """One line for each thing that is wrong, the most telling form of it."""
    message = dig(answer, "message", default="")
    unknown = [field for pattern in _UNKNOWN_FIELDS for field in pattern.findall(message)]
    if unknown:
        return [f"unknown field {field}" for field in dict.fromkeys(unknown)]
    twice = ["".join(names) for names in _DUPLICATE_FIELD.findall(message)]
    if twice:
        return [f"field {field} is given twice" for field in dict.fromkeys(twice)]
    causes = []
    for one in dig(answer, "details", "causes", default=[]):
        field, text = one.get("field", "").lstrip("."), _one_line(one.get("message", ""))
        if field and text:
            causes.append(f"{field}: {text}")
    words = _one_line(message) or dig(answer, "reason", default="") or "no reason was given"
    return causes or [words]


def _hint(status: int, answer: Any) -> str:
    kinds = {one.get("reason") for one in dig(answer, "details", "causes", default=[])}
    if "FieldManagerConflict" in kinds:
        return "somebody else set these fields; force=True takes them over"
    return _HINTS.get(status, "")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _system_words(error: BaseException) -> str:
    """What the operating system said, such as `connection refused`."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror.lower()
        seen = seen.__cause__ or seen.__context__
    return "no answer in time"


def _one_line(text: str) -> str:
    return " ".join(text.split())
