"""A project of its own on a machine of its own: stack files, a stand-in for pulumi and one for Docker."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hops.cli.stacks import stack

ROOT = Path(__file__).parents[3]

_DOCKER = """#!/bin/sh
case "$1" in
  info) echo '{"OSType": "linux"}' ;;
  ps) echo all ;;
  inspect) /bin/cat "$0.json" ;;
esac
"""


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a copy of the stack files, on a machine without pulumi and Docker where no port is taken."""
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (tmp_path / "Pulumi.yaml").touch()
    for folder in ("bin", "policy"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stack, "busy", lambda _address, _port: False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("DOCKER_HOST", "INGRESS_HOPS_NODE_IMAGE", "PULUMI_BACKEND_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def pulumi(alone: Path) -> Path:
    """A pulumi that answers by what its test writes into it."""
    program = alone / "bin" / "pulumi"
    program.touch(0o755)
    (alone / ".ingress-hops" / "state").mkdir(parents=True)
    return program


@pytest.fixture
def wait_for() -> Callable[[Path], None]:
    """Waits until a file is there."""

    def wait(path: Path) -> None:
        deadline = time.monotonic() + 60
        while not path.exists():
            assert time.monotonic() < deadline, f"{path} does not come"
            time.sleep(0.05)

    return wait


Docker = Callable[..., None]


@pytest.fixture
def docker(alone: Path) -> Docker:
    """Puts nodes of kind clusters into a Docker of the machine's own, each by keyword arguments of `node`."""
    program = alone / "bin" / "docker"
    program.write_text(_DOCKER)
    program.chmod(0o755)

    def has(*nodes: dict[str, Any]) -> None:
        program.with_name("docker.json").write_text(json.dumps(nodes))

    has()
    return has


def node(
    name: str, cluster: str | None = None, bind: str = "", status: str = "running", port: int = 0
) -> dict[str, Any]:
    """A container as `docker inspect` shows it. port: that it publishes on 127.0.0.1."""
    published = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]} if port else {}
    return {
        "Name": f"/{name}",
        "Config": {"Labels": {"io.x-k8s.kind.cluster": cluster} if cluster else {}},
        "State": {"Status": status},
        "HostConfig": {"Binds": [bind] if bind else [], "PortBindings": published},
    }
