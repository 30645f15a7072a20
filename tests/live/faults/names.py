"""Faults of hop 1, the name: the trace meets other files of /etc than this machine's."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from threading import Thread

from tests.live.faults.fault import NAME, Broken, fault
from tests.live.faults.path import HOST, NAMED, Path, hosts

_AAAA = b"\0\x1c"


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


NAMESERVER = ("127.0.0.9", 53)
RESOLVER = f"nameserver {NAMESERVER[0]}\noptions timeout:5 attempts:1\n"


@contextmanager
def nameserver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(NAMESERVER)
        yield server


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
    files = {"/etc/nsswitch.conf": "hosts: dns files\n", "/etc/resolv.conf": RESOLVER}
    with nameserver():
        yield Broken(certain, files=hosts(f"127.0.0.1 {HOST}") | files)


@fault(
    4,
    "the name has the address ::1 alone, and Docker publishes on IPv4 alone",
    "curl 7",
    (NAME, "T04"),
    touches="name",
    why_not=no_namespace,
)
def one_family(_: Path, __: Random) -> Iterator[Broken]:
    """By a resolver, since glibc reads a line of the hosts file with ::1 for IPv4 too."""
    files = {"/etc/nsswitch.conf": "hosts: files dns\n", "/etc/resolv.conf": RESOLVER}
    with nameserver() as server:
        answering = Thread(target=answer, args=(server,), daemon=True)
        answering.start()
        yield Broken(certain, files=hosts() | files)
        server.sendto(b"", NAMESERVER)
        answering.join()


def answer(server: socket.socket) -> None:
    """Says of every name that it has the address ::1 and no other (RFC 1035, section 4), until nothing is asked."""
    while True:
        query, client = server.recvfrom(512)
        if not query:
            return
        question = query[12 : query.index(0, 12) + 5]
        found = question[-4:-2] == _AAAA
        record = b"\xc0\x0c" + _AAAA + b"\0\x01\0\0\0\0\0\x10" + socket.inet_pton(socket.AF_INET6, "::1")
        header = query[:2] + b"\x85\x80\0\x01\0" + bytes([found]) + b"\0\0\0\0"
        server.sendto(header + question + record * found, client)
