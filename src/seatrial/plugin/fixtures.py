"""The fixtures. Each resource has an `*_options` fixture before it, to be overridden.

Session: settings → cluster → image. Test: namespace → deploy, events, http.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.plugin import recording, sharing
from seatrial.plugin.console import loudly, progress_of
from seatrial.plugin.hooks import TIMELINE
from seatrial.plugin.options import settings_of

if TYPE_CHECKING:
    from seatrial.core.settings import Settings
    from seatrial.events import Timeline
    from seatrial.harness import Cluster, Deployer, Http
    from seatrial.harness.page import Pages
    from seatrial.images import Image

# ruff: noqa: PLC0415 - what is heavy is imported where it is needed, see the package


@pytest.fixture(scope="session")
def k8s_settings(request: pytest.FixtureRequest) -> Settings:
    """The settings of this run, frozen; `k8s_settings.source("kubernetes")` tells where from."""
    return settings_of(request.config)


@pytest.fixture(scope="session")
def k8s_cluster_options() -> Mapping[str, Any]:
    """What the cluster is to be like (`ClusterOptions`), over the settings; override it."""
    return {}


@pytest.fixture(scope="session")
def k8s_cluster(
    request: pytest.FixtureRequest,
    k8s_settings: Settings,
    k8s_cluster_options: Mapping[str, Any],
) -> Iterator[Cluster]:
    """A Kubernetes cluster for the session: `.kubectl("get", "pods")`, `.api`, `.nodes`.

    Shared with the other workers of the run, and with other sessions that want the same. The last
    one out removes it, unless it is to be kept (`--seatrial-keep`).
    """
    from seatrial.harness import Cluster
    from seatrial.setup.provision import provision

    with loudly(request.config):
        progress = progress_of(request.config)
        sharing.heed_signals(request.config)
        provided = provision(k8s_settings, progress, k8s_cluster_options)
        options = provided.options(**k8s_cluster_options)
        handle = sharing.join(request.config, provided.provider, options)
    cluster = Cluster(
        handle,
        kind=provided.kind,
        kubectl=provided.kubectl,
        node_image=options.node_image,
        client=provided.client,
        progress=progress,
        session=sharing.run_of(request.config).token,
        locks=k8s_settings.state_dir / "locks",
    )
    try:
        yield cluster
        if cluster.tenancy is not None or sharing.will_be_kept(request.session):
            cluster.await_deleted()
    finally:
        cluster.close()


@pytest.fixture(scope="session")
def k8s_image_options(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """What the image is built from, as keywords of `k8s_build_image`; override it.

    `path` is the build context, by default the folder of pytest's configuration.
    """
    return {"path": request.config.rootpath}


@pytest.fixture(scope="session")
def k8s_build_image(
    request: pytest.FixtureRequest, k8s_settings: Settings, k8s_cluster: Cluster
) -> Callable[..., Image]:
    """Builds an image and loads it into the cluster: `k8s_build_image(path=".", target="test")`.

    Keywords: those of `BuildContext`, `repository` for the image's name, `builder` (`classic`,
    `buildkit`, or what `docker build` would take). Unchanged files build nothing; a node that has
    the image is sent nothing.
    """
    from seatrial.harness import ImageFactory
    from seatrial.setup.preparing import prepare_buildx, prepare_image_base

    with loudly(request.config):
        progress = progress_of(request.config)
        base = prepare_image_base(k8s_settings, k8s_cluster.client, progress)

    def build(**options: Any) -> Image:
        with loudly(request.config):
            shown = progress_of(request.config)
            factory = ImageFactory(
                k8s_cluster,
                base=base,
                extra_ca=k8s_settings.extra_ca,
                progress=shown,
                buildx=lambda: prepare_buildx(k8s_settings, shown),
            )
            return factory(**options)

    return build


@pytest.fixture(scope="session")
def k8s_image(k8s_build_image: Callable[..., Image], k8s_image_options: Mapping[str, Any]) -> Image:
    """The image under test, built from the `Dockerfile` and loaded: `.reference`, `.id`."""
    return k8s_build_image(**k8s_image_options)


@pytest.fixture
def k8s_namespace_options(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """What the test's namespace is like: `{"pod_security": "restricted"}`; override it, or use
    the marker `k8s_pod_security`."""
    marker = request.node.get_closest_marker("k8s_pod_security")
    return {"pod_security": _level(*marker.args, **marker.kwargs)} if marker else {}


def _level(level: str) -> str:
    # the marker's own signature, so that what does not fit it is a plain TypeError
    return level


@pytest.fixture
def k8s_namespace(
    request: pytest.FixtureRequest,
    k8s_settings: Settings,
    k8s_cluster: Cluster,
    k8s_namespace_options: Mapping[str, Any],
) -> Iterator[str]:
    """A namespace of the test's own, gone afterwards unless it is to be kept."""
    # opened before the namespace is there, so nothing that happens in it is missed
    hub = k8s_cluster.hub
    test = request.node.nodeid
    namespace = k8s_cluster.namespaces.create(
        test, kept=k8s_settings.keep_namespace, **k8s_namespace_options
    )
    try:
        request.node.stash[TIMELINE] = recording.timeline_of(
            request.node, k8s_settings, k8s_cluster, hub.view(namespace)
        )
        yield namespace
    finally:
        recording.end(request.node)
        if not k8s_settings.keep_namespace:
            k8s_cluster.namespaces.delete(namespace)


@pytest.fixture
def k8s_deploy(
    request: pytest.FixtureRequest,
    k8s_settings: Settings,
    k8s_cluster: Cluster,
    k8s_namespace: str,
) -> Iterator[Deployer]:
    """Applies manifests: `k8s_deploy("fixtures/manifests", images={"flask": image}) -> Release`.

    What lives in no namespace, such as a ClusterRole, is gone after the test as well.
    """
    from seatrial.harness import Deployer

    deployer = Deployer(
        k8s_cluster,
        k8s_namespace,
        labels=k8s_cluster.namespaces.labels(request.node.nodeid),
        ready_timeout=k8s_settings.ready_timeout,
        helm=k8s_settings.helm or "helm",
    )
    try:
        yield recording.deployer_of(request.node, deployer)
    finally:
        if not k8s_settings.keep_namespace:
            deployer.close()


@pytest.fixture
def k8s_events(request: pytest.FixtureRequest, k8s_namespace: str) -> Timeline:  # noqa: ARG001 -
    # the namespace's fixture makes the timeline, before anything is applied
    """The events of the test's namespace, recorded since before the first apply:
    `k8s_events.expect(in_order("Scheduled", "Pulled", "Started"), within=10)`."""
    timeline: Timeline = request.node.stash[TIMELINE]
    return timeline


@pytest.fixture
def k8s_http(k8s_settings: Settings, k8s_cluster: Cluster, k8s_namespace: str) -> Iterator[Http]:
    """The way to the application: `k8s_http.service("flask", port=5000).get("/")`.

    Endpoints that the test leaves open are closed after it.
    """
    from seatrial.harness import Http

    with Http(k8s_cluster, k8s_namespace, timeout=k8s_settings.http_timeout) as http:
        yield http


@pytest.fixture
def k8s_page(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pages]:
    """Opens the application in a browser: `k8s_page(k8s_http.service("flask", port=5000)).title`.

    A picture of each page is kept in `tmp_path`, and its path printed and put into the JUnit
    report. Needs the extra `browser`; one that is missing is an error, not a skip.
    """
    from seatrial.harness.page import Pages

    def say(picture: Path) -> None:
        request.node.user_properties.append(("k8s_page", str(picture)))
        with loudly(request.config):
            progress_of(request.config).note(f"picture {picture}")

    with Pages(tmp_path, say=say) as pages:
        yield pages
