"""`hops kubectl`: which kubectl runs, in which cluster, and that its own options are passed on."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hops.cli.app import app
from hops.model.project_files import kubeconfig_link

_STAND_IN = """#!/bin/sh
printf '%s\\n' "${{0##*/}}" "$@" >{said}
exit {status}
"""
Program = Callable[..., Path]


@pytest.fixture
def program(alone: Path) -> Program:
    """Puts a program on PATH that keeps its name and arguments in a file, a line each, and ends with a status."""

    def put(name: str, status: int = 0) -> Path:
        file, said = alone / "bin" / name, alone / f"{name}.said"
        file.write_text(_STAND_IN.format(said=said, status=status))
        file.chmod(0o755)
        return said

    return put


@pytest.fixture
def running(alone: Path) -> Path:
    """The kubeconfig of the running cluster of the stack local."""
    file = alone / ".ingress-hops" / "kubeconfig" / kubeconfig_link("local")
    file.parent.mkdir(parents=True)
    file.touch()
    return file


def kubectl(*words: str) -> Result:
    return CliRunner().invoke(app, ["kubectl", *words])


@pytest.mark.parametrize(
    "words",
    [
        ("get", "pods", "-A"),
        ("--namespace", "apps", "logs", "example-pod", "--tail", "20"),
        ("get", "pods", "--help"),
        ("exec", "example-pod", "--", "ls", "-l"),
    ],
)
def test_options_are_passed_on(program: Program, running: Path, words: tuple[str, ...]) -> None:
    said = program("kubectl")
    done = kubectl("local", *words)
    assert done.exit_code == 0, done.output
    assert said.read_text().splitlines() == ["kubectl", "--kubeconfig", str(running), *words]


@pytest.mark.usefixtures("running")
def test_the_status_is_kubectls(program: Program) -> None:
    program("kubectl", status=3)
    assert kubectl("local", "get", "pods").exit_code == 3


@pytest.mark.usefixtures("running")
def test_without_kubectl_the_one_of_the_control_plane_runs(program: Program) -> None:
    said = program("docker")
    assert kubectl("local", "get", "pods", "-A").exit_code == 0
    assert said.read_text().splitlines() == [
        *("docker", "exec", "--interactive", "ingress-hops-local-control-plane"),
        *("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "get", "pods", "-A"),
    ]


def test_an_existing_cluster_is_reached_by_its_context(alone: Path, program: Program) -> None:
    config = "config:\n  ingress-hops:cluster:\n    existing: elsewhere\n    httpPort: 80\n"
    (alone / "stacks" / "Pulumi.there.yaml").write_text(config)
    said = program("kubectl")
    assert kubectl("there", "get", "pods", "-A").exit_code == 0
    assert said.read_text().splitlines() == ["kubectl", "--context", "elsewhere", "get", "pods", "-A"]


def test_a_stack_without_a_cluster_or_a_file_is_refused(program: Program) -> None:
    said = program("kubectl")
    done = kubectl("local", "get", "pods")
    assert (done.exit_code, ".venv/bin/hops up local" in done.stderr) == (2, True)
    assert kubectl("nowhere", "get", "pods").exit_code == 2
    assert not said.exists()


def test_a_broken_file_leaves_the_running_cluster_reachable(alone: Path, program: Program, running: Path) -> None:
    said = program("kubectl")
    file = alone / "stacks" / "Pulumi.local.yaml"
    file.write_text("config: [")
    done = kubectl("local", "get", "pods")
    assert done.exit_code == 0, done.output
    assert said.read_text().splitlines() == ["kubectl", "--kubeconfig", str(running), "get", "pods"]
    assert done.stderr.splitlines() == [
        (
            f"hops: {file}: line 2, column 1: "
            "the text ends, and the bracket or brace before its end is not closed; close it"
        ),
        "hops: the cluster of its last up is used",
    ]
