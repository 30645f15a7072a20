"""`hops init` in a repository of one's own."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from hops.cli.app import app
from hops.cli.stacks.stack_file import read


@pytest.fixture
def repository(alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With the tools of `alone`, and an application."""
    assert alone
    folder = tmp_path / "My App"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM python:3.13-slim\n")
    monkeypatch.chdir(folder)
    return folder


def init(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["init", *words])
    return done.exit_code, done.output


def files(folder: Path) -> set[str]:
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {path for path in found if not path.startswith(".ingress-hops/")}


MADE = {
    ".dockerignore",
    ".github/workflows/ingress-hops.yml",
    ".gitignore",
    "Pulumi.yaml",
    "__main__.py",
    "stacks/Pulumi.alice.yaml",
    "stacks/stack.schema.json",
}


@pytest.mark.parametrize(("folder", "service"), [("2024-shop", "shop"), ("123", "my-service"), ("a" * 70, "a" * 55)])
def test_a_service_of_any_folder_has_a_possible_name(
    alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, service: str
) -> None:
    assert alone
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "Dockerfile").write_text("FROM python:3.13-slim\n")
    monkeypatch.chdir(tmp_path / folder)
    done = CliRunner().invoke(app, ["init", "--host", "shop.localhost"])
    assert done.exit_code == 0, done.output
    assert f"- name: {service}\n" in (tmp_path / folder / "stacks/Pulumi.local.yaml").read_text()


def test_it_writes_what_a_stack_needs(repository: Path) -> None:
    status, out = init("alice", "--port", "5000")
    assert status == 0, out
    assert files(repository) == {"Dockerfile", *MADE}
    (service,) = read(repository / "stacks" / "Pulumi.alice.yaml").services
    assert (service.name, service.port, service.host) == ("my-app", 5000, "my-app.alice.localhost")
    program = (repository / "__main__.py").read_text()
    assert len(program.splitlines()) == 5
    compile(program, "__main__.py", "exec")
    assert yaml.safe_load((repository / "Pulumi.yaml").read_text())["stackConfigDir"] == "stacks"
    workflow = yaml.safe_load((repository / ".github/workflows/ingress-hops.yml").read_text())
    assert workflow["jobs"]["plan"]["steps"][-1] == {"run": "hops plan alice"}
    assert workflow["jobs"]["plan"]["steps"][1]["with"]["repository"] == "${{ vars.INGRESS_HOPS }}"
    assert ".ingress-hops" in (repository / ".dockerignore").read_text().split(), "else each up changes the image"


@pytest.mark.parametrize("there", ["Pulumi.yaml", "__main__.py", "stacks/Pulumi.alice.yaml"])
def test_it_overwrites_nothing(repository: Path, there: str) -> None:
    (repository / there).parent.mkdir(exist_ok=True)
    (repository / there).write_text("mine")
    status, out = init("alice")
    assert (status, files(repository)) == (2, {"Dockerfile", there})
    assert f"these files already exist: {there}" in out
    assert (repository / there).read_text() == "mine"


def test_an_ignore_file_that_is_there_is_left_alone(repository: Path) -> None:
    (repository / ".gitignore").write_text("mine")
    status, out = init("alice")
    assert status == 0
    assert (repository / ".gitignore").read_text() == "mine"
    assert "add to .gitignore, if they are missing: .venv .ingress-hops .tools" in out


def test_a_folder_that_cannot_be_built_leaves_nothing_behind(repository: Path) -> None:
    status, out = init("alice", "--build", "web")
    assert (status, files(repository)) == (2, {"Dockerfile"})
    assert {path.name for path in repository.iterdir()} <= {"Dockerfile", ".ingress-hops"}
    assert "build.context is web: there is no folder" in out


def test_a_folder_that_was_there_stays(repository: Path) -> None:
    (repository / ".github").mkdir()
    assert init("alice", "--build", "web")[0] == 2
    assert list((repository / ".github").iterdir()) == []


def test_the_workflow_is_one_that_the_platform_takes_and_that_gives_nothing_away(repository: Path) -> None:
    assert init("alice")[0] == 0
    workflow = repository / ".github/workflows/ingress-hops.yml"
    programs = Path(sys.executable).parent
    schema = [str(programs / "check-jsonschema"), "--builtin-schema", "vendor.github-workflows"]
    for words in (schema, [str(programs / "zizmor"), "--offline", "--quiet"]):
        done = subprocess.run([*words, str(workflow)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
