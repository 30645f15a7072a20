"""A disk that is full, or fills under an `up`: it is reported, nothing is half done, and the next `make up` works."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.live.another_docker import another_docker
from tests.live.conftest import a_clone
from tests.live.test_interruption import CLUSTER, FILE, STACK
from tests.project import Project, containers, run

pytestmark = pytest.mark.long

ANSWERED = "http://my-service.interrupted.localhost:8097/  is answered by its pod: 200"
GIBIBYTE = 1024**3


@contextmanager
def _small(folder: Path, size: str) -> Iterator[None]:
    """A file system of its own at a folder."""
    if os.geteuid():
        pytest.skip("only root can mount a file system")
    folder.mkdir(parents=True, exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield
    finally:
        run("umount", str(folder))


def _fill(folder: Path, *, left: int = 0) -> Path:
    """A file that takes all room, or all but some bytes."""
    file = folder / "filler"
    free = os.statvfs(folder)
    with file.open("wb") as filler, suppress(OSError):
        os.posix_fallocate(filler.fileno(), 0, free.f_bfree * free.f_frsize - left)
    if not left:
        with file.open("ab", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(bytes(4096))
    return file


def _make(project: Project, *words: str, within: Sequence[str] = (), then: Callable[[], None] = lambda: None) -> str:
    """What a target of the Makefile prints, and its status in the last line. then: done while it runs."""
    with subprocess.Popen(
        [*within, "make", *words, f"STACK={STACK}"],
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as made:
        then()
        said, _ = made.communicate(timeout=1500)
    assert "Traceback" not in said, said
    return f"{said}status {made.returncode}"


@contextmanager
def _stack(folder: Path) -> Iterator[Project]:
    assert containers(CLUSTER) == [], f"a cluster of {STACK} is here already; these tests need its name"
    with a_clone(folder) as clone:
        (clone.folder / "stacks" / f"Pulumi.{STACK}.yaml").write_text(FILE)
        try:
            yield clone
        finally:
            # A failed test has lost its state with its disk.
            if left := containers(CLUSTER):
                run("docker", "rm", "--force", "--volumes", *left)


def _until(what: str, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within 300 s"
        time.sleep(0.5)


def _tell(capsys: pytest.CaptureFixture[str], what: str, said: str) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n--- {what}:\n{said[-1500:]}\n")


@pytest.mark.parametrize("place", [".ingress-hops/state", ".ingress-hops"])
def test_the_disk_of_the_state_is_full(tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str) -> None:
    (tmp_path / "clone").mkdir()
    with _stack(tmp_path / "clone") as project, _small(project.folder / place, "32m"):
        filler = _fill(project.folder / place)
        said = _make(project, "up")
        assert "of the stack cannot be kept in" in said, said
        assert "KiB are needed; correct that; nothing was changed" in said, said
        assert containers(CLUSTER) == []
        filler.unlink()

        def fill() -> None:
            _until("there is a cluster", lambda: containers(CLUSTER))
            _fill(project.folder / place)

        said = _make(project, "up", then=fill)
        _tell(capsys, f"{place} fills under an up", said)
        assert "no space left on device" in said.lower(), said
        filler.unlink()
        said = _make(project, "preview")
        if damaged := re.search(r"what is in the cluster: ((?:mv|rm) .*) && make up", said):
            _tell(capsys, "pasted", damaged[1])
            run("sh", "-c", damaged[1])
        # Pulumi and kind keep nothing in TMPDIR that an update needs.
        with _small(tmp_path / "temporary", "64k"):
            _fill(tmp_path / "temporary")
            other = replace(project, environment=project.environment | {"TMPDIR": str(tmp_path / "temporary")})
            after = _make(other, "up")
        _tell(capsys, "the next up, with a full TMPDIR", after)
        assert ANSWERED in after, after
        assert _make(project, "down").endswith("status 0")
        assert containers(CLUSTER) == []


def test_dockers_disk_is_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A node's own disk is a part of Docker's."""
    with another_docker("9G") as docker, _stack(tmp_path) as clone:
        project = replace(clone, environment=clone.environment | {"DOCKER_HOST": docker.host})
        within = docker.command()

        def nodes() -> list[str]:
            return docker.run("ps", "--all", "--format", "{{.Names}}").split()

        filler = _fill(docker.folder, left=GIBIBYTE)
        said = _make(project, "up", within=within)
        assert "Docker's disk has" in said, said
        assert nodes() == []
        filler.unlink()

        def fill() -> None:
            _until("there is a node", nodes)
            _fill(docker.folder)

        said = _make(project, "up", within=within, then=fill)
        _tell(capsys, "Docker's disk fills under an up", said)
        assert "no space left on device" in said.lower(), said
        filler.unlink()
        after = _make(project, "up", within=within)
        _tell(capsys, "the next up", after)
        assert ANSWERED in after, after
        # The disk of the running node.
        _fill(docker.folder)
        time.sleep(60)
        words = docker.command(".venv/bin/hops", "trace", STACK)
        seen = subprocess.run(
            words, cwd=project.folder, env=project.environment, check=False, capture_output=True, text=True
        )
        _tell(capsys, "a trace on a full disk", f"{seen.stdout}{seen.stderr}")
        assert "Traceback" not in seen.stdout + seen.stderr
        _tell(capsys, "a preview on a full disk", _make(project, "preview", within=within))
        filler.unlink()
        after = _make(project, "up", within=within)
        _tell(capsys, "an up with room again", after)
        assert ANSWERED in after, after
        assert _make(project, "down", within=within).endswith("status 0")
        assert nodes() == []
