"""Sessions that are killed at random moments, several at once, and what one `seatrial gc` leaves.

Each session makes or joins one cluster, deploys into it and waits; it is ended by SIGINT, SIGTERM
or SIGKILL at a moment between its first line of Python and its end. Afterwards there must be
nothing of ours: no container, network, volume, lease, lock, process or temporary file; and nobody
else's things, the user's kubeconfig and this environment must be as they were. Status 1 if not.

    python -m benchmarks.kills --kills 100 --sessions 4
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import docker
import docker.errors

from seatrial.core.settings import Settings
from seatrial.report.console import ConsoleProgress
from seatrial.setup.preparing import Prepared, prepare

NAME = "seatrial-kills"

#: seconds for a session to have ended after SIGINT or SIGTERM; then it is killed, and told
PATIENCE = 60.0
#: seconds after which a session that was not killed has surely done all that it does
WHOLE = 45.0

TEST = """
import time

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "waits"},
    "spec": {"containers": [{"name": "waits", "image": "registry.k8s.io/pause:3.10.2"}]},
}


def test_it(k8s_deploy):
    k8s_deploy(POD).wait_ready()
    time.sleep(5)  # it is there to be killed
"""


@dataclass
class Outcome:
    """What the kills did."""

    #: seconds from the signal to the end, by signal
    ended: dict[str, list[float]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    unharmed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class Surroundings:
    """Where the sessions run, apart from everything else that is ours on this machine."""

    folder: Path
    prepared: Prepared
    name: str

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith("SEATRIAL_")},
            "SEATRIAL_STATE_DIR": str(self.state),
            "SEATRIAL_CLUSTER_NAME": self.name,
            "SEATRIAL_KIND": str(self.prepared.kind),
            "SEATRIAL_KUBECTL": str(self.prepared.kubectl),
            "SEATRIAL_NODE_IMAGE": self.prepared.node_image,
            "TMPDIR": str(self.temporary),
        }


def session(place: Surroundings, outcome: Outcome, dice: random.Random, number: int) -> None:
    """Run one session and end it by a signal at a random moment."""
    sent = dice.choice((signal.SIGINT, signal.SIGTERM, signal.SIGKILL))
    twice = sent is not signal.SIGKILL and dice.random() < 0.15
    moment = dice.uniform(0.1, WHOLE)
    log = place.folder / f"session-{number}.log"
    with log.open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"],
            cwd=place.folder,
            env=place.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            running.wait(moment)
        except subprocess.TimeoutExpired:
            began = time.monotonic()
            running.send_signal(sent)
            if twice:
                with suppress(subprocess.TimeoutExpired):
                    running.wait(dice.uniform(0.0, 1.0))
                running.send_signal(signal.SIGINT)
            _await_end(running, sent.name + (" twice" if twice else ""), began, outcome, log)
        else:
            with outcome.lock:
                outcome.unharmed += 1
                if running.returncode:
                    outcome.wrong.append(f"a session that was not killed failed: see {log}")


def _await_end(
    running: subprocess.Popen[bytes], how: str, began: float, outcome: Outcome, log: Path
) -> None:
    try:
        running.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
        with outcome.lock:
            outcome.wrong.append(f"{how}: not ended after {PATIENCE:g} s: see {log}")
    with outcome.lock:
        outcome.ended.setdefault(how, []).append(time.monotonic() - began)


def kill_many(place: Surroundings, kills: int, sessions: int, seed: int) -> Outcome:
    """Keep `sessions` of them going until `kills` have been started."""
    outcome = Outcome()
    numbers = iter(range(kills))
    lock = threading.Lock()

    def work(dice: random.Random) -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            session(place, outcome, dice, number)
            print(f"… {number + 1} of {kills}", file=sys.stderr, flush=True)

    workers = [
        threading.Thread(target=work, args=(random.Random(seed + n),))  # noqa: S311 - dice
        for n in range(sessions)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return outcome


# --- what is there, before and after


@dataclass(frozen=True)
class Bystanders:
    """What is not ours, and what the engine holds of us and of others."""

    containers: frozenset[str]
    networks: frozenset[str]
    volumes: frozenset[str]
    kubeconfig: str
    environment: tuple[tuple[str, str], ...]

    @classmethod
    def now(cls, client: docker.DockerClient, name: str) -> Bystanders:
        config = Path.home() / ".kube" / "config"
        content = config.read_bytes() if config.is_file() else b""
        return cls(
            frozenset(str(c.id) for c in client.containers.list(all=True, ignore_removed=True)
                      if _is_watched(c.name, name)),
            frozenset(str(n.name) for n in client.networks.list() if _is_watched(n.name, name)),
            frozenset(v.name for v in client.volumes.list()),
            hashlib.sha256(content).hexdigest(),
            tuple(sorted(os.environ.items())),
        )  # fmt: skip


def _is_watched(what: str | None, name: str) -> bool:
    """Of other people's clusters on this engine nothing is said: they come and go."""
    return what is not None and (name in what or what.startswith("bystander"))


@contextmanager
def bystander(client: docker.DockerClient, image: str) -> Iterator[None]:
    """Things that look a little like ours, and are not."""
    labels = {"io.x-k8s.kind.cluster": "bystander"}
    network = client.networks.create("bystander-network")
    volume = client.volumes.create("bystander-volume")
    container = client.containers.create(
        image, name="bystander-control-plane", labels=labels, network_mode="none"
    )
    try:
        yield
    finally:
        container.remove(force=True, v=True)
        volume.remove()
        network.remove()


def left_of_ours(place: Surroundings) -> Sequence[str]:
    """Files and processes of ours that are still there."""
    found = [
        str(path)
        for path in sorted(place.state.rglob("*"))
        if path.is_file() and path.relative_to(place.state).parts[0] != "artifacts"
    ]
    found += [str(path) for path in sorted(place.temporary.glob("seatrial-*"))]
    mark = f"SEATRIAL_STATE_DIR={place.state}".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found.append(f"process {folder.name}: {command}")
    return found


def judge(place: Surroundings, before: Bystanders, kills: int, sessions: int, seed: int) -> bool:
    """Kill, collect the garbage once, and say what is not as it was."""
    client = place.prepared.client
    outcome = kill_many(place, kills, sessions, seed)
    command = [sys.executable, "-c", "from seatrial.cli import main; main()"]
    began = time.monotonic()
    gc = subprocess.run(
        [*command, "gc", "--keep-images"], env=place.environment, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    seconds = time.monotonic() - began
    print(gc.stderr)
    if gc.returncode:
        outcome.wrong.append(f"gc ended with status {gc.returncode}")
    after = Bystanders.now(client, place.name)
    for what in ("containers", "networks", "volumes"):
        was, now = getattr(before, what), getattr(after, what)
        if what == "volumes":
            # other people's clusters have volumes without a name of theirs
            was, now = ({v for v in each if v.startswith("bystander")} for each in (was, now))
        outcome.wrong += [f"{what}: {each} is left" for each in sorted(now - was)]
        outcome.wrong += [f"{what}: {each} was somebody else's, and is gone" for each in was - now]
    if before.kubeconfig != after.kubeconfig:
        outcome.wrong.append("~/.kube/config was changed")
    if before.environment != after.environment:
        outcome.wrong.append("the environment was changed")
    outcome.wrong += [f"{each} is left" for each in left_of_ours(place)]
    print(
        f"{kills} sessions, {sessions} at once, seed {seed}; {outcome.unharmed} ended by themselves"
    )
    for how, took in sorted(outcome.ended.items()):
        print(f"  {how}: {len(took)}, ended after {statistics.median(took):.1f} s in the middle, "
              f"{max(took):.1f} s at most")  # fmt: skip
    print(f"  gc: {seconds:.1f} s")
    for each in outcome.wrong:
        print(f"WRONG: {each}")
    return not outcome.wrong


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="sessions to end (default: 100)")
    parser.add_argument("--sessions", type=int, default=4, help="at once (default: 4)")
    parser.add_argument("--seed", type=int, default=0, help="of the dice (default: 0)")
    parser.add_argument("--name", default=NAME, help="the cluster's name")
    given = parser.parse_args(argv)
    prepared = prepare(Settings.resolve(env=os.environ), ConsoleProgress())
    with tempfile.TemporaryDirectory() as folder, bystander(prepared.client, prepared.node_image):
        place = Surroundings(Path(folder), prepared, given.name)
        place.temporary.mkdir()
        (place.folder / "test_it.py").write_text(TEST)
        (place.folder / "pytest.ini").write_text("[pytest]\n")
        before = Bystanders.now(prepared.client, given.name)
        fine = judge(place, before, given.kills, given.sessions, given.seed)
        if not fine:
            for log in sorted(place.folder.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text()[-1500:]}")
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
