"""Faults below all hops: the machine, and whether its cluster can be seen at all. A request may pass all the same."""

import json
import os
from collections.abc import Iterator
from pathlib import Path as File
from random import Random

import yaml

from tests.live.faults.fault import Broken, fault
from tests.live.faults.kubernetes import ready
from tests.live.faults.path import STACK, Path
from tests.project import run

INSTANCES = File("/proc/sys/fs/inotify/max_user_instances")


def addresses(path: Path) -> list[str]:
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return run("docker", "inspect", "--format", form, *path.plan.nodes).split()


def reconnect(path: Path, *nodes: str) -> None:
    """Docker gives out the lowest free address first, to whoever comes first."""
    network = next(iter(json.loads(run("docker", "inspect", path.worker))[0]["NetworkSettings"]["Networks"]))
    for node in nodes:
        run("docker", "network", "disconnect", network, node)
    for node in nodes:
        run("docker", "network", "connect", network, node)


@fault(46, "the nodes' addresses are swapped, as a restart of Docker may do", "200, or curl 28", (None, "T46"),
       touches="docker", stops=False, slow=True)  # fmt: skip
def swapped(path: Path, _: Random) -> Iterator[Broken]:
    before = addresses(path)
    nodes = [node for _, node in sorted(zip(before, path.plan.nodes, strict=True), reverse=True)]
    reconnect(path, *nodes)
    try:
        yield Broken(lambda: addresses(path) == before[::-1])
    finally:
        reconnect(path, *reversed(nodes))
        assert addresses(path) == before


@fault(47, "the kubeconfig leads to another cluster", "200", (None, "T47"), touches="elsewhere kubeconfig", stops=False)
def another_cluster(path: Path, _: Random) -> Iterator[Broken]:
    file = File(path.project.outputs(STACK)["cluster"]["kubeconfig"])
    own = file.read_bytes()
    theirs = yaml.safe_load(path.elsewhere().kubeconfig.read_text())
    mixed = yaml.safe_load(own)
    for section, key in (("clusters", "cluster"), ("users", "user")):
        mixed[section][0][key] = theirs[section][0][key]
    file.write_text(yaml.safe_dump(mixed))
    try:
        yield Broken(lambda: True)
    finally:
        file.write_bytes(own)


@fault(62, "the kubelet of the publishing node is stopped", "503", (None, "T64"), touches="docker", hides="pod",
       slow=True)  # fmt: skip
def no_kubelet(path: Path, _: Random) -> Iterator[Broken]:
    """After 50 s without a report Kubernetes takes the node for lost, and its pods for not ready."""
    path.node("systemctl", "stop", "kubelet")
    try:
        yield Broken(lambda: path.ask().status == 503 and not ready(path.get("node", path.worker, "default")))
    finally:
        path.node("systemctl", "start", "kubelet")


def not_root() -> str | None:
    return "only root may lower fs.inotify.max_user_instances" if os.geteuid() else None


@fault(49, "fs.inotify.max_user_instances is too low, and kube-proxy starts", "200", (None, "T49"),
       touches="kube-proxy", stops=False, slow=True, why_not=not_root)  # fmt: skip
def few_instances(path: Path, _: Random) -> Iterator[Broken]:
    def proxies() -> list[str]:
        pods = path.list("pods", "kube-system", "k8s-app=kube-proxy")
        return [pod["metadata"]["name"] for pod in pods if pod["spec"].get("nodeName") == path.worker]

    def crashed() -> bool:
        return any(
            "too many open files" in path.kubectl("logs", name, "--namespace", "kube-system", previous)
            for name in proxies()
            for previous in ("--previous=false", "--previous=true")
        )

    before = INSTANCES.read_text()
    INSTANCES.write_text("1")
    try:
        for name in proxies():
            path.delete("pod", name, "kube-system")
        yield Broken(crashed)
    finally:
        INSTANCES.write_text(before)
        for name in proxies():
            path.delete("pod", name, "kube-system")
