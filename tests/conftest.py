"""What tests stand on: the committed stacks and the published files."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import settings as hypothesis_settings

from components.upstream import manifests_folder
from hops.settings import Settings, settings
from hops.versions import CALICO, CONTOUR

PROJECT = Path(__file__).parent.parent

# Two slow cores are no reason to fail, and a run finds the same things as the one before it.
hypothesis_settings.register_profile("project", deadline=None, derandomize=True, max_examples=150)
hypothesis_settings.load_profile("project")


def stack_config(stack: str) -> dict[str, Any]:
    """The committed configuration of a stack, without its namespace."""
    config = yaml.safe_load((PROJECT / "stacks" / f"Pulumi.{stack}.yaml").read_text())["config"]
    return {key.removeprefix("ingress-hops:"): value for key, value in config.items()}


@pytest.fixture(scope="session")
def project() -> Path:
    return PROJECT


@pytest.fixture(scope="session")
def seed() -> Settings:
    return settings("seed", stack_config("seed"))


@pytest.fixture(scope="session")
def local() -> Settings:
    return settings("local", stack_config("local"))


@pytest.fixture(scope="session")
def manifests() -> Path:
    """The folder of the unchanged published files; skips where there is none, for a test downloads nothing."""
    folder = Path(os.environ.get("INGRESS_HOPS_MANIFESTS") or manifests_folder())
    for manifest in (CALICO, CONTOUR):
        path = folder / manifest.file_name
        if not path.exists():
            pytest.skip(f"{path} is not there: `make demo` fetches it, INGRESS_HOPS_MANIFESTS names another folder")
        assert hashlib.sha256(path.read_bytes()).hexdigest() == manifest.sha256
    return folder
