"""A clone of the project with a backend of its own, in which real stacks are made and taken down."""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def run(*words: str, **environment: str) -> str:
    """The standard output of a command that has to succeed."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | environment)
    assert done.returncode == 0, f"{' '.join(words)}: {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@dataclass(frozen=True)
class Project:
    """A clone of the project: its folder, and the environment that Pulumi runs in."""

    folder: Path
    environment: dict[str, str]

    def pulumi(self, *words: str, fails: bool = False) -> str:
        """What `pulumi` prints, both streams."""
        command = ["pulumi", *words, "--non-interactive", "--color=never"]
        streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run(command, cwd=self.folder, env=self.environment, check=False, **streams)
        assert (done.returncode != 0) == fails, f"pulumi {' '.join(words)}: {done.returncode}\n{done.stdout[-6000:]}"
        return str(done.stdout)

    def make(self, *words: str, fails: bool = False) -> str:
        """What a target of the Makefile prints, both streams."""
        streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run(["make", *words], cwd=self.folder, env=self.environment, check=False, **streams)
        assert (done.returncode != 0) == fails, f"make {' '.join(words)}: {done.returncode}\n{done.stdout[-6000:]}"
        return str(done.stdout)

    def up(self, stack: str, *words: str, fails: bool = False) -> str:
        return self.make("up", f"STACK={stack}", *words, fails=fails)

    def preview(self, stack: str, *, fails: bool = False) -> str:
        return self.make("preview", f"STACK={stack}", fails=fails)

    def down(self, stack: str) -> str:
        return self.make("down", f"STACK={stack}")

    @contextmanager
    def running(self, stack: str) -> Iterator[None]:
        """A stack of `hops stack new`, up and answering, and taken down afterwards."""
        assert containers(f"ingress-hops-{stack}") == [], f"a cluster of {stack} is here already; a test needs its name"
        command = (".venv/bin/hops", "stack", "new", stack)
        subprocess.run(command, cwd=self.folder, env=self.environment, check=True, capture_output=True)
        try:
            self.up(stack)
            yield
        finally:
            self.down(stack)
            (self.folder / "stacks" / f"Pulumi.{stack}.yaml").unlink()

    def outputs(self, stack: str) -> dict[str, Any]:
        outputs: dict[str, Any] = json.loads(
            run("pulumi", "stack", "output", "--json", "--stack", stack, "--cwd", str(self.folder), **self.environment)
        )
        return outputs

    def resources(self, stack: str) -> list[dict[str, Any]]:
        state = json.loads(self.pulumi("stack", "export", "--stack", stack))
        return state["deployment"].get("resources") or []

    def kubectl(self, stack: str, *words: str) -> str:
        """Through the node, so that no kubectl is needed here."""
        node = f"{self.outputs(stack)['cluster']['name']}-control-plane"
        return run("docker", "exec", node, "kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", *words)


def copy_project(folder: Path) -> None:
    """What git would commit of this project now, in a repository of its own."""
    for name in run("git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for name in ("pyproject.toml", "requirements.txt", "requirements-dev.txt"):
        # Older than any environment, so that `make` does not install the clone into the one that both share.
        os.utime(folder / name, (0, 0))
    run("git", "init", "--quiet", str(folder))
    run("git", "-C", str(folder), "add", "--all")


def answer(command: str) -> tuple[int, str]:
    """Status and body of what a curl command prints."""
    text = run(*shlex.split(command), "--silent", "--show-error", "--max-time", "10", "--write-out", "\n%{http_code}")
    body, _, status = text.rpartition("\n")
    return int(status), body


def containers(cluster: str) -> list[str]:
    label = f"label=io.x-k8s.kind.cluster={cluster}"
    return run("docker", "ps", "--all", "--filter", label, "--format", "{{.Names}}").split()
