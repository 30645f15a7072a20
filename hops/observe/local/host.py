"""Reads this machine: how it resolves the host name, and which processes listen on the port."""

import os
import platform
import re
import socket
import struct
import subprocess
import time
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise
from pathlib import Path
from typing import Literal

from hops.model.hop import IPV6
from hops.observe.timed_tasks import later
from hops.trace.facts.client_proxy import PROXY_VARIABLES
from hops.trace.observed.observation import FollowedRequest, Host, Listener, Lookup

HOSTS = Path("/etc/hosts")
PROC = Path("/proc")
# Resolvers give up after 5 s on a name in .local that nobody answers.
LOOKUP_SECONDS = 7.0
_SECONDS = 2.0
_LISTEN = "0A"
_FAMILIES: dict[Literal[4, 6], socket.AddressFamily] = {4: socket.AF_INET, 6: socket.AF_INET6}


@dataclass(frozen=True)
class Resolved:
    """The addresses of a host name, as a client gets them.

    addresses: in the order in which the client tries them.
    seconds: how long the look-up took.
    error: why there is no address; None if there is one.
    """

    addresses: tuple[str, ...]
    seconds: float
    error: str | None = None


def host(asked: FollowedRequest, unseen: MutableMapping[str, str]) -> Host:
    """The state of this machine. The parts that cannot be read are added to `unseen`."""
    lookups = [later(partial(_lookup, asked.host, family)) for family in _FAMILIES]
    listeners = tuple(_listeners(asked.port, unseen))
    return Host(
        system=platform.system(),
        hosts=_hosts(asked.host, unseen),
        listeners=listeners,
        addresses=_addresses(unseen),
        inotify=_inotify(),
        lookups=tuple(lookup.result() for lookup in lookups),
        environment=environment(),
        resolver=_lookup_by_system(asked.host) if _local(asked.host) and asked.host != "localhost" else None,
        filter=_filter(unseen),
    )


def environment() -> dict[str, str]:
    """The variables by which the environment names a proxy, without user names and passwords."""
    given = {name: os.environ[name] for name in PROXY_VARIABLES if os.environ.get(name)}
    return {name: re.sub(r"(^|//)[^/@]*@", r"\1", value) for name, value in given.items()}


def _lookup_by_system(name: str) -> Lookup:
    found = _resolved(name, socket.AF_INET)
    return Lookup(family=4, addresses=found.addresses, seconds=round(found.seconds, 4), error=found.error)


def _filter(unseen: MutableMapping[str, str]) -> str:
    """The packet filter's rules; "" where iptables is missing or this user may not read them."""
    try:
        done = subprocess.run(
            ("iptables-save", "--table", "filter"), capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except FileNotFoundError:
        return ""
    except (OSError, subprocess.TimeoutExpired) as error:
        unseen["host: packet filter"] = str(error)
        return ""
    return done.stdout if done.returncode == 0 else ""


def resolve(name: str) -> Resolved:
    """The addresses of a name for a client that takes both families, as curl does."""
    if _local(name):
        return Resolved(("127.0.0.1",), 0.0)
    return _resolved(name, socket.AF_UNSPEC)


def _lookup(name: str, family: Literal[4, 6]) -> Lookup:
    # curl tries ::1 for such a name too, and tries 127.0.0.1 at once if nothing listens there.
    found = Resolved(("127.0.0.1",) if family == 4 else (), 0.0) if _local(name) else _resolved(name, _FAMILIES[family])
    return Lookup(family=family, addresses=found.addresses, seconds=round(found.seconds, 4), error=found.error)


def on_loopback(name: str, found: Resolved, published: Iterable[str]) -> Resolved:
    """The addresses of a name for a client, where ports are published on the IPv6 loopback address.

    name: the host name. One in `.localhost` is `::1` as well for clients such as curl, which try it first; if nothing
        is published there, they go on at once.
    found: its addresses by `resolve`.
    published: the addresses on which the request's port is published.
    """
    if not _local(name) or _LOOPBACK_IPV6 not in published:
        return found
    return replace(found, addresses=(_LOOPBACK_IPV6, *found.addresses))


def with_loopback(name: str, seen: Host, published: Iterable[str]) -> Host:
    """The state of this machine with the same address in its look-up for IPv6; the arguments are those above."""
    more = on_loopback(name, Resolved((), 0.0), published).addresses
    lookups = tuple(
        one.model_copy(update={"addresses": more}) if one.family == IPV6 and more else one for one in seen.lookups
    )
    return seen.model_copy(update={"lookups": lookups})


_LOOPBACK_IPV6 = "::1"


def _local(name: str) -> bool:
    return name == "localhost" or name.endswith(".localhost")


def _resolved(name: str, family: socket.AddressFamily) -> Resolved:
    began = time.monotonic()
    try:
        # A program cannot set a time-out for the resolver.
        found = later(lambda: socket.getaddrinfo(name, None, family, socket.SOCK_STREAM)).result(LOOKUP_SECONDS)
    except TimeoutError:
        return Resolved((), LOOKUP_SECONDS, f"the resolver did not answer within {LOOKUP_SECONDS:.0f} s")
    except (OSError, UnicodeError) as error:
        return Resolved((), time.monotonic() - began, getattr(error, "strerror", None) or str(error))
    return Resolved(tuple(dict.fromkeys(str(entry[4][0]) for entry in found)), time.monotonic() - began)


def _hosts(name: str, unseen: MutableMapping[str, str]) -> tuple[str, ...]:
    try:
        lines = HOSTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        unseen["host: hosts file"] = str(error)
        return ()
    return tuple(line for line in lines if name in line.partition("#")[0].lower().split()[1:])


def _listeners(port: int, unseen: MutableMapping[str, str]) -> Iterator[Listener]:
    inodes = {}
    try:
        for table in ("tcp", "tcp6"):
            for line in (PROC / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                address, _, number = fields[1].partition(":")
                if fields[3] == _LISTEN and int(number, 16) == port:
                    inodes[fields[9]] = _address(address)
    except (OSError, IndexError, ValueError) as error:
        unseen["host: listeners"] = f"/proc/net cannot be read here: {error}"
        return
    owners = _owners(set(inodes)) if inodes else {}
    for inode, address in inodes.items():
        pid, process = owners.get(inode, (None, None))
        yield Listener(address=address, port=port, pid=pid, process=process)
    if len(owners) < len(inodes):
        unseen["host: listeners' processes"] = "other users' processes are shown to root only"


def _address(digits: str) -> str:
    """An address from /proc/net/tcp: 32-bit words in the byte order of the machine."""
    words = [int(digits[start : start + 8], 16) for start in range(0, len(digits), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    return str(IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed))


def _owners(inodes: set[str]) -> dict[str, tuple[int, str]]:
    """The process id and process name of each socket's owner, by inode."""
    inode_of = {f"socket:[{inode}]": inode for inode in inodes}
    owners: dict[str, tuple[int, str]] = {}
    for process in PROC.glob("[0-9]*"):
        try:
            for descriptor in (process / "fd").iterdir():
                link = str(descriptor.readlink())
                if link in inode_of:
                    owners.setdefault(inode_of[link], (int(process.name), (process / "comm").read_text().strip()))
        except OSError:
            # The process has ended, or belongs to another user.
            continue
        if len(owners) == len(inode_of):
            break
    return owners


def _addresses(unseen: MutableMapping[str, str]) -> tuple[str, ...]:
    """The addresses of this machine, from the kernel's tables."""
    try:
        lines = (PROC / "net" / "fib_trie").read_text().splitlines()
    except OSError as error:
        unseen["host: addresses"] = f"/proc/net cannot be read here: {error}"
        return ()
    four = {before.split()[-1] for before, line in pairwise(lines) if line.strip() == "/32 host LOCAL"}
    try:
        six = {
            str(IPv6Address(bytes.fromhex(line.split()[0])))
            for line in (PROC / "net" / "if_inet6").read_text().splitlines()
        }
    except OSError:
        # A kernel without IPv6 has no such table.
        six = set()
    return tuple(str(address) for address in sorted(map(ip_address, four | six), key=lambda a: (a.version, int(a))))


def _inotify() -> dict[str, int]:
    limits = {}
    for name in ("max_user_instances", "max_user_watches"):
        try:
            limits[name] = int((PROC / "sys" / "fs" / "inotify" / name).read_text())
        except (OSError, ValueError):
            continue
    return limits
