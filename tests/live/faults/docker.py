"""Faults of hop 2, Docker's port mapping. What cannot be changed in a running cluster is another cluster's."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from tests.live.faults.elsewhere import ANOTHER_ADDRESS, ANOTHER_NODE_PORT, NODE_WITHOUT_ENVOY, NOT_PUBLISHED
from tests.live.faults.fault import MAPPING, Broken, fault
from tests.live.faults.kubernetes import until
from tests.live.faults.path import Path
from tests.project import run


def asked_elsewhere(path: Path, port: int) -> Iterator[Broken]:
    options = ("--host", path.backend.host, "--port", str(port), "--path", path.backend.request_path)
    kubeconfig = ("--kubeconfig", str(path.elsewhere().kubeconfig))
    yield Broken(lambda: path.ask(port=port).curl != 0, (*kubeconfig, *options), stack=False)


@fault(5, "a cluster without extraPortMappings", "curl 7", (MAPPING, "T05"), touches="elsewhere")
def no_mapping(path: Path, _: Random) -> Iterator[Broken]:
    yield from asked_elsewhere(path, NOT_PUBLISHED)


@fault(6, "the control plane publishes, Envoy is on the worker", "curl 52 or 56", (MAPPING, "T06"), touches="elsewhere")
def node_without_envoy(path: Path, _: Random) -> Iterator[Broken]:
    yield from asked_elsewhere(path, NODE_WITHOUT_ENVOY)


@fault(7, "containerPort 82, Envoy takes 80", "curl 52 or 56", (MAPPING, "T07"), touches="elsewhere")
def another_node_port(path: Path, _: Random) -> Iterator[Broken]:
    yield from asked_elsewhere(path, ANOTHER_NODE_PORT)


@fault(9, "published on another address", "curl 7", (MAPPING, "T09"), touches="elsewhere")
def another_address(path: Path, _: Random) -> Iterator[Broken]:
    yield from asked_elsewhere(path, ANOTHER_ADDRESS)


@contextmanager
def stopped(path: Path) -> Iterator[None]:
    """The publishing node is off for a while."""
    run("docker", "stop", "--time", "1", path.worker)
    try:
        yield
    finally:
        run("docker", "start", path.worker)


@contextmanager
def squatter(path: Path, chance: Random) -> Iterator[None]:
    """A process or a container that holds the port."""
    if chance.random() < 0.5:
        words = [sys.executable, "-m", "http.server", str(path.port), "--bind", "127.0.0.1"]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                until("another server has the port", lambda: path.ask().curl == 0)
                yield
            finally:
                process.kill()
    else:
        image = run("docker", "inspect", "--format", "{{.Config.Image}}", path.worker).strip()
        words = ["--name", "faults-squatter", "--publish", f"127.0.0.1:{path.port}:80", "--entrypoint", "sleep"]
        run("docker", "run", "--detach", *words, image, "infinity")
        try:
            yield
        finally:
            run("docker", "rm", "--force", "faults-squatter")


@fault(
    8,
    "another process or container has the port",
    "its page, or nothing",
    (MAPPING, "T08"),
    touches="docker",
    slow=True,
)
def port_taken(path: Path, chance: Random) -> Iterator[Broken]:
    with stopped(path), squatter(path, chance):
        refused = subprocess.run(["docker", "start", path.worker], capture_output=True, check=False)
        assert refused.returncode, "Docker started the node although the port was taken"
        yield Broken(lambda: not path.runs())


@fault(10, "the publishing node is stopped or paused", "curl 7 or 28", (MAPPING, "T10"), touches="docker", slow=True)
def node_off(path: Path, chance: Random) -> Iterator[Broken]:
    if chance.random() < 0.5:
        with stopped(path):
            yield Broken(lambda: not path.runs())
        return
    run("docker", "pause", path.worker)
    try:
        yield Broken(lambda: path.ask().curl != 0)
    finally:
        run("docker", "unpause", path.worker)


@fault(48, "the cluster is deleted by kind and not by Pulumi", "curl 7", (MAPPING, "T48"), touches="docker", last=True)
def deleted(path: Path, _: Random) -> Iterator[Broken]:
    run("kind", "delete", "cluster", "--name", path.cluster)
    yield Broken(lambda: path.ask().curl != 0)
