"""Faults of hop 1, the name: the trace meets other files of /etc than this machine's."""

import socket
from collections.abc import Iterator
from random import Random

from tests.live.faults.fault import NAME, Broken, fault
from tests.live.faults.path import HOST, NAMED, Path, hosts


def no_namespace() -> str | None:
    return None if NAMED else "this machine gives no process files of its own (unshare --mount)"


def certain() -> bool:
    """What a process finds in its files needs no time to take effect."""
    return True


@fault(1, "the hosts file has no line for the name", "curl 6", (NAME, "T01"), touches="name", why_not=no_namespace)
def no_line(_: Path, __: Random) -> Iterator[Broken]:
    yield Broken(certain, files=hosts())


@fault(2, "the hosts file leads elsewhere", "curl 7 or 28", (NAME, "T02"), touches="name", why_not=no_namespace)
def another_address(_: Path, chance: Random) -> Iterator[Broken]:
    yield Broken(certain, files=hosts(f"{chance.choice(['127.0.0.9', '192.0.2.1'])} {HOST}"))


@fault(
    3,
    "a resolver that never answers is asked before the hosts file",
    "200 after 5 s",
    (NAME, "T03"),
    touches="name",
    stops=False,
    why_not=no_namespace,
)
def stall(_: Path, __: Random) -> Iterator[Broken]:
    files = {
        "/etc/nsswitch.conf": "hosts: dns files\n",
        "/etc/resolv.conf": "nameserver 127.0.0.9\noptions timeout:5 attempts:1\n",
    }
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.9", 53))
        yield Broken(certain, files=hosts(f"127.0.0.1 {HOST}") | files)


@fault(
    4,
    "the hosts file has ::1 alone, and Docker publishes on IPv4 alone",
    "curl 7",
    (NAME, "T04"),
    touches="name",
    why_not=no_namespace,
)
def one_family(_: Path, __: Random) -> Iterator[Broken]:
    yield Broken(certain, files=hosts(f"::1 {HOST}"))
