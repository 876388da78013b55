"""Fetches manifests that lie behind a URL."""

from __future__ import annotations

from urllib.parse import urlsplit

import requests

from seatrial.core.clock import Clock, Deadline, SystemClock
from seatrial.core.errors import ManifestError

__all__ = ["fetch", "is_url", "shown_url"]

#: seconds for the server to answer, and between two pieces of its answer
ANSWER_TIMEOUT = 15.0
#: seconds for the whole answer
TIMEOUT = 60.0
#: bytes; the API server itself takes no object above 3 MiB (etcd's limit is 1.5 MiB)
LARGEST = 16 * 1024 * 1024

_PIECE = 16 * 1024


def is_url(source: str) -> bool:
    """Whether a source is to be fetched."""
    return source.lower().startswith(("http://", "https://"))


def shown_url(url: str) -> str:
    """The URL without what may be secret in it: a password, a token in the query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def fetch(
    url: str, *, timeout: float = TIMEOUT, largest: int = LARGEST, clock: Clock | None = None
) -> str:
    """The text behind an `http` or `https` URL.

    Redirects are followed, but never from `https` to `http`. Raises `ManifestError` if no answer
    comes within `timeout` seconds, for one that is longer than `largest` bytes, is a web page or
    no text in UTF-8, and for every status other than 200.
    """
    deadline = Deadline.after(timeout, clock or SystemClock())
    data = bytearray()
    try:
        with requests.get(url, stream=True, timeout=min(timeout, ANSWER_TIMEOUT)) as response:
            _refuse(url, response)
            for piece in response.iter_content(_PIECE):
                data += piece
                if len(data) > largest:
                    raise ManifestError(f"{shown_url(url)} is longer than {largest} bytes")
                if deadline.passed:
                    raise ManifestError(
                        f"{shown_url(url)} did not arrive within {timeout:g} s",
                        details=f"{len(data)} bytes had come by then",
                    )
    except requests.RequestException as error:
        # the error's own text would show the whole URL
        raise ManifestError(
            f"{shown_url(url)} cannot be fetched: {_because(error)}",
            hint="is it the right address, and can this machine reach it?",
        ) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{shown_url(url)} is not text in UTF-8", details=str(error)) from error


def _refuse(url: str, response: requests.Response) -> None:
    ended = shown_url(response.url)
    if url.lower().startswith("https:") and not ended.startswith("https:"):
        raise ManifestError(f"{shown_url(url)} leads to {ended}, which is not encrypted")
    if response.status_code != 200:
        phrase = f"{response.status_code} {response.reason}".strip()
        raise ManifestError(
            f"{shown_url(url)} cannot be fetched: {phrase}",
            details=f"asked at the end: {ended}" if response.history else "",
        )
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise ManifestError(
            f"{shown_url(url)} is a web page, not a manifest",
            hint="take the address of the raw file",
        )


def _because(error: requests.RequestException) -> str:
    names = {
        requests.ConnectTimeout: "no connection in time",
        requests.ReadTimeout: "no answer in time",
        requests.exceptions.SSLError: "its certificate is not trusted",
        requests.exceptions.ProxyError: "the proxy does not let it through",
        requests.TooManyRedirects: "too many redirects",
        requests.ConnectionError: "no connection",
    }
    for kind, words in names.items():
        if isinstance(error, kind):
            return words
    return type(error).__name__
