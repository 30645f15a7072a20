"""Reads what a node's kernel was asked: NAT rules, listening sockets, interfaces, routes.

A text of another form reads as nothing: what isn't understood is not seen.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from hops.kubernetes.values import JSON, at, number, sequence, text
from hops.model.hop import IPV6, bracketed, ip_version
from hops.model.path import HOST_PORT_CHAIN

_RULE = re.compile(r"(?:\[(\d+):\d+\] )?-A (\S+)(.*)")
_TO = re.compile(r"--to-destination (?:\[(\S+?)\]|([^\s:]+)):(\d+)")
_PORTS = re.compile(r"--dports? ([\d,]+)")
_LISTEN = "0A"
"""TCP_LISTEN in /proc/net/tcp (include/net/tcp_states.h)."""


@dataclass(frozen=True)
class IptablesRule:
    """One rule of iptables.

    chain: that it is in.
    packets: None where the counters were not saved.
    text: without chain and counters.
    """

    chain: str
    packets: int | None
    text: str

    @property
    def jump(self) -> str:
        """The chain or target that it leads to."""
        found = re.search(r"-[jg] (\S+)", self.text)
        return found[1] if found else ""

    @property
    def to(self) -> tuple[str, int] | None:
        """The address and port of a DNAT rule."""
        found = _TO.search(self.text)
        return (found[1] or found[2], int(found[3])) if found else None

    @property
    def ports(self) -> tuple[int, ...]:
        """The destination ports that it takes."""
        found = _PORTS.search(self.text)
        return tuple(int(port) for port in found[1].split(",") if port) if found else ()


@dataclass(frozen=True)
class PodProcess:
    """A process of a pod, as its node sees it.

    pid: in the node.
    state: as in /proc/PID/stat.
    descriptors: how many are open.
    limit: how many may be; None for any number.
    command: its name.
    """

    pid: int
    state: str
    descriptors: int
    limit: int | None
    command: str


def processes(printed: str) -> tuple[PodProcess, ...]:
    """The processes of a namespace, from `Namespace.processes`."""
    found = (re.fullmatch(r"(\d+) (\S) (\d+) (\d+|unlimited) (.*)", line) for line in printed.splitlines())
    return tuple(
        PodProcess(int(one[1]), one[2], int(one[3]), int(one[4]) if one[4].isdigit() else None, one[5])
        for one in found
        if one
    )


def rules(saved: str) -> Iterator[IptablesRule]:
    """The rules of an `iptables-save`, in its order."""
    for line in saved.splitlines():
        found = _RULE.match(line)
        if found:
            yield IptablesRule(found[2], int(found[1]) if found[1] else None, found[3].strip())


def host_port_rules(nat: str, port: int) -> tuple[IptablesRule, ...]:
    """The DNAT rules of the portmap plugin for a port of the node, in the order that a packet meets them."""
    found = list(rules(nat))
    chains = [r.jump for r in found if r.chain == HOST_PORT_CHAIN and (not r.ports or port in r.ports)]
    return tuple(r for chain in chains for r in found if r.chain == chain and r.to and port in r.ports)


def service_rules(nat: str, cluster_ip: str, port: int) -> tuple[IptablesRule, ...]:
    """kube-proxy's DNAT rules for a ClusterIP and its port, empty where it has none.

    nat: of `iptables-save --table nat`.
    cluster_ip: IP address.
    port: of the Service.
    """
    found = list(rules(nat))
    chains = {
        r.jump
        for r in found
        if r.chain == "KUBE-SERVICES"
        and f"-d {_host(cluster_ip)}" in r.text
        and port in r.ports
        and r.jump[:5] == "KUBE-"
    }
    ends = {r.jump for r in found if r.chain in chains and r.jump.startswith("KUBE-SEP-")}
    return tuple(r for r in found if r.chain in ends and r.to)


def _host(address: str) -> str:
    """An address as the only one of its network."""
    return f"{address}/{ip_address(address).max_prefixlen}"


@dataclass(frozen=True)
class Socket:
    """A listening TCP socket."""

    address: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only the pod itself reaches it."""
        plain = self.address.partition("%")[0]
        return plain not in ("*", "") and ip_address(plain).is_loopback

    @property
    def wildcard(self) -> bool:
        """Whether every address of the pod leads to it."""
        plain = self.address.partition("%")[0]
        return plain in ("*", "") or ip_address(plain).is_unspecified

    def takes(self, address: str) -> bool:
        """Whether a connection to this address of the pod can come to it. A socket on `::` may take IPv4 as well."""
        plain = self.address.partition("%")[0]
        return plain in ("*", "", "::", address) or (plain == "0.0.0.0" and ip_version(address) != IPV6)

    def __str__(self) -> str:
        return f"{bracketed(self.address)}:{self.port}"


def sockets(listening: str) -> tuple[Socket, ...]:
    """The sockets of `ss --listening --tcp --numeric`, or of /proc/net/tcp and tcp6."""
    found = (_socket(line.split()) for line in listening.splitlines())
    return tuple(dict.fromkeys(socket for socket in found if socket))


def _socket(words: list[str]) -> Socket | None:
    local = words[3] if len(words) > 3 and words[0] == "LISTEN" else ""
    try:
        if not local and len(words) > 3 and words[0].endswith(":") and words[3] == _LISTEN:
            address, _, port = words[1].partition(":")
            return Socket(_from_hex(address), int(port, 16))
        address, _, port = local.rpartition(":")
        address = address.strip("[]")
        if address and address != "*":
            ip_address(address.partition("%")[0])
        return Socket(address, int(port)) if address else None
    except ValueError:
        return None


def _from_hex(digits: str) -> str:
    """The kernel writes an address as 32-bit words in the machine's byte order, which is little-endian here."""
    words = [bytes.fromhex(digits[i : i + 8])[::-1] for i in range(0, len(digits), 8)]
    return str(ip_address(b"".join(words)))


def parsed(printed: str) -> list[Mapping[str, Any]]:
    """The entries of `ip -json`."""
    try:
        return [item for item in sequence(json.loads(printed)) if isinstance(item, dict)]
    except ValueError:
        return []


def addresses(links: str) -> frozenset[str]:
    """The IP addresses of all interfaces of `ip -json address`."""
    found = (entry for link in parsed(links) for entry in sequence(at(dict(link), "addr_info")))
    return frozenset(local for entry in found if (local := text(at(entry, "local"))))


def first_address(links: str, interface: str) -> str | None:
    """The first IPv4 address of an interface in `ip -json address`; None if it has none."""
    for item in parsed(links):
        if at(dict(item), "ifname") == interface:
            found = (one for one in sequence(at(dict(item), "addr_info")) if at(one, "family") == "inet")
            return next((text(at(one, "local")) for one in found), None)
    return None


@dataclass(frozen=True)
class Link:
    """An interface.

    name: of the interface.
    on: whether it is switched on.
    up: whether its other end is too.
    mtu: bytes; None if unknown.
    received, sent, dropped: packets; None where no counters were printed.
    dropped: of both directions, with errors.
    """

    name: str
    on: bool
    up: bool
    mtu: int | None
    received: int | None = None
    sent: int | None = None
    dropped: int | None = None

    def __str__(self) -> str:
        return "up" if self.up else "on, without carrier" if self.on else "down"


def links(printed: str) -> Mapping[str, Link]:
    """The interfaces of `ip -json address`, by name; with `-statistics`, their counters."""
    found = {}
    for item in parsed(printed):
        flags = set(sequence(at(dict(item), "flags")))
        if name := text(at(dict(item), "ifname")):
            on = "UP" in flags
            up = on and not {"NO-CARRIER", "M-DOWN"} & flags
            found[name] = Link(name, on, up, number(at(dict(item), "mtu")), *_counters(dict(item)))
    return found


def _counters(item: JSON) -> tuple[int | None, int | None, int | None]:
    """Packets received, sent and lost."""
    lost = [number(at(item, "stats64", way, what)) for way in ("rx", "tx") for what in ("errors", "dropped")]
    counted = [one for one in lost if one is not None]
    received, sent = (number(at(item, "stats64", way, "packets")) for way in ("rx", "tx"))
    return received, sent, sum(counted) if counted else None


def longest(routes: str, address: str) -> Mapping[str, Any] | None:
    """The route of `ip -json route` that leads to an address: the longest prefix, then the smallest metric."""
    best: tuple[int, int] | None = None
    chosen = None
    whole = "::/0" if ip_version(address) == IPV6 else "0.0.0.0/0"
    for route in parsed(routes):
        try:
            given = whole if route.get("dst") == "default" else str(route.get("dst"))
            network = ip_network(given, strict=False)
        except ValueError:
            continue
        rank = (network.prefixlen, -(number(route.get("metric")) or 0))
        if ip_address(address) in network and (best is None or rank > best):
            best, chosen = rank, route
    return chosen


def device(routes: str, address: str) -> str | None:
    """The interface of the host route to an address in `ip -json route`."""
    destinations = (address, _host(address))
    return next(
        (text(at(dict(route), "dev")) for route in parsed(routes) if at(dict(route), "dst") in destinations), None
    )


def tracked(conntrack: str, port: int) -> str | None:
    """The first entry of conntrack for a port of the node."""
    return next((line.strip() for line in conntrack.splitlines() if f"dport={port} " in line), None)


def port_of(value: JSON) -> int | None:
    """A TCP port, None where it is none."""
    found = number(value)
    return found if found is not None and 0 < found < 65536 else None
