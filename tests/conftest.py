"""What tests stand on: the committed stacks and the published files."""

import hashlib
import json
import os
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import settings as hypothesis_settings

from hops.model.settings.stack_config import settings
from hops.model.settings.stack_settings import Settings
from hops.model.versions import CALICO, CONTOUR
from hops.observe.local.published_files import manifests_folder

PROJECT = Path(__file__).parent.parent

# Two slow cores are no reason to fail, and a run finds the same things as the one before it.
hypothesis_settings.register_profile("project", deadline=None, derandomize=True, max_examples=150)
hypothesis_settings.load_profile("project")


def stack_config(stack: str) -> dict[str, Any]:
    """The committed configuration of a stack, without its namespace."""
    return deepcopy(_stack_config(stack))


@cache
def _stack_config(stack: str) -> dict[str, Any]:
    config = yaml.safe_load((PROJECT / "stacks" / f"Pulumi.{stack}.yaml").read_text())["config"]
    return {key.removeprefix("ingress-hops:"): value for key, value in config.items()}


def committed(stack: str) -> dict[str, str]:
    """The same as the engine hands it over."""
    return {f"ingress-hops:{key}": json.dumps(value) for key, value in stack_config(stack).items()}


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


def _pod_maker(kind: str, name: str, containers: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "there"},
        "spec": {"template": {"spec": {"containers": containers, **more}}},
    }


def _plain(kind: str, name: str, version: str = "v1", **more: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **more}


@pytest.fixture
def calico_objects() -> list[dict[str, Any]]:
    """What of Calico's published file the component relies on, and nothing else."""
    server = {
        "name": "calico-node",
        "image": "quay.io/calico/node:v1",
        "env": [{"name": "CALICO_IPV4POOL_VXLAN", "value": "Always"}],
        "readinessProbe": {"exec": {"command": ["ready"]}, "periodSeconds": 10, "initialDelaySeconds": 5},
    }
    return [
        _pod_maker(
            "DaemonSet",
            "calico-node",
            [server],
            initContainers=[{"name": "install-cni", "image": "quay.io/calico/cni:v1"}],
        ),
        _pod_maker("Deployment", "calico-kube-controllers", [{"name": "c", "image": "quay.io/calico/controllers:v1"}]),
        _plain("ConfigMap", "calico-config"),
    ]


@pytest.fixture
def contour_objects() -> list[dict[str, Any]]:
    """What of Contour's published file the component relies on, and nothing else."""
    probe = {"httpGet": {"path": "/ready", "port": 8002}, "initialDelaySeconds": 3, "periodSeconds": 4}
    envoy = {
        "name": "envoy",
        "image": "docker.io/envoyproxy/envoy:v1",
        "args": ["-c", "/config/envoy.json", "--log-level info"],
        "ports": [
            {"containerPort": 8080, "hostPort": 80, "name": "http", "protocol": "TCP"},
            {"containerPort": 8443, "hostPort": 443, "name": "https", "protocol": "TCP"},
            {"containerPort": 8002, "hostPort": 8002, "name": "metrics", "protocol": "TCP"},
        ],
        "readinessProbe": probe,
    }
    bootstrap = {
        "name": "envoy-initconfig",
        "image": "ghcr.io/projectcontour/contour:v1",
        "args": ["bootstrap", "--xds-address=contour", "--xds-port=8001"],
    }
    contour = {"name": "contour", "image": "ghcr.io/projectcontour/contour:v1", "readinessProbe": dict(probe)}
    certgen = {"name": "contour", "image": "ghcr.io/projectcontour/contour:v1"}
    ports = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "https", "port": 443, "targetPort": 8443}]
    balanced = {
        "type": "LoadBalancer",
        "externalTrafficPolicy": "Local",
        "selector": {"app": "envoy"},
        "ports": ports,
    }
    return [
        _plain("Namespace", "projectcontour"),
        _plain("ConfigMap", "contour", data={"contour.yaml": "# plain\naccesslog-format: envoy\n"}),
        {**_pod_maker("Job", "contour-certgen", [certgen]), "apiVersion": "batch/v1"},
        _plain("Service", "contour", spec={"ports": [{"port": 8001}]}),
        _plain("Service", "envoy", spec=balanced),
        _pod_maker("Deployment", "contour", [contour]),
        _pod_maker("DaemonSet", "envoy", [envoy], initContainers=[bootstrap]),
    ]
