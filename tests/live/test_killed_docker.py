"""Docker killed under an `up`: the next `make up` ends in a working path, and `make down` leaves nothing.

The Docker that is killed is another one than this machine's, so no other container is touched.
"""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.live.another_docker import Docker, another_docker
from tests.live.conftest import a_clone
from tests.live.faults.catalogue import SEED
from tests.live.test_interruption import CLUSTER, FILE, FIXED, STACK
from tests.project import Project

pytestmark = pytest.mark.long

ADDRESS = "http://my-service.interrupted.localhost:8097/"
MOST = 20.0
"""Seconds after a step of an `up` in which Docker is killed."""
DOWN = 3.0
"""Seconds until Docker is started again."""


@pytest.fixture
def docker() -> Iterator[Docker]:
    with another_docker() as made:
        yield made


def _make(
    docker: Docker, project: Project, *words: str, kill_after: float = 0.0, step: Callable[[], bool] | None = None
) -> tuple[int, str]:
    """The status of a target of the Makefile, and what it prints.

    step: holds once the command has done something; Docker is killed after it. kill_after: seconds after that.
    """
    with subprocess.Popen(
        docker.command("make", *words, f"STACK={STACK}"),
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as made:
        if step:
            while made.poll() is None and not step():
                time.sleep(0.2)
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

    def objects() -> bool:
        """Whether Contour's objects are being made."""
        kubectl = ("exec", f"{CLUSTER}-control-plane", "kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf")
        command = ["docker", "--host", docker.host, *kubectl, "get", "namespace", "projectcontour"]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    with _stack(docker, tmp_path) as project:
        file, before = project.folder / "stacks" / f"Pulumi.{STACK}.yaml", ""

        def another_node() -> bool:
            return docker.run("ps", "--all", "--quiet") not in ("", before)

        for words, step, what in (
            (("up",), objects, "Contour's namespace is there"),
            (("up", "REPLACE=1"), another_node, "another node is there"),
        ):
            before, moment = docker.run("ps", "--all", "--quiet"), chance.uniform(0, MOST)
            status, said = _make(docker, project, *words, kill_after=moment, step=step)
            with capsys.disabled():
                sys.stdout.write(f"\nINGRESS_HOPS_SEED={SEED}: killed {moment:.1f} s after {what}:\n{said[-1500:]}\n")
            assert "Traceback" not in said, said
            after, again = _make(docker, project, *words)
            assert after == 0, f"{status}: {said}\n{again}"
            assert re.search(rf"{re.escape(ADDRESS)} .*answered by its pod: 200", again), again
            file.write_text(file.read_text().replace(*FIXED[0]))
        assert CLUSTER in " ".join(_left(docker))
        status, said = _make(docker, project, "down")
        assert status == 0, said
        assert not _left(docker), said
