"""A connection to one API server, made from one kubeconfig file and nothing else.

Requests go through the connection pool of the official client (its TLS, client certificates,
tokens and proxy), but not through `ApiClient.call_api`: the signature of that changes between the
client's major versions, and its retries and models are not wanted here.
"""

from __future__ import annotations

import ipaddress
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
import urllib3.exceptions
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.rest import RESTClientObject
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.kube_config import KubeConfigLoader

from seatrial.core.errors import ApiError, ConfigurationError
from seatrial.core.model import dig
from seatrial.kube.credentials import client_log, follow_token_file, require_credentials
from seatrial.kube.errors import refusal, unreachable
from seatrial.kube.kubeconfig import Target, read
from seatrial.kube.resources import Discovery
from seatrial.kube.streaming import LineStream

__all__ = ["Connection", "connect", "connect_to"]

#: seconds for a connection to be made; a cluster on this machine answers in milliseconds
CONNECT_TIMEOUT = 5.0
#: seconds without a byte of an answer; a read is tried twice, so a stuck server is told in a minute
READ_TIMEOUT = 30.0
#: connections kept for reuse; more can be in use at the same time
POOL_SIZE = 32

# A request that reads may be sent again when the kept-alive connection it was sent on turns out to
# be closed by the server. Anything that writes is sent once.
_READ_AGAIN = urllib3.Retry(total=1, connect=0, read=1, redirect=0, status=0, other=0)

# the loader of the client keeps what it has written to temporary files in a global dict
_loading = threading.Lock()


def connect(
    kubeconfig: Path, context: str | None = None, *, scratch: Path | None = None
) -> Connection:
    """A connection to the cluster of `context`, or of the file's current context.

    The file is read and never written. Nothing is sent yet. A proxy from the environment is used
    as the client does, but never for an address of this machine. `scratch`: the folder for files
    with the certificates and keys that TLS needs; by default the system's for temporary files.

    Raises `ConfigurationError` when the file cannot be used, and when it names a program that gets
    the credentials, and that gave none.
    """
    document = read(kubeconfig)
    contexts = [dig(one, "name", default="") for one in dig(document, "contexts", default=[])]
    wanted = context or dig(document, "current-context", default="")
    if wanted not in contexts:
        raise ConfigurationError(
            f"the kubeconfig {kubeconfig} has no context {wanted!r}"
            if wanted
            else f"the kubeconfig {kubeconfig} has no current context",
            hint=f"it has: {', '.join(contexts) or 'none'}",
        )
    return _connected(document, wanted, kubeconfig.resolve().parent, str(kubeconfig), scratch)


def connect_to(target: Target, *, scratch: Path) -> Connection:
    """A connection to one context of somebody's kubeconfig; see `connect`."""
    # its paths are absolute
    return _connected(target.document, target.context, Path("/"), target.source, scratch)


def _connected(
    document: Any, context: str, folder: Path, shown: str, scratch: Path | None
) -> Connection:
    configuration = Configuration()
    loader: Any = KubeConfigLoader  # its constructor has no annotations
    user = _entry_of(document, context, "user")
    try:
        with _loading, client_log() as said:
            loader(
                config_dict=document,
                active_context=context,
                config_base_path=str(folder),
                temp_file_path=str(scratch) if scratch else None,
            ).load_and_set(configuration)
    except (ConfigException, OSError, ValueError) as error:
        raise ConfigurationError(
            f"the kubeconfig {shown} cannot be used: {' '.join(str(error).split())}"
        ) from error
    require_credentials(configuration, user, said, shown)
    if named := user.get("tokenFile"):
        follow_token_file(configuration, folder / str(named))
    configuration.connection_pool_maxsize = POOL_SIZE
    # a watch that a router between here and a remote cluster has forgotten is found dead this way
    configuration.keep_alive = True
    proxied = _entry_of(document, context, "cluster").get("proxy-url")
    if _is_loopback(configuration.host) and not proxied:
        configuration.proxy = None
    return Connection(ApiClient(configuration))


class Connection:
    """Sends requests to one API server; may be used by many threads at once."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._configuration = client.configuration
        self._version = ""
        self._discovery = Discovery(self.get_json)
        client.user_agent = "seatrial"

    @property
    def client(self) -> ApiClient:
        """The official client, for whatever this library does not do itself."""
        return self._client

    @property
    def host(self) -> str:
        """The address of the API server, such as `https://127.0.0.1:6443`."""
        return str(self._configuration.host)

    @property
    def discovery(self) -> Discovery:
        """Finds the resource behind a kind."""
        return self._discovery

    def version(self) -> str:
        """Version of the API server, such as `v1.37.2`."""
        if not self._version:
            self._version = self.get_json("/version", doing="tell its version")["gitVersion"]
        return self._version

    def healthy(self, path: str = "/readyz") -> str:
        """What a health check answers; raises `ApiError` with its text when the check fails.

        Ask for one check with `/readyz/etcd`, for all by name with `/readyz?verbose`.
        """
        return self.get_raw(path)

    def get_raw(self, path: str, **query: Any) -> str:
        """The text of an answer, such as of `/metrics` or `/logs`."""
        answer = self.request("GET", path, query=query, accept="*/*", doing=f"answer GET {path}")
        return answer.decode(errors="replace")

    def get_json(self, path: str, *, doing: str, query: Mapping[str, Any] | None = None) -> Any:
        """The parsed answer of a GET."""
        return _decoded(self.request("GET", path, query=query, doing=doing), doing)

    def send_json(
        self,
        method: str,
        path: str,
        body: Any,
        *,
        doing: str,
        query: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> Any:
        """Send `body` as JSON, give the parsed answer."""
        answer = self.request(
            method,
            path,
            query=query,
            body=json.dumps(body).encode(),
            content_type=content_type,
            doing=doing,
        )
        return _decoded(answer, doing)

    def request(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        content_type: str = "",
        accept: str = "application/json",
    ) -> bytes:
        """Send one request and read its whole answer.

        `doing` completes "the API server refused to …". Raises `ApiError` for every answer other
        than 2xx, and for none (status 0).
        """
        headers = self._headers(accept)
        if content_type:
            headers["Content-Type"] = content_type
        try:
            response = self._client.rest_client.pool_manager.request(
                method,
                self._url(path, query),
                headers=headers,
                body=body,
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT),
                retries=_READ_AGAIN if method == "GET" else False,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise unreachable(doing, self.host, error) from error
        if not 200 <= response.status <= 299:
            raise refusal(doing, response.status, response.data.decode(errors="replace"))
        return response.data

    def stream(
        self, path: str, *, doing: str, query: Mapping[str, Any], idle_timeout: float
    ) -> LineStream:
        """Open an answer that goes on, such as a watch; it is never retried here.

        `idle_timeout`: seconds without a single byte after which the stream counts as broken. The
        answer's beginning is waited for no longer than any other answer: a watch begins at once,
        and what comes later may take its time.

        Each stream has a connection of its own, so that cutting it can never hit a request that
        was given the same connection next.
        """
        own = RESTClientObject(self._configuration)
        try:
            response = own.pool_manager.request(
                "GET",
                self._url(path, query),
                headers=self._headers("application/json"),
                timeout=urllib3.Timeout(
                    connect=CONNECT_TIMEOUT, read=min(READ_TIMEOUT, idle_timeout)
                ),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            if not 200 <= response.status <= 299:
                body = response.data.decode(errors="replace")
                response.close()
                raise refusal(doing, response.status, body)
        except urllib3.exceptions.HTTPError as error:
            own.close()
            raise unreachable(doing, self.host, error) from error
        except ApiError:
            own.close()
            raise
        return LineStream(
            response, doing=doing, host=self.host, close=own.close, idle_timeout=idle_timeout
        )

    def close(self) -> None:
        """Close the connections that are kept for reuse."""
        self._client.close()  # type: ignore[no-untyped-call] # the client has no annotation here

    def _url(self, path: str, query: Mapping[str, Any] | None) -> str:
        given = {key: value for key, value in (query or {}).items() if value not in (None, "")}
        encoded = urlencode({key: _query_value(value) for key, value in given.items()})
        joint = "&" if "?" in path else "?"
        return f"{self.host}{path}{joint if encoded else ''}{encoded}"

    def _headers(self, accept: str) -> dict[str, str]:
        # asking for the settings renews a token that has run out
        settings: Mapping[str, Any] = self._configuration.auth_settings()
        tokens = {one["key"]: one["value"] for one in settings.values() if one["value"]}
        return {"Accept": accept, "User-Agent": self._client.user_agent, **tokens}


def _entry_of(document: Any, context: str, kind: str) -> Mapping[str, Any]:
    """The `cluster` or the `user` that a context names."""
    named = {
        section: {one["name"]: one for one in dig(document, section, default=[])}
        for section in ("contexts", f"{kind}s")
    }
    name = dig(named, "contexts", context, "context", kind, default="")
    found: Mapping[str, Any] = dig(named, f"{kind}s", name, kind, default={})
    return found


def _is_loopback(host: str) -> bool:
    name = urlsplit(host).hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _query_value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _decoded(answer: bytes, doing: str) -> Any:
    try:
        return json.loads(answer)
    except ValueError as error:
        raise ApiError(
            f"what the API server answered when asked to {doing} is not JSON",
            details=answer[:500].decode(errors="replace"),
            hint="is the server of the kubeconfig a Kubernetes API server?",
        ) from error
