"""Developers side by side: two stacks, then four, in the order of the tests; the gate leaves the four out."""

import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path

import pytest

from tests.live.conftest import a_clone
from tests.project import Project, answer, containers, run
from tests.test_documents import MANY, blocks

UP, DESTROY = MANY
"""The document's commands, of the stack alice."""
TWO, FOUR = ("alice", "bob"), ("alice", "bob", "carol", "dave")


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    for name in FOUR:
        assert containers(f"ingress-hops-{name}") == [], (
            f"a cluster of {name} is here already; these tests need its name"
        )
    with a_clone(tmp_path_factory.mktemp("team")) as clone:
        yield clone


def hops(team: Project, *words: str) -> str:
    program = [sys.executable, "-c", "from hops.cli.app import app; app()", "stack", *words]
    done = subprocess.run(program, cwd=team.folder, env=team.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == "", "something was not seen"
    return done.stdout


def states(team: Project) -> dict[str, str]:
    """How the clusters of all stacks stand."""
    return {row["name"]: row["state"] for row in json.loads(hops(team, "list", "--format", "json"))}


def clashing(team: Project) -> set[str]:
    """The stacks that clash; those of this project's own files may, with whatever else is up on this machine."""
    program = [sys.executable, "-c", "from hops.cli.app import app; app()", "stack", "check", "--format", "json"]
    done = subprocess.run(program, cwd=team.folder, env=team.environment, capture_output=True, text=True, check=False)
    return {finding["stack"] for finding in json.loads(done.stdout)}


def as_documented(team: Project, command: str, name: str) -> str:
    """What one of the document's commands says of another stack than its own."""
    _, *words = shlex.split(command.replace("alice", name))
    return team.pulumi(*words)


def identity(names: Iterable[str]) -> Mapping[str, str]:
    """Which containers the stacks have, and since when they run."""
    form = "{{.Id}} {{.State.StartedAt}}"
    return {name: run("docker", "inspect", "--format", form, *containers(f"ingress-hops-{name}")) for name in names}


def each_answers_its_own_name_alone(team: Project, names: Iterable[str]) -> None:
    hops = {}
    for name in names:
        outputs = team.outputs(name)
        assert answer(outputs["curl"])[0] == 200
        hops[name] = {hop["name"]: hop for hop in outputs["hops"]}["name"]
    for ours, theirs in permutations(hops, 2):
        host, port = hops[theirs]["address"], hops[ours]["port"]
        status, _ = answer(f"curl --resolve {host}:{port}:127.0.0.1 http://{host}:{port}/")
        assert status == 404, f"{ours} answers to the name of {theirs}"


def test_two_stacks_come_up_at_once(team: Project) -> None:
    """Made by `hops stack new`, brought up by plain Pulumi; a second `up` of one is refused meanwhile.

    The cluster of bob has a control plane alone.
    """
    for name in TWO:
        hops(team, "new", name)
        team.pulumi("stack", "init", name)
    bob = team.folder / "stacks/Pulumi.bob.yaml"
    bob.write_text(bob.read_text().replace("    httpPort:", "    workers: 0\n    httpPort:"))
    with ThreadPoolExecutor() as pool:
        ups = [pool.submit(as_documented, team, UP, name) for name in TWO]
        locks = team.folder / ".ingress-hops/state/.pulumi/locks/organization/ingress-hops/alice"
        while not list(locks.glob("*.json")):
            assert not ups[0].done(), ups[0].result()
            time.sleep(0.1)
        refusal = team.up("alice", fails=True)
        assert "the stack alice is locked by process" in refusal
        assert "which is running; wait for it" in refusal
    for up in ups:
        assert " created" in up.result()
    each_answers_its_own_name_alone(team, TWO)
    assert containers("ingress-hops-bob") == ["ingress-hops-bob-control-plane"]
    assert {name: states(team)[name] for name in TWO} == dict.fromkeys(TWO, "running")
    assert clashing(team).isdisjoint(TWO)


def test_another_program_reads_what_a_stack_published(team: Project, tmp_path: Path) -> None:
    (program,) = blocks("docs/teams.md", "python")
    runtime = f"{{name: python, options: {{virtualenv: {sys.prefix}}}}}"
    (tmp_path / "Pulumi.yaml").write_text(f"name: another\nruntime: {runtime}\n")
    (tmp_path / "__main__.py").write_text(program)
    reader = Project(tmp_path, team.environment)
    reader.pulumi("stack", "init", "reader")
    reader.pulumi("up", "--yes", "--stack", "reader")
    assert reader.outputs("reader") == {"theirs": team.outputs("alice")["url"], "hops": 12}
    reader.pulumi("stack", "rm", "reader", "--yes", "--force")


@pytest.mark.long
def test_four_stacks_stand_side_by_side(team: Project) -> None:
    before = identity(TWO)
    for name in FOUR[2:]:
        hops(team, "new", name)
        team.pulumi("stack", "init", name)
        as_documented(team, UP, name)
    each_answers_its_own_name_alone(team, FOUR)
    assert identity(TWO) == before
    assert {name: states(team)[name] for name in FOUR} == dict.fromkeys(FOUR, "running")
    others = [name for name in FOUR if name != "dave"]
    destroyed_alone(team, "dave", others)


def destroyed_alone(team: Project, name: str, others: Iterable[str]) -> None:
    before = identity(others)
    as_documented(team, DESTROY, name)
    assert containers(f"ingress-hops-{name}") == []
    assert states(team)[name] == "absent"
    assert identity(others) == before
    each_answers_its_own_name_alone(team, others)


def test_destroying_one_leaves_the_other_alone(team: Project) -> None:
    """And its port stays its own, while its file is there."""
    destroyed_alone(team, "bob", ["alice"])
    hops(team, "new", "erin")
    port = re.compile(r"httpPort: (\d+)")
    ports = [port.findall(file.read_text())[0] for file in (team.folder / "stacks").glob("Pulumi.*.yaml")]
    assert len(ports) == len(set(ports))
