"""Docker killed under an `up`: the next `make up` ends in a working path, and `make down` leaves nothing.

The Docker that is killed is another one than this machine's, so no other container is touched.
"""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.live.another_docker import Docker, another_docker
from tests.live.conftest import a_clone
from tests.live.faults.catalogue import SEED
from tests.live.test_interruption import CLUSTER, FILE, FIXED, SECONDS, STACK
from tests.project import Project

pytestmark = pytest.mark.long

ADDRESS = "http://my-service.interrupted.localhost:8097/"
UPS = (("up",), ("up", "REPLACE=1"))
"""The commands under which Docker is killed, each once: in the first half of its usual time and in the second."""
DOWN = 3.0
"""Seconds until Docker is started again."""


@pytest.fixture
def docker() -> Iterator[Docker]:
    with another_docker() as made:
        yield made


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
