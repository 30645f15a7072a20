"""Commands that are interrupted at random moments: the next `make up` ends in a working path, `make down` in nothing.

A cycle builds a stack, changes it and takes it down, and interrupts each of its eight commands once. The gate runs one
cycle, `make test-live` four more. `INGRESS_HOPS_SEED` repeats a run; its seed is printed.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.live.faults.catalogue import SEED
from tests.project import Project, answer, containers, run

STACK = "interrupted"
CLUSTER = f"ingress-hops-{STACK}"
CYCLE = ("up", "change", "preview", "change", "rebuild", "change", "up", "down")
"""The commands of a cycle. `change` is an up after an edit, `rebuild` one with REPLACE=1."""
CYCLES = 5
SECONDS = {"up": 65.0, "change": 25.0, "preview": 8.0, "rebuild": 65.0, "down": 8.0}
"""How long a command runs undisturbed at most; the first `up` of a running stack changes nothing and is shorter."""
HITS = (
    ("terminal", signal.SIGINT),
    ("hops", signal.SIGTERM),
    ("hops", signal.SIGKILL),
    ("pulumi", signal.SIGTERM),
    ("pulumi", signal.SIGKILL),
    ("program", signal.SIGKILL),
    ("provider", signal.SIGKILL),
    ("kind", signal.SIGKILL),
    ("everything", signal.SIGKILL),
)
_PATTERNS = {
    "hops": "/bin/hops ",
    "pulumi": "^pulumi ",
    "program": "pulumi-language-python-exec",
    "provider": "pulumi-resource-",
    "kind": "kind create",
}
_EDITS = (("replicas: 1", "replicas: 2"), ("port: 8080", "port: 8090"), ("envoyLogLevel: info", "envoyLogLevel: debug"))
FIXED = (("blockSize: 26", "blockSize: 27"),)
"""What a running cluster cannot take."""
FILE = """\
config:
  ingress-hops:cluster:
    httpPort: 8097
    httpsPort: null
    workers: 0
  ingress-hops:calico:
    blockSize: 26
  ingress-hops:contour:
    envoyLogLevel: info
  ingress-hops:services:
    - name: my-service
      pod: example-pod
      host: my-service.interrupted.localhost
      port: 8080
      replicas: 1
"""


@dataclass
class Moment:
    """An interruption. share: of the command's undisturbed time. hit: the processes that were there, by name."""

    command: str
    share: float
    victim: str
    number: signal.Signals
    hit: str = "nothing: the command had ended"

    def __str__(self) -> str:
        return f"{self.command} at {self.share:.2f}: {self.number.name} to {self.victim} ({self.hit})"


def moments(cycle: int) -> list[Moment]:
    """The moments of one cycle, the same for the same seed."""
    chance = Random(f"{SEED}/{cycle}")
    return [Moment(command, chance.uniform(0.02, 0.9), *chance.choice(HITS)) for command in CYCLE]


@contextmanager
def _bystanders(home: Path) -> Iterator[None]:
    """What belongs to somebody else: it has to be there afterwards, unchanged."""
    image = run("docker", "images", "--format", "{{.Repository}}:{{.Tag}}", "python").split()[0]
    name = f"bystander-of-{STACK}"
    made = [("container", "create", "--name", name, image), ("network", "create", name), ("volume", "create", name)]
    kubeconfig = home / ".kube" / "config"
    before = kubeconfig.read_bytes() if kubeconfig.exists() else None
    try:
        for words in made:
            run("docker", *words)
        yield
        for what, *_ in made:
            run("docker", what, "inspect", name)
        assert (kubeconfig.read_bytes() if kubeconfig.exists() else None) == before
    finally:
        for what in ("container", "network", "volume"):
            subprocess.run(["docker", what, "rm", name], check=False, capture_output=True)


@pytest.fixture(scope="module")
def stack(project: Project) -> Iterator[Project]:
    """A project with the stack's file, and nothing of it left afterwards."""
    assert containers(CLUSTER) == [], f"a cluster of {STACK} is here already; these tests need its name"
    file = project.folder / "stacks" / f"Pulumi.{STACK}.yaml"
    file.write_text(FILE)
    with _bystanders(Path.home()):
        try:
            yield project
        finally:
            project.down(STACK)
            file.unlink()


def _processes() -> dict[int, tuple[int, str]]:
    """Parent and command line of each process, by its number."""
    rows = (line.split(None, 2) for line in run("ps", "-e", "-o", "pid=,ppid=,args=").splitlines())
    return {int(pid): (int(parent), command) for pid, parent, command in (row for row in rows if len(row) == 3)}


def _below(root: int) -> dict[int, str]:
    """The command lines of a process's descendants, by number."""
    every = _processes()
    found = {root}
    while more := {pid for pid, (parent, _) in every.items() if parent in found} - found:
        found |= more
    return {pid: every[pid][1] for pid in found - {root} if pid in every}


def _hit(made: subprocess.Popen[str], moment: Moment) -> None:
    """Sends the signal as soon as there is somebody to take it."""
    while made.poll() is None:
        if moment.victim == "terminal":
            # Ctrl-C reaches the whole foreground group.
            os.killpg(made.pid, moment.number)
            moment.hit = "make's process group"
            return
        below = _below(made.pid)
        pattern = _PATTERNS.get(moment.victim, "")
        victims = [pid for pid, words in below.items() if re.search(pattern, words)]
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, moment.number)
        if victims:
            moment.hit = f"{len(victims)} of {len(below)} processes"
            return
        time.sleep(0.1)


def _interrupted(project: Project, moment: Moment) -> str:
    """What the command prints that is interrupted."""
    words = {"preview": ["preview"], "down": ["down"], "rebuild": ["up", "REPLACE=1"]}.get(moment.command, ["up"])
    command = ["make", *words, f"STACK={STACK}"]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(
        command, cwd=project.folder, env=project.environment, start_new_session=True, **streams
    ) as made:
        try:
            made.wait(moment.share * SECONDS[moment.command])
        except subprocess.TimeoutExpired:
            _hit(made, moment)
        said, _ = made.communicate(timeout=600)
    return str(said)


def _again(project: Project, *words: str) -> str:
    """What a command prints after an interruption. A Pulumi that outlived its `hops` is ended as the message says."""
    command = ["make", *words, f"STACK={STACK}"]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run(command, cwd=project.folder, env=project.environment, check=False, **streams)
    remedy = re.search(r"stop it: (kill -INT (\d+))", done.stdout)
    if done.returncode and remedy:
        run(*remedy[1].split())
        deadline = time.monotonic() + 300
        while int(remedy[2]) in _processes():
            assert time.monotonic() < deadline, f"{remedy[1]} does not end the process"
            time.sleep(0.5)
        done = subprocess.run(command, cwd=project.folder, env=project.environment, check=False, **streams)
    assert done.returncode == 0, f"make {' '.join(words)}: {done.returncode}\n{done.stdout[-6000:]}"
    return str(done.stdout)


def _edited(project: Project, moment: Moment, chance: Random) -> None:
    file = project.folder / "stacks" / f"Pulumi.{STACK}.yaml"
    text = file.read_text()
    if edits := {"change": _EDITS, "rebuild": FIXED}.get(moment.command):
        one, other = chance.choice(edits)
        text = text.replace(one, other) if one in text else text.replace(other, one)
    file.write_text(text)


@pytest.mark.parametrize("cycle", [0, *(pytest.param(cycle, marks=pytest.mark.long) for cycle in range(1, CYCLES))])
def test_an_interrupted_command_loses_nothing(stack: Project, cycle: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command of a cycle is interrupted once, and the next one finishes its work."""
    chance = Random(f"{SEED}/{cycle}/edits")
    for moment in moments(cycle):
        _edited(stack, moment, chance)
        said = _interrupted(stack, moment)
        with capsys.disabled():
            sys.stdout.write(f"\nINGRESS_HOPS_SEED={SEED} cycle {cycle}: {moment}\n")
        assert "Traceback" not in said, f"{moment}\n{said}"
        if moment.command == "down":
            _again(stack, "down")
            assert containers(CLUSTER) == [], f"{moment}\n{said}"
        else:
            after = _again(stack, "up", *(["REPLACE=1"] if moment.command == "rebuild" else []))
            assert answer(stack.outputs(STACK)["curl"])[0] == 200, f"{moment}\n{said}\n{after}"
        locks = stack.folder / ".ingress-hops/state/.pulumi/locks/organization/ingress-hops" / STACK
        assert not list(locks.glob("*.json")), f"{moment} left a lock"
