"""A `requests.Session` that knows where the application is, and gives it a moment.

Between "ready" and the first answer lie kube-proxy's rules, a rollout may take a pod away in the
middle of a request, and a port-forward dies with its pod. Such failures are retried for a while,
unless it is known that the pods behind the endpoint will not come back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlsplit

import requests
import tenacity
import urllib3.exceptions

from seatrial.core.clock import Clock, Deadline, SystemClock
from seatrial.core.errors import (
    ConfigurationError,
    ExpectationError,
    HttpExpectationError,
    SeatrialError,
)
from seatrial.http.attempts import Attempt, attempt_lines
from seatrial.http.expectations import ANY_JSON, Expected, Text, body_lines
from seatrial.http.routes import Route

__all__ = ["Endpoint"]

#: statuses that a proxy, or an application that is going away, answers with for a moment
RETRIED_STATUSES = frozenset({502, 503, 504})
#: seconds between two attempts: doubled from the first to the last. What is waited for as a rule is
#: kube-proxy, for a part of a second: a longer pause would be longer than that
FIRST_PAUSE, LAST_PAUSE = 0.02, 0.1
#: seconds that an attempt may take at least, however little is left of the deadline
LAST_CHANCE = 2.0

# RFC 9110, 9.2.2: sending these twice has the effect of sending them once
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


@dataclass(frozen=True)
class _Outcome:
    """How a row of attempts ended: with an answer that may not be the wanted one, or an error."""

    method: str
    path: str
    deadline: Deadline
    attempts: Sequence[Attempt]
    accepted: bool
    answer: requests.Response | None = None
    error: BaseException | None = None
    verdict: str = ""
    """Why the pods behind the endpoint have failed for good, if they have."""
    explain: Callable[[], str] = str
    """What may be the matter where no answer came."""

    def fail(self) -> NoReturn:
        """Raise the error for a request that was not answered as it should be."""
        if isinstance(self.error, SeatrialError) and not isinstance(self.error, ExpectationError):
            raise self.error  # the way to the application is at fault, not the application
        what = f"{self.method} {self.path}"
        result = self.attempts[-1].result
        if self.verdict:
            cause = f"{what} cannot succeed any more: {self.verdict}"
        elif self.deadline.passed:
            cause = f"{what} did not succeed within {self.deadline.timeout:g} s: {result}"
        else:
            cause = f"{what} failed: {result}"
        details = "\n".join(attempt_lines(self.attempts))
        hint = "" if self.verdict or self.attempts[-1].status else self.explain()
        raise HttpExpectationError(cause, details=details, hint=hint) from self.error

    def refuse(self, answer: requests.Response, differences: Sequence[str]) -> NoReturn:
        """Raise the error for an answer that is not the expected one."""
        last = self.attempts[-1]
        waited = f" within {self.deadline.timeout:g} s" if self.deadline.passed else ""
        cause = f"{self.method} {self.path} did not answer as expected{waited}: {differences[0]}"
        if self.verdict:
            cause = f"{self.method} {self.path} cannot succeed any more: {self.verdict}"
        kind = answer.headers.get("Content-Type", "no Content-Type")
        lines = [
            *differences,
            "",
            f"the answer, by {last.place}: {last.result}, {kind}, {len(answer.content)} bytes",
            *(f"| {line}" for line in body_lines(answer)),
        ]
        if len(self.attempts) > 1:
            lines += ["", *attempt_lines(self.attempts)]
        raise HttpExpectationError(cause, details="\n".join(lines))


class Endpoint(requests.Session):
    """Sends requests to one application: `endpoint.get("/")`.

    A request is retried for `deadline` seconds when its connection was refused, and, if its method
    is idempotent, when the connection broke or the answer's status is in `retry_statuses`. It
    stops at once when `gave_up` says why the pods behind the endpoint have failed for good.
    What is left then is an `HttpExpectationError` that lists every attempt.

    `timeout`: seconds to connect, and seconds without a byte of the answer, of one attempt.
    `explain` is asked for a hint where no answer came at all.
    `replicas` gives the ready pods, each with an endpoint to it alone.
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
        explain: Callable[[], str] | None = None,
        replicas: Callable[[], Iterable[tuple[str, Endpoint]]] | None = None,
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
        self._explain = explain or str
        self._replicas = replicas
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
        return self._answered(
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
        return self._answered(lambda answer: answer.status_code in wanted, "GET", path, limit)

    def expect(
        self,
        path: str = "/",
        *,
        method: str = "GET",
        status: int | Collection[int] | None = 200,
        contains: Text | Sequence[Text] = (),
        json: Any = ANY_JSON,
        header: Mapping[str, Text | None] | None = None,
        within: float | None = None,
        **request: Any,
    ) -> requests.Response:
        """Ask for `path` and give the answer, if it is the expected one.

        `status`: one, or several of which one; None for any. `contains`: a text, a compiled
        pattern, or a list of them, all of which are in the body. `json`: what the body says as
        JSON; its objects may have more keys, its lists may not have more items. `header`: value
        or pattern by name; None for one that must not be there. `request` goes to
        `requests.Session.request` (`headers`, `params`, `data`).

        An answer that differs is an error at once, unless its status is one of `retry_statuses`;
        with `within`, any other answer counts as "not yet" for so many seconds.

        Raises `HttpExpectationError` with every difference, the answer, and all attempts.
        """
        wanted = Expected.of(status=status, contains=contains, json=json, header=header)
        retried = self.retry_statuses if _idempotent(method) else frozenset()

        def accepted(answer: requests.Response) -> bool:
            if not wanted.differences(answer):
                return True
            return within is None and answer.status_code not in retried - wanted.status

        limit = self.deadline if within is None else within
        outcome = self._until(accepted, method.upper(), path, limit, **request)
        if outcome.answer is None:
            outcome.fail()
        if differences := wanted.differences(outcome.answer):
            outcome.refuse(outcome.answer, differences)
        return outcome.answer

    def each_replica(self) -> Iterator[tuple[str, Endpoint]]:
        """Every pod that is ready now, with an endpoint that leads to it alone.

        Each is reached by a port-forward of its own, which is closed when its turn is over: many
        requests through the Service would reach every pod only with luck. Headers, cookies,
        `params` and `auth` of this session are taken along.

        Raises `HttpExpectationError` if no pod is ready, and `ConfigurationError` for an endpoint
        that knows of no pods.
        """
        if self._replicas is None:
            raise ConfigurationError(
                f"{self.route.describe()} knows of no pods",
                hint="take an endpoint of k8s_http.service(…)",
            )
        found = list(self._replicas())
        if not found:
            raise HttpExpectationError(f"there is no ready pod behind {self.route.describe()}")
        for pod, endpoint in found:
            endpoint.headers.update(self.headers)
            endpoint.cookies.update(self.cookies)
            endpoint.auth, endpoint.params = self.auth, self.params
            endpoint.deadline, endpoint.timeout = self.deadline, self.timeout
            endpoint.retry_statuses = self.retry_statuses
            with endpoint:
                yield pod, endpoint

    def close(self) -> None:
        """Close the session and its route."""
        super().close()
        self.route.close()

    def _answered(
        self,
        accepted: Callable[[requests.Response], bool],
        method: str,
        path: str,
        limit: float,
        *args: Any,
        **kwargs: Any,
    ) -> requests.Response:
        outcome = self._until(accepted, method, path, limit, *args, **kwargs)
        if not outcome.accepted or outcome.answer is None:
            outcome.fail()
        return outcome.answer

    def _until(
        self,
        accepted: Callable[[requests.Response], bool],
        method: str,
        path: str,
        limit: float,
        *args: Any,
        **kwargs: Any,
    ) -> _Outcome:
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
        answer: requests.Response | None = None
        error: BaseException | None = None
        done = False
        try:
            answer = retrying(self._attempt, deadline, method, path, *args, **kwargs)
            done = True
        except tenacity.RetryError as gone:
            error = gone.last_attempt.exception()
            answer = None if error else gone.last_attempt.result()
        except requests.RequestException as failed:
            error = failed
        attempts = self.attempts[first:]
        return _Outcome(
            method, path, deadline, attempts, done, answer, error, verdict, self._explain
        )

    def _attempt(
        self, deadline: Deadline, method: str, path: str, *args: Any, **kwargs: Any
    ) -> requests.Response:
        began, wall = self._clock.monotonic(), self._clock.wall()
        route, url, result, pod = self.route.describe(), path, "interrupted", ""
        status = 0
        ours = not urlsplit(path).scheme
        if kwargs.get("timeout") is None:
            # a late attempt gets a fair chance, but not the whole time once more
            kwargs["timeout"] = min(self.timeout, max(LAST_CHANCE, deadline.remaining))
        try:
            if ours:
                url = f"{self.route.url}/{path.lstrip('/')}"
                route = self.route.describe()
            response = super().request(method, url, *args, **kwargs)
            status = response.status_code
            result = f"{status} {response.reason}".rstrip()
            # a Service's pods are looked up where that can explain something
            if ours and not (response.ok and self.route.through_service):
                pod = self.route.behind()
        except requests.RequestException as error:
            result = _told(error)
            pod = self.route.behind() if ours else ""
            if isinstance(error, (requests.ConnectionError, requests.Timeout)):
                self.route.renew()
            raise
        except SeatrialError as error:
            result = error.cause
            raise
        finally:
            seconds = self._clock.monotonic() - began
            self.attempts.append(Attempt(wall, method, url, route, result, seconds, pod, status))
        return response

    def _sleep(self, seconds: float) -> None:
        with self._pause:
            self._clock.wait(self._pause, seconds)


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
        # there is no route at the moment; what is written down wrong stays so
        return not isinstance(error, ConfigurationError)
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
