"""Reads the state of this machine before a cluster is made: tools, Docker, ports. Changes nothing."""

import errno
import os
import re
import shutil
import socket
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hops.kubernetes.resources import docker_containers
from hops.model.hop import IPV6, Entrypoint, ip_version, reached_at
from hops.model.preflight import DockerContainer, DockerDaemon, Machine
from hops.observe.local import docker
from hops.observe.local.docker import DockerError
from hops.observe.timed_tasks import later

_SECONDS = 15
_FILES = 1024 * 1024
"""Bytes that the folder of the kubeconfig files needs. A cluster without its kubeconfig file is half made."""
_KUBELET = "/var/lib/kubelet/kubeadm-flags.env"
_REWRITTEN = "/kind/old-ipv4"
"""kind's own node images keep their last address here, and configure the node anew when they start with another one
(images/base/files/usr/local/bin/entrypoint)."""


def look(entrypoints: Sequence[Entrypoint], folder: Path | None = None, *, addresses: bool = False) -> Machine:
    """The state of this machine.

    entrypoints: the entrypoints whose ports must be free. All are of one cluster.
    folder: the folder for kubeconfig files, which must be writable. Default: not checked.
    addresses: whether to read the address that each node of each kind cluster is configured with. Default: only those
      of the entrypoints' cluster.
    """
    wanted = any(ip_version(address) == IPV6 for entrypoint in entrypoints for address in entrypoint.listens)
    missing = tuple(tool for tool in ("docker", "kind") if not shutil.which(tool))
    daemon, error = (
        (None, "")
        if "docker" in missing
        else _daemon(entrypoints[0].node if entrypoints else None, addresses=addresses)
    )
    return Machine(
        missing_tools=missing,
        docker=daemon,
        docker_error=error,
        remote=None if "docker" in missing else _remote(_endpoint()),
        kind_provider=os.environ.get("KIND_EXPERIMENTAL_PROVIDER"),
        busy=tuple(
            m.host
            for entrypoint in entrypoints
            for m in entrypoint.mappings
            if any(busy(address, m.host) for address in entrypoint.listens)
        ),
        inotify_instances=_number("/proc/sys/fs/inotify/max_user_instances"),
        inotify_watches=_number("/proc/sys/fs/inotify/max_user_watches"),
        lowest_port=_number("/proc/sys/net/ipv4/ip_unprivileged_port_start") or 0,
        folder_error=unwritable(folder) if folder else "",
        no_ipv6=_no_ipv6() if wanted else "",
        network_without_ipv6=_network_without_ipv6() if wanted and daemon else "",
    )


def _no_ipv6() -> str:
    """Why nothing can listen on the IPv6 loopback address; "" if something can."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        return f"this machine has no IPv6 ({error.strerror or error})"
    return ""


def _network_without_ipv6() -> str:
    """The name of kind's Docker network if it exists without IPv6. kind makes a missing one with IPv6."""
    name = os.environ.get("KIND_EXPERIMENTAL_DOCKER_NETWORK", "kind")
    try:
        printed = docker.run("network", "inspect", "--format", "{{.EnableIPv6}}", name, seconds=_SECONDS)
    except DockerError:
        return ""
    return name if printed.strip() == "false" else ""


def _daemon(node: str | None, *, addresses: bool) -> tuple[DockerDaemon | None, str]:
    """The Docker daemon; None and the reason if it does not answer.

    node: a node of the kind cluster whose nodes' own addresses are read.
    addresses: whether to read those of every kind cluster.
    """
    try:
        info = docker.info(_SECONDS)
        found = [_container(item) for item in docker.containers(seconds=_SECONDS)]
        own = {one.cluster for one in found if addresses or one.name == node}
        return _facts(info, _with_addresses(found, own)), ""
    except DockerError as error:
        return None, str(error)


def _with_addresses(containers: Sequence[DockerContainer], clusters: Container[str | None]) -> list[DockerContainer]:
    nodes = [one.name for one in containers if one.cluster and one.cluster in clusters]
    reads = {name: later(partial(_kept_address, name)) for name in nodes}
    return [replace(one, kept_address=reads[one.name].result()) if one.name in reads else one for one in containers]


def _kept_address(node: str) -> str:
    """The IPv4 address that a kind node's kubelet is configured with; "" where the image changes it, or it is unknown.

    `docker cp` reads the files of a stopped container as well.
    """
    looks = [
        later(partial(docker.run, "cp", f"{node}:{file}", "-", seconds=_SECONDS)) for file in (_KUBELET, _REWRITTEN)
    ]
    flags, rewritten = [look.exception() or look.result() for look in looks]
    if not isinstance(rewritten, DockerError):
        return ""
    found = re.search(r"--node-ip=(\d+(?:\.\d+){3})\b", str(flags))
    return found[1] if found else ""


def _facts(info: Mapping[str, Any], containers: Iterable[DockerContainer]) -> DockerDaemon:
    root = Path(info.get("DockerRootDir") or "/nowhere")
    # The daemon's folder shows its free disk only if the daemon shares this file system.
    here = info.get("OperatingSystem") != "Docker Desktop" and root.exists()
    return DockerDaemon(
        product=str(info.get("OperatingSystem") or "") if "host" not in info else "Podman",
        containers_os=str(info.get("OSType") or "linux"),
        rootless=any("rootless" in option for option in info.get("SecurityOptions") or ()),
        cgroup_version=int(info.get("CgroupVersion") or 2),
        memory=info.get("MemTotal") or None,
        disk_free=shutil.disk_usage(root).free if here else None,
        containers=tuple(containers),
    )


def _container(item: Mapping[str, Any]) -> DockerContainer:
    return DockerContainer(
        name=docker_containers.name(item),
        cluster=docker_containers.cluster(item),
        state=str(docker_containers.state(item)),
        binds=docker_containers.binds(item),
        published=tuple(
            (binding.address or "0.0.0.0", binding.port)
            for binding in docker_containers.declared_ports(item)
            if binding.protocol == "tcp" and binding.port
        ),
        address=next(docker_containers.addresses(item), ""),
    )


def unwritable(folder: Path, needed: int = _FILES) -> str:
    """Why no files can be written into a folder, which need not exist yet; "" if they can.

    needed: their bytes. Default: those of the kubeconfig files.
    """
    parent = folder
    while not os.path.lexists(parent) and parent != parent.parent:
        parent = parent.parent
    if not parent.is_dir():
        return f"{parent} is no folder"
    if not os.access(parent, os.W_OK | os.X_OK):
        return f"{parent} cannot be written by this user"
    if (free := shutil.disk_usage(parent).free) < needed:
        return f"the disk of {parent} has {free // 1024} KiB free, and {needed // 1024} KiB are needed"
    return ""


def _endpoint() -> str:
    """The address of the Docker daemon: DOCKER_HOST, or else that of the current context."""
    if host := os.environ.get("DOCKER_HOST"):
        return host
    try:
        return docker.run("context", "inspect", "--format", "{{.Endpoints.docker.Host}}", seconds=_SECONDS).strip()
    except DockerError:
        return ""


def _remote(host: str) -> str | None:
    remote = host.startswith(("tcp:", "ssh:")) and "//127.0.0.1" not in host and "//localhost" not in host
    return host if remote else None


def _socket(address: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ip_version(address) == IPV6 else socket.AF_INET)


def busy(address: str, port: int) -> bool:
    """Whether something listens on a port of an address. One that this user may not bind is tested by connecting."""
    with _socket(address) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if probe.family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EACCES:
                return _answers(reached_at(address), port)
            # Docker itself reports an address that this machine does not have.
            return error.errno == errno.EADDRINUSE
    return False


def has_address(address: str) -> bool:
    """Whether this machine has an address. Linux has all of 127.0.0.0/8; macOS has only 127.0.0.1 of them."""
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL
    return True


def _answers(address: str, port: int) -> bool:
    with _socket(address) as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


def _number(file: str) -> int | None:
    try:
        return int(Path(file).read_text())
    except OSError:
        return None
