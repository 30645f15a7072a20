"""Docker killed under an `up`: the next `make up` ends in a working path, and `make down` leaves nothing.

The Docker that is killed is another one than this machine's, with a folder, a socket and a network of its own. No other
container is touched. It reaches no registry, so every image of the path has to be in the node image.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from tests.live.conftest import a_clone
from tests.live.faults.catalogue import SEED
from tests.live.test_interruption import CLUSTER, FILE, FIXED, SECONDS, STACK
from tests.project import Project, run

pytestmark = pytest.mark.long

ADDRESS = "http://my-service.interrupted.localhost:8097/"
UPS = (("up",), ("up", "REPLACE=1"))
"""The commands under which Docker is killed, each once: in the first half of its usual time and in the second."""
DOWN = 3.0
"""Seconds until Docker is started again."""


@dataclass(frozen=True)
class Docker:
    """Another Docker than this machine's.

    folder: of its socket, images and containers. keeper: a process that keeps its network and mounts.
    """

    folder: Path
    keeper: int

    @property
    def host(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    def command(self, *words: str) -> list[str]:
        """A command in the network whose ports this Docker publishes."""
        return ["nsenter", f"--target={self.keeper}", "--net", *words]

    def run(self, *words: str) -> str:
        return run("docker", "--host", self.host, *words)

    def start(self) -> None:
        of_machine = json.loads(run("docker", "info", "--format", "{{json .}}"))
        own = {name: of["path"] for name, of in of_machine["Runtimes"].items() if "/" in of["path"]}
        words = [f"--add-runtime={name}={path}" for name, path in own.items()]
        words += [f"--default-runtime={of_machine['DefaultRuntime']}", f"--host={self.host}"]
        words += [f"--{name}={self.folder}/{name}" for name in ("data-root", "exec-root", "pidfile")]
        command = ["nsenter", f"--target={self.keeper}", "--net", "--mount", "dockerd", *words]
        with (self.folder / "log").open("a") as log:
            subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 120
        while subprocess.run(["docker", "--host", self.host, "info"], check=False, capture_output=True).returncode:
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-4000:]
            time.sleep(0.2)

    def end(self, number: signal.Signals) -> None:
        """Waits until it has ended."""
        pid = int((self.folder / "pidfile").read_text())
        os.kill(pid, number)
        while (running := Path(f"/proc/{pid}/stat")).exists() and running.read_text().split()[2] != "Z":
            time.sleep(0.1)


@pytest.fixture
def docker() -> Iterator[Docker]:
    if os.geteuid() or not all(map(shutil.which, ("dockerd", "unshare", "nsenter"))):
        pytest.skip("only root can start another Docker, with dockerd, unshare and nsenter")
    image = os.environ.get("INGRESS_HOPS_NODE_IMAGE")
    if not image:
        pytest.skip("INGRESS_HOPS_NODE_IMAGE names no node image with the images of the path")
    # A socket's path has at most 107 characters, and pytest's own folders are long.
    with TemporaryDirectory(prefix="docker-") as folder:
        script = "ip link set lo up && mount -t tmpfs tmpfs /run && exec sleep infinity"
        with subprocess.Popen(["unshare", "--net", "--mount", "sh", "-c", script]) as keeper:
            made = Docker(Path(folder), keeper.pid)
            try:
                made.start()
                with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
                    load = ["docker", "--host", made.host, "load", "--quiet"]
                    subprocess.run(load, stdin=saved.stdout, check=True, capture_output=True)
                yield made
            finally:
                if left := made.run("ps", "--all", "--quiet").split():
                    made.run("rm", "--force", "--volumes", *left)
                made.end(signal.SIGTERM)
                keeper.kill()


def _make(docker: Docker, project: Project, *words: str, kill_after: float | None = None) -> tuple[int, str]:
    """The status of a target of the Makefile, and what it prints. kill_after: seconds, after which Docker is killed."""
    with subprocess.Popen(
        docker.command("make", *words, f"STACK={STACK}"),
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as made:
        if kill_after is not None:
            time.sleep(kill_after)
            assert made.poll() is None, f"it ended before Docker was killed:\n{made.communicate()[0]}"
            docker.end(signal.SIGKILL)
            time.sleep(DOWN)
            docker.start()
        said, _ = made.communicate(timeout=1500)
    return made.returncode, str(said)


@contextmanager
def _stack(docker: Docker, folder: Path) -> Iterator[Project]:
    """A clone with the stack's file that is given this Docker."""
    with a_clone(folder) as clone:
        (clone.folder / "stacks" / f"Pulumi.{STACK}.yaml").write_text(FILE)
        project = replace(clone, environment=clone.environment | {"DOCKER_HOST": docker.host})
        try:
            yield project
        finally:
            _make(docker, project, "down")


def _left(docker: Docker) -> Sequence[str]:
    """Containers and volumes."""
    return [
        *docker.run("ps", "--all", "--format", "{{.Names}}").split(),
        *docker.run("volume", "ls", "--quiet").split(),
    ]


def test_docker_is_killed_under_an_up(docker: Docker, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chance = Random(f"{SEED}/docker")
    with _stack(docker, tmp_path) as project:
        file = project.folder / "stacks" / f"Pulumi.{STACK}.yaml"
        for index, words in enumerate(UPS):
            moment = chance.uniform(index / 2 + 0.05, index / 2 + 0.5) * SECONDS["up"]
            status, said = _make(docker, project, *words, kill_after=moment)
            with capsys.disabled():
                last = said.strip().splitlines()[-1]
                sys.stdout.write(f"\nseed {SEED}: Docker killed {moment:.0f} s into make {' '.join(words)}: {last}\n")
            assert "Traceback" not in said, said
            after, again = _make(docker, project, *words)
            assert after == 0, f"{status}: {said}\n{again}"
            assert re.search(rf"{re.escape(ADDRESS)} .*answered by its pod: 200", again), again
            file.write_text(file.read_text().replace(*FIXED[0]))
        assert CLUSTER in " ".join(_left(docker))
        status, said = _make(docker, project, "down")
        assert status == 0, said
        assert not _left(docker), said
