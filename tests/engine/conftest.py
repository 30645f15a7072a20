"""Clones of the project with a Pulumi of their own: a file backend, no passphrase, a stand-in for Docker."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

DOCKER = """#!/bin/sh
[ "$1" != info ] || echo '{"OSType": "linux", "OperatingSystem": "Linux", "CgroupVersion": "2"}'
"""


POLICY = ("--policy-pack", "policy")
"""The options of a preview with the policies on."""


@dataclass(frozen=True)
class Preview:
    """What the engine said in a preview. events: its own, in order."""

    returncode: int
    events: list[dict[str, Any]]
    text: str

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event[kind] for event in self.events if kind in event]

    def messages(self, severity: str) -> list[str]:
        return [e["message"].strip() for e in self.of("diagnosticEvent") if e["severity"] == severity]

    @property
    def reported(self) -> set[tuple[str, str, str]]:
        """Level, code and resource of what the policy pack reports."""
        events = self.of("policyEvent")
        heads = [(event["enforcementLevel"], event["message"].splitlines()[1].split(": ")[0]) for event in events]
        return {(level, *head.split(" ")[:2]) for level, head in heads}

    @property
    def resources(self) -> list[dict[str, Any]]:
        """What would be created, the stack itself left out."""
        created = [event["metadata"] for event in self.of("resourcePreEvent")]
        assert all(resource["op"] == "create" for resource in created)
        return [r["new"] for r in created if r["type"] != "pulumi:pulumi:Stack"]

    @property
    def outputs(self) -> dict[str, Any]:
        """Of the stack."""
        *_, stack = (e for e in self.of("resOutputsEvent") if e["metadata"]["type"] == "pulumi:pulumi:Stack")
        outputs: dict[str, Any] = stack["metadata"]["new"]["outputs"]
        return outputs


@dataclass(frozen=True)
class Clone:
    """A developer's clone. environment: of every command in it."""

    folder: Path
    environment: dict[str, str]

    def run(self, *words: str, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=self.environment | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def pulumi(self, *words: str) -> str:
        return self.run("pulumi", *words, "--non-interactive").stdout

    def preview(self, stack: str, *options: str, **more: str) -> Preview:
        words = ("pulumi", "preview", "--json", "--stack", stack, "--non-interactive", *options)
        done = self.run(*words, check=False, PULUMI_ENABLE_STREAMING_JSON_PREVIEW="true", **more)
        events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]
        return Preview(done.returncode, events, done.stdout + done.stderr)

    def status(self) -> str:
        return self.run("git", "status", "--porcelain").stdout

    def write_config(self, stack: str, config: dict[str, Any]) -> None:
        whole = {"config": {f"ingress-hops:{key}": value for key, value in config.items()}}
        (self.folder / "stacks" / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(whole))


def _lacking() -> str | None:
    """Why there is no engine to test with."""
    if not shutil.which("pulumi"):
        return "pulumi is not on PATH: `make tools` fetches it"
    done = subprocess.run(["pulumi", "plugin", "ls", "--json"], capture_output=True, text=True, check=False)
    there = {(p["name"], p["version"]) for p in json.loads(done.stdout or "[]")}
    for name in ("command", "kubernetes"):
        # The engine loads the provider of the same version as its Python package.
        expected = version(f"pulumi-{name}")
        if (name, expected) not in there:
            return f"the provider {name} is not installed: pulumi plugin install resource {name} {expected}"
    return None


@pytest.fixture(scope="session")
def origin(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if reason := _lacking():
        pytest.skip(reason)
    return origin_of(project, tmp_path_factory.mktemp("origin"))


def origin_of(project: Path, folder: Path) -> Path:
    """A repository with what is tracked in the project, as it is now."""
    folder.mkdir(exist_ok=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=project, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (project / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(project / name, folder / name)
    as_somebody = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    for words in (("init", "--quiet"), ("add", "--all"), (*as_somebody, "commit", "--quiet", "--message", "all")):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def clone_of(origin: Path, folder: Path, manifests: Path) -> Clone:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "clone", "--quiet", str(origin), str(folder / "project")], check=True)
    (folder / "project" / ".venv").symlink_to(sys.prefix)
    (folder / "state").mkdir()
    (folder / "bin").mkdir()
    for name, script in (("docker", DOCKER), ("kind", "#!/bin/sh\n")):
        (folder / "bin" / name).write_text(script)
        (folder / "bin" / name).chmod(0o755)
    ours = ("KUBECONFIG", "DOCKER_", "KIND_", "INGRESS_HOPS_", "PULUMI_CONFIG", "PULUMI_STACK")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    environment |= {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "INGRESS_HOPS_MANIFESTS": str(manifests),
    }
    return Clone(folder / "project", environment)


@pytest.fixture(scope="session")
def clone(origin: Path, manifests: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """One for all tests that leave nothing behind in it."""
    made = clone_of(origin, tmp_path_factory.mktemp("clone"), manifests)
    yield made
    assert made.status() == "", "a test left changes in the clone that all share"
