"""A cluster of the same objects that ingress-hops did not make, and whose ports are published in several ways."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as File
from typing import Any

import yaml

from hops.model.versions import NODE_IMAGE
from tests.live.faults.kubernetes import until
from tests.live.faults.path import STACK, Elsewhere, Path
from tests.project import run

CLUSTER = "ingress-hops-elsewhere"
TWIN = 8094
"""The port that is published as it should be."""
CONTROL_PLANE = {8090: ("127.0.0.1", 80)}
WORKER = {TWIN: ("127.0.0.1", 80), 8091: ("127.0.0.1", 82), 8092: ("127.0.0.2", 80)}
NODE_WITHOUT_ENVOY, ANOTHER_NODE_PORT, ANOTHER_ADDRESS, NOT_PUBLISHED = 8090, 8091, 8092, 8093


def _published(ports: dict[int, tuple[str, int]]) -> list[dict[str, Any]]:
    return [
        {"containerPort": node, "hostPort": host, "listenAddress": address, "protocol": "TCP"}
        for host, (address, node) in ports.items()
    ]


@contextmanager
def up(path: Path, folder: File) -> Iterator[Elsewhere]:
    """Made by kind and kubectl of what `hops plan` writes."""
    manifests = folder / "manifests"
    hops = [str(File(sys.executable).with_name("hops")), "plan", STACK, "--manifests", str(manifests)]
    subprocess.run(hops, cwd=path.project.folder, env=path.project.environment, check=True, capture_output=True)
    (kind_file,) = manifests.glob("000-*")
    kind = yaml.safe_load(kind_file.read_text()) | {"name": CLUSTER}
    kind_file.unlink()
    kind["nodes"] = [
        {"role": "control-plane", "extraPortMappings": _published(CONTROL_PLANE)},
        {"role": "worker", "extraPortMappings": _published(WORKER)},
    ]
    config, elsewhere = folder / "kind.yaml", Elsewhere(CLUSTER, folder / "elsewhere.yaml")
    config.write_text(yaml.safe_dump(kind))
    image = os.environ.get("INGRESS_HOPS_NODE_IMAGE", NODE_IMAGE)
    words = ["--name", CLUSTER, "--image", image, "--config", str(config), "--kubeconfig", str(elsewhere.kubeconfig)]
    try:
        run("kind", "create", "cluster", *words)
        run("docker", "cp", str(manifests), f"{CLUSTER}-control-plane:/manifests")
        _apply(elsewhere, sorted(file.name for file in manifests.iterdir()))
        until("the other cluster answers", lambda: path.ask(port=TWIN).well and elsewhere.settled(), 180)
        yield elsewhere
    finally:
        run("kind", "delete", "cluster", "--name", CLUSTER, "--kubeconfig", str(elsewhere.kubeconfig))


def _apply(elsewhere: Elsewhere, files: list[str]) -> None:
    """All in one, in order; a custom resource definition takes a moment until its kind is known."""
    words = [word for name in files for word in ("--filename", f"/manifests/{name}")]

    def applied() -> bool:
        elsewhere.kubectl("apply", "--server-side", "--force-conflicts", *words)
        return True

    until("the objects are made", applied)
