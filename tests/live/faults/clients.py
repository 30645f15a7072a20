"""Faults of this machine, before Docker has the request: a proxy, the resolver, the packet filter, Docker's proxy."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path as File
from random import Random

from tests.live.faults.fault import MAPPING, NAME, Broken, fault
from tests.live.faults.networks import no_filter
from tests.live.faults.path import Path
from tests.live.faults.routes import other_ingress
from tests.project import run

NOBODY_LISTENS = 9
"""The port of the discard protocol, on which no machine listens any more."""


@fault(79, "http_proxy is set, and no_proxy does not name the host", "curl 7", (NAME, "T78"), touches="environment")
def proxied(path: Path, _: Random) -> Iterator[Broken]:
    environment = {"http_proxy": f"http://127.0.0.1:{NOBODY_LISTENS}", "no_proxy": "example.com"}
    yield Broken(lambda: path.ask().well, environment=environment)


LOCALHOST = "my-service.faults.localhost"


def known() -> str | None:
    try:
        socket.getaddrinfo(LOCALHOST, None)
    except OSError:
        return None
    return "this machine's resolver knows names in .localhost"


@fault(80, "the resolver does not know names in .localhost", "200 from curl", (NAME, "T79"), touches="name",
       stops=False, why_not=known)  # fmt: skip
def only_curl(path: Path, _: Random) -> Iterator[Broken]:
    with path.created(other_ingress(path, LOCALHOST)):
        yield Broken(lambda: path.ask(LOCALHOST).well, ("--host", LOCALHOST))


@fault(81, "the machine's firewall drops or rejects the port", "curl 28 or 7", (MAPPING, "T80"), touches="filter",
       why_not=no_filter)  # fmt: skip
def filtered(path: Path, chance: Random) -> Iterator[Broken]:
    target = chance.choice([("DROP",), ("REJECT", "--reject-with", "tcp-reset")])
    rule = ("INPUT", "--in-interface", "lo", "--protocol", "tcp", "--dport", str(path.port), "--jump", *target)
    run("iptables", "--insert", *rule)
    try:
        yield Broken(lambda: path.ask().curl in (7, 28))
    finally:
        run("iptables", "--delete", *rule)


def docker_proxies(port: int) -> list[int]:
    """The processes of Docker that copy a published port."""
    found = []
    for file in File("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().decode().split("\0")
        except OSError:
            continue
        if words[0].endswith("docker-proxy") and str(port) in words:
            found.append(int(file.parent.name))
    return found


def no_processes() -> str | None:
    return "only root may end Docker's proxy" if os.geteuid() else None


@fault(82, "Docker's proxy of the port has ended", "curl 7", (MAPPING, "T82"), touches="docker", slow=True,
       why_not=no_processes)  # fmt: skip
def unheld(path: Path, _: Random) -> Iterator[Broken]:
    found = docker_proxies(path.port)
    subprocess.run(["kill", "-KILL", *map(str, found)], check=True)
    try:
        yield Broken(lambda: path.ask().curl == 7)
    finally:
        run("docker", "restart", path.worker)
