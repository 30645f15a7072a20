"""Live tests need tools and Docker; where they are missing each test is skipped and says what."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from tests.live.faults.catalogue import SEED
from tests.project import Project, containers, copy_project, run

COSTLY = 2
"""How many of the tests marked `costly` the gate takes."""
SHARED, SHARED_PORT = "shared", 8486
"""The stack that several modules use one after the other, and its port for http."""
TOOLS = ("docker", "kind", "pulumi", "curl")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    why = _missing()
    for item in items:
        if Path(item.fspath).is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.live)
            if why:
                item.add_marker(pytest.mark.skip(reason=why))
    costly = [item for item in items if item.get_closest_marker("costly")]
    taken = Random(SEED).sample(costly, min(COSTLY, len(costly)))
    for item in costly:
        if item not in taken:
            item.add_marker(pytest.mark.long)


def _missing() -> str | None:
    for tool in TOOLS:
        if not shutil.which(tool):
            return f"{tool} is not on PATH"
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        return "Docker does not answer"
    return None


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A clone with the stacks `seed` and `local`."""
    with a_clone(tmp_path_factory.mktemp("project")) as clone:
        for stack in ("seed", "local"):
            clone.pulumi("stack", "init", stack)
        yield clone


@contextmanager
def a_clone(folder: Path) -> Iterator[Project]:
    """A clone whose stacks are gone afterwards, whatever happened."""
    copy_project(folder)
    (folder / ".venv").symlink_to(sys.prefix)
    state = folder / ".ingress-hops" / "state"
    state.mkdir(parents=True)
    settings = {
        "PULUMI_BACKEND_URL": f"file://{state}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
    }
    clone = Project(folder, dict(os.environ) | settings)
    try:
        yield clone
    finally:
        for stack in json.loads(clone.pulumi("stack", "ls", "--json")):
            clone.down(stack["name"])


@dataclass(frozen=True)
class Shared:
    """The stack `shared` in a clone of its own, its file, and the text of the file as `hops stack new` wrote it."""

    project: Project
    file: Path
    new: str

    def up(self, services: list[dict[str, Any]] | None = None, https: int | None = None) -> None:
        """Brings the stack up as it was new, on one node, with these services where some are given.

        https: the port for https. Default: none.
        """
        whole = yaml.safe_load(self.new)
        whole["config"]["ingress-hops:cluster"] |= {"workers": 0, "httpsPort": https}
        if services is not None:
            whole["config"]["ingress-hops:services"] = services
        self.file.write_text(yaml.safe_dump(whole, sort_keys=False))
        # A module may have left the cluster with other ports.
        self.project.up(SHARED, "REPLACE=1")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """A stack for modules that need a running one with services of their own: one cluster is made for all of them."""
    cluster = f"ingress-hops-{SHARED}"
    assert containers(cluster) == [], f"a cluster named {cluster} is here already; these tests need that name"
    with a_clone(tmp_path_factory.mktemp("project")) as clone:
        new = (".venv/bin/hops", "stack", "new", SHARED, "--http-port", str(SHARED_PORT))
        run("env", "--chdir", str(clone.folder), *new, **clone.environment)
        file = clone.folder / "stacks" / f"Pulumi.{SHARED}.yaml"
        yield Shared(clone, file, file.read_text())
    assert containers(cluster) == []
