"""A new user: a fresh copy, and what the README says, in its order."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.project import containers, copy_project, run
from tests.test_documents import LIVE

CLUSTER = "ingress-hops-local"


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Runs a line in a copy that has no environment, no state and no settings from outside."""
    folder = tmp_path_factory.mktemp("fresh")
    copy_project(folder)
    own = {key: value for key, value in os.environ.items() if key not in ("PULUMI_BACKEND_URL", "VIRTUAL_ENV")}
    assert containers(CLUSTER) == [], f"a cluster named {CLUSTER} is here already; these tests need that name"

    def line(words: str) -> str:
        done = subprocess.run(
            ["bash", "-c", words], cwd=folder, env=own, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    yield line
    line("make down")
    assert containers(CLUSTER) == []
    assert run("git", "-C", str(folder), "diff", "--stat") == "", "the files that git keeps have changed"
    assert not (Path(folder) / ".ingress-hops" / "kubeconfig" / "local.owner").exists()


def test_the_demo_builds_the_path_and_sends_a_request(shell: Callable[[str], str]) -> None:
    said = shell("make demo")
    assert said.startswith("demo: Docker answers")
    assert "  HTTP/1.1 200 OK" in said
    assert "all is well: GET http://my-service.localhost:8080/" in said


def test_a_demo_an_up_and_a_preview_fit_a_screen(shell: Callable[[str], str]) -> None:
    for command in ("make demo", "make up", "make preview"):
        said = shell(command)
        assert len(said.splitlines()) <= 24, said
        assert "remove it:  make down STACK=local" in said


def test_nothing_is_written_to_the_users_pulumi_home(shell: Callable[[str], str]) -> None:
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")

    def written() -> set[tuple[str, int]]:
        files = (file for file in home.rglob("*") if "plugins" not in file.relative_to(home).parts)
        return {(str(file), file.lstat().st_mtime_ns) for file in files}

    before = written()
    shell("make preview")
    assert written() == before


@pytest.mark.parametrize("command", LIVE)
def test_a_command_of_the_readme_works(shell: Callable[[str], str], command: str) -> None:
    """Each in a new shell; where the README has called for it, with the environment of `make env`."""
    before = 'eval "$(make -s env)"; ' if command.startswith("pulumi") else ""
    assert shell(before + command)
