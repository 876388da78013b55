"""A `requests.Session` that knows where the application is, and gives it a moment.

Between "ready" and the first answer lie kube-proxy's rules, a rollout may take a pod away in the
middle of a request, and a port-forward dies with its pod. Such failures are retried for a while,
unless it is known that the pods behind the endpoint will not come back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import requests
import tenacity
import urllib3.exceptions

from seatrial.core.clock import Clock, Deadline, SystemClock
from seatrial.core.errors import ExpectationError, HttpExpectationError, SeatrialError
from seatrial.http.routes import Route

__all__ = ["Attempt", "Endpoint"]

#: statuses that a proxy, or an application that is going away, answers with for a moment
RETRIED_STATUSES = frozenset({502, 503, 504})
#: seconds between two attempts: doubled from the first to the last
FIRST_PAUSE, LAST_PAUSE = 0.05, 0.5
#: seconds that an attempt may take at least, however little is left of the deadline
LAST_CHANCE = 2.0
#: attempts shown in an error; what is left out is in the middle
SHOWN_ATTEMPTS = 40

# RFC 9110, 9.2.2: sending these twice has the effect of sending them once
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


@dataclass(frozen=True)
class Attempt:
    """One request that was sent, and what came of it."""

    time: datetime
    """When it began, UTC."""
    method: str
    url: str
    route: str
    result: str
    """`200 OK`, or what went wrong: `connection refused`."""
    seconds: float
    """Until the answer was complete, or the failure was clear."""


class Endpoint(requests.Session):
    """Sends requests to one application: `endpoint.get("/")`.

    A request is retried for `deadline` seconds when its connection was refused, and, if its method
    is idempotent, when the connection broke or the answer's status is in `retry_statuses`. It
    stops at once when `gave_up` says why the pods behind the endpoint have failed for good.
    What is left then is an `HttpExpectationError` that lists every attempt.

    `timeout`: seconds to connect, and seconds without a byte of the answer, of one attempt.
    Proxies, `.netrc` and CA bundles of the environment are not used. Not for many threads at once.
    """

    def __init__(
        self,
        route: Route,
        *,
        deadline: float = 10.0,
        timeout: float = 5.0,
        retry_statuses: Collection[int] = RETRIED_STATUSES,
        gave_up: Callable[[], str | None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__()
        self.trust_env = False
        self.route = route
        self.deadline = deadline
        self.timeout = timeout
        self.retry_statuses = frozenset(retry_statuses)
        #: every attempt of every request, oldest first
        self.attempts: list[Attempt] = []
        self._gave_up = gave_up or (lambda: None)
        self._clock = clock or SystemClock()
        self._pause = threading.Condition()

    @property
    def url(self) -> str:
        """The base URL of the moment, without a slash at its end; it may change with the route."""
        return self.route.url

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """As `requests.Session.request`; `url` is a path such as `/healthz`, or a whole URL.

        Raises `HttpExpectationError` as told above.
        """
        retry_statuses = self.retry_statuses if _idempotent(method) else frozenset()
        return self._until(
            lambda response: response.status_code not in retry_statuses,
            str(method).upper(),
            str(url),
            self.deadline,
            *args,
            **kwargs,
        )

    def wait_for(
        self,
        path: str = "/",
        *,
        status: int | Collection[int] = 200,
        timeout: float | None = None,
    ) -> requests.Response:
        """GET `path` until the answer's status is (one of) `status`, and give that answer.

        Any other status counts as "not yet", for `timeout` seconds (default: `deadline`).
        """
        wanted = {status} if isinstance(status, int) else set(status)
        limit = self.deadline if timeout is None else timeout
        return self._until(lambda answer: answer.status_code in wanted, "GET", path, limit)

    def close(self) -> None:
        """Close the session and its route."""
        super().close()
        self.route.close()

    def _until(
        self,
        accepted: Callable[[requests.Response], bool],
        method: str,
        path: str,
        limit: float,
        *args: Any,
        **kwargs: Any,
    ) -> requests.Response:
        deadline = Deadline.after(limit, self._clock)
        first = len(self.attempts)
        verdict = ""

        def over(_: tenacity.RetryCallState) -> bool:
            nonlocal verdict
            verdict = self._gave_up() or ""
            return bool(verdict) or deadline.passed

        def again(state: tenacity.RetryCallState) -> bool:
            error = _exception(state)
            return _worth_another(error, method) if error else not accepted(_response(state))

        retrying = tenacity.Retrying(
            sleep=lambda seconds: self._sleep(min(seconds, deadline.remaining)),
            stop=over,
            wait=tenacity.wait_exponential(multiplier=FIRST_PAUSE, max=LAST_PAUSE),
            retry=again,
        )
        try:
            return retrying(self._attempt, deadline, method, path, *args, **kwargs)
        except tenacity.RetryError as error:
            last = error.last_attempt.exception()
        except requests.RequestException as error:
            last = error
        if isinstance(last, SeatrialError) and not isinstance(last, ExpectationError):
            raise last  # the way to the application is at fault, not the application
        raise self._failure(method, path, deadline, verdict, first) from last

    def _attempt(
        self, deadline: Deadline, method: str, path: str, *args: Any, **kwargs: Any
    ) -> requests.Response:
        began, wall = self._clock.monotonic(), self._clock.wall()
        route, url, result = self.route.describe(), path, "interrupted"
        if kwargs.get("timeout") is None:
            # a late attempt gets a fair chance, but not the whole time once more
            kwargs["timeout"] = min(self.timeout, max(LAST_CHANCE, deadline.remaining))
        try:
            if not urlsplit(path).scheme:
                url = f"{self.route.url}/{path.lstrip('/')}"
                route = self.route.describe()
            response = super().request(method, url, *args, **kwargs)
            result = f"{response.status_code} {response.reason}".rstrip()
        except requests.RequestException as error:
            result = _told(error)
            if isinstance(error, (requests.ConnectionError, requests.Timeout)):
                self.route.renew()
            raise
        except SeatrialError as error:
            result = error.cause
            raise
        finally:
            seconds = self._clock.monotonic() - began
            self.attempts.append(Attempt(wall, method, url, route, result, seconds))
        return response

    def _sleep(self, seconds: float) -> None:
        with self._pause:
            self._clock.wait(self._pause, seconds)

    def _failure(
        self, method: str, path: str, deadline: Deadline, verdict: str, first: int
    ) -> HttpExpectationError:
        attempts = self.attempts[first:]
        last = attempts[-1]
        what = f"{method} {path}"
        if verdict:
            cause = f"{what} cannot succeed any more: {verdict}"
        elif deadline.passed:
            cause = f"{what} did not succeed within {deadline.timeout:g} s: {last.result}"
        else:
            cause = f"{what} failed: {last.result}"
        return HttpExpectationError(cause, details="\n".join(_table(attempts)))


def _exception(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _response(state: tenacity.RetryCallState) -> requests.Response:
    assert state.outcome is not None  # noqa: S101 - tenacity sets it before it asks
    response: requests.Response = state.outcome.result()
    return response


def _idempotent(method: Any) -> bool:
    return str(method).upper() in _IDEMPOTENT


def _worth_another(error: BaseException, method: str) -> bool:
    """Whether sending the request again is safe, and may help."""
    if isinstance(error, SeatrialError):
        return True  # there is no route at the moment
    if isinstance(error, requests.ConnectionError) and _never_sent(error):
        return True
    broken = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    return isinstance(error, broken) and _idempotent(method)


def _never_sent(error: requests.RequestException) -> bool:
    return any(isinstance(one, urllib3.exceptions.ConnectTimeoutError) for one in _chain(error))


def _told(error: requests.RequestException) -> str:
    """What went wrong, in the few words that the operating system has for it."""
    if isinstance(error, requests.ReadTimeout):
        return "no answer in time"
    if isinstance(error, requests.ConnectTimeout):
        return "no connection in time"
    for one in _chain(error):
        if (
            isinstance(one, OSError)
            and one.strerror
            and not isinstance(one, requests.RequestException)
        ):
            return one.strerror.lower()
    if isinstance(error, requests.ConnectionError):
        return "the connection was closed before an answer came"
    return " ".join(str(error).split())


def _chain(error: BaseException) -> list[BaseException]:
    """An error and all that led to it: causes, contexts, and errors handed on as arguments."""
    found: list[BaseException] = []
    queue: list[Any] = [error]
    while queue:
        one = queue.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            queue += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found


def _table(attempts: list[Attempt]) -> list[str]:
    began = attempts[0].time
    lines = [
        f"+{(one.time - began).total_seconds():6.2f} s  {one.route}  {one.method} {one.url}"
        f"  {one.result} ({one.seconds:.3f} s)"
        for one in attempts
    ]
    half = SHOWN_ATTEMPTS // 2
    if len(lines) > SHOWN_ATTEMPTS:
        lines[half:-half] = [f"… {len(lines) - 2 * half} more attempts …"]
    return lines
