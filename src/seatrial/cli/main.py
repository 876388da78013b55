"""The command's words. Each is a few lines over the layers below."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import docker.errors
from rich.console import Console

from seatrial.cli.rbac import rbac
from seatrial.cli.replay import replay
from seatrial.cluster import Sharing
from seatrial.core.errors import ClusterError, ConfigurationError, SeatrialError
from seatrial.core.health import Health
from seatrial.core.interrupts import Interrupts
from seatrial.core.processes import Run
from seatrial.core.settings import Settings
from seatrial.report.console import ConsoleProgress
from seatrial.report.doctor import findings_table
from seatrial.setup.browser import ensure_browser
from seatrial.setup.doctor import examine
from seatrial.setup.garbage import Collector
from seatrial.setup.node_image import NodeImageBuilder
from seatrial.setup.node_recipe import known_versions
from seatrial.setup.preparing import artifacts_of, prepare, prepare_image_base
from seatrial.setup.provision import provider_of, provision
from seatrial.tools.engine import connect

__all__ = ["main"]


class Seatrial(click.Group):
    """Shows our own errors as what they are: a cause, evidence, a way out. No traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SeatrialError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(1)


@click.group(cls=Seatrial, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="seatrial")
def main() -> None:
    """Puts a deployment through its sea trial on a real Kubernetes cluster.

    Settings come from the environment (SEATRIAL_CLUSTER_NAME=…) as they do for the pytest plugin.
    """


main.add_command(rbac)
main.add_command(replay)


def _settings(**given: object) -> Settings:
    return Settings.resolve(cli=given, env=os.environ)


_name = click.option("--name", "cluster_name", help="The cluster's name.")
_engine = click.option(
    "--engine",
    type=click.Choice(("auto", "docker", "podman")),
    help="What runs the nodes: auto is Docker, and podman where Docker is not.",
)
_kubernetes = click.option("--kubernetes", help="Version of Kubernetes, such as 1.37.2.")


@main.command()
@_kubernetes
@_engine
def setup(**given: object) -> None:
    """Install, fetch or build all that the tests need: engine, tools, node image, base image.

    A browser as well, where the extra `browser` is installed. What is there is left as it is: a
    second run takes seconds.
    """
    settings, progress = _settings(**given), ConsoleProgress()
    prepared = prepare(settings, progress)
    base = prepare_image_base(settings, prepared.client, progress)
    progress.note(f"kind        {prepared.kind}")
    progress.note(f"kubectl     {prepared.kubectl}")
    progress.note(f"node image  {prepared.node_image}")
    progress.note(f"base image  {base or 'the one in your Dockerfile'}")
    if browser := ensure_browser(progress):
        progress.note(f"browser     {browser}")


@main.command()
@_kubernetes
@_engine
def doctor(**given: object) -> None:
    """Say what this machine has and lacks; change nothing. Status 0 if the tests can run."""
    findings = examine(_settings(**given))
    Console(highlight=False).print(findings_table(findings))
    if any(finding.health is Health.BAD for finding in findings):
        sys.exit(1)


@main.group("node-image")
def node_image() -> None:
    """Images that kind makes its nodes from."""


@node_image.command("build")
@click.option(
    "--kubernetes",
    type=click.Choice(known_versions()),
    default=known_versions()[-1],
    show_default=True,
    help="Version of Kubernetes.",
)
@_engine
def build_node_image(kubernetes: str, **given: object) -> None:
    """Make a node image from package registries alone, unless it is there."""
    settings = _settings(**given)
    builder = NodeImageBuilder(
        connect(settings.engine), artifacts_of(settings), ConsoleProgress(), settings.debian_mirror
    )
    click.echo(builder.build(kubernetes))


@main.group()
def cluster() -> None:
    """Clusters of seatrial's own."""


@cluster.command("up")
@_name
@_kubernetes
@_engine
def cluster_up(**given: object) -> None:
    """Make a cluster, or find the one that is there, and say how to use it."""
    settings, progress = _settings(**given), ConsoleProgress()
    if settings.provider == "existing":
        raise ConfigurationError(
            "an existing cluster is there without seatrial's doing",
            hint="test with it: pytest --seatrial-provider=existing --seatrial-context=…",
        )
    run = Run()
    with _cleaning_up(settings.cluster_name):
        provided = provision(settings, progress)
        sharing = Sharing(provided.provider, settings.state_dir)
        made = sharing.join(provided.options(), progress, run, keep=True)
        sharing.leave(made.name, progress, run, keep=True)
    # a cluster is found only in the engine that it is in
    engine = settings.engine
    tested = "" if engine == "auto" else f" --seatrial-engine={engine}"
    ended = "" if engine == "auto" else f" --engine {engine}"
    click.echo(
        f"\nLook at it:   {_shown(provided.kubectl)} --kubeconfig {made.kubeconfig_path} get nodes"
        f"\nTest with it: pytest --seatrial-cluster-name={made.name} --seatrial-keep=always{tested}"
        f"\nEnd it:       seatrial cluster down --name {made.name}{ended}"
    )


@cluster.command("down")
@_name
@_engine
@click.option("--force", is_flag=True, help="Even if a session uses it.")
def cluster_down(*, force: bool, **given: object) -> None:
    """Delete a cluster and all that belongs to it. Only clusters of seatrial's own are touched.

    One that a session uses is left to it, unless it is taken away by --force.
    """
    settings, progress = _settings(**given), ConsoleProgress()
    name = settings.cluster_name
    sharing = Sharing(provider_of(settings), settings.state_dir)
    with _cleaning_up(name), sharing.lock(name, progress):
        users = sharing.leases.users(sharing.key(name))
        if users and not force:
            raise ClusterError(
                f"cluster {name} is used by {', '.join(map(str, users))}",
                hint=f"wait until they have ended, or: seatrial cluster down --name {name} --force",
            )
        sharing.provider.delete(name, progress)
        sharing.leases.forget(sharing.key(name))


@cluster.command("list")
@_engine
def cluster_list(**given: object) -> None:
    """The names of the clusters that seatrial made."""
    for name in provider_of(_settings(**given)).list():
        click.echo(name)


@main.command()
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@click.option("--keep-images", is_flag=True, help="Leave images as they are.")
@_engine
def gc(*, dry_run: bool, keep_images: bool, **given: object) -> None:
    """Remove what sessions that were killed have left behind.

    Their processes, clusters, containers and files, node images that a newer one has replaced, and
    all but the newest content tag of each image that was built here. What a living session uses,
    what was kept, and what is not seatrial's own is not touched.
    """
    # of somebody else's cluster there is nothing to collect here
    settings, progress = _settings(**given, provider="kind"), ConsoleProgress()
    provider = provider_of(settings)
    collector = Collector(
        connect(settings.engine),
        Sharing(provider, settings.state_dir),
        artifacts_of(settings),
        progress,
    )
    found = failed = 0
    with _cleaning_up():
        for garbage in collector.find(images=not keep_images):
            found += 1
            progress.note(f"{'would remove' if dry_run else 'removing'} {garbage.what}: "
                          f"{garbage.why}")  # fmt: skip
            if dry_run:
                continue
            try:
                garbage.remove()
            except (SeatrialError, docker.errors.DockerException, OSError) as error:
                failed += 1
                click.echo(f"error: {garbage.what} is still there: {error}", err=True)
    if not found:
        progress.note("nothing is left behind")
    if failed:
        sys.exit(1)


@contextmanager
def _cleaning_up(cluster_name: str = "") -> Iterator[None]:
    """Clean up at SIGINT and SIGTERM; a second one ends at once."""
    what = f"What may be left behind: cluster {cluster_name}\n" if cluster_name else ""
    interrupts = Interrupts(lambda: f"{what}-> seatrial gc")
    interrupts.set()
    try:
        yield
    finally:
        interrupts.unset()


def _shown(program: Path) -> str:
    home = Path.home()
    return f"~/{program.relative_to(home)}" if program.is_relative_to(home) else str(program)
