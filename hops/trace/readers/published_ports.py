"""Which ports of the host machine Docker publishes, and which addresses that serves."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from hops.kubernetes.values import at, mapping, sequence

_ANY = {4: "0.0.0.0", 6: "::"}


@dataclass(frozen=True)
class Published:
    """A TCP port of the host machine that a container has, or will have as soon as it runs.

    address: as Docker binds it, "" for all of the families that Docker serves here. inside: the container's port.
    bound: whether Docker holds it now.
    """

    container: str
    address: str
    port: int
    inside: int
    bound: bool

    def serves(self, address: str, own: Iterable[str]) -> bool | None:
        """Whether a client that connects to the address comes here, None where that can't be told.

        own: the machine's addresses, empty where they weren't seen.
        """
        version = ip_address(address).version
        if self.address == _ANY[version] or (not self.address and version == 4):
            known = set(own)
            return ip_address(address).is_loopback or address in known or (False if known else None)
        if not self.address or (self.address == "::" and version == 4):
            # Docker's own doing, by its version and its IPv6 setting.
            return None
        return self.address == address

    def __str__(self) -> str:
        address = self.address or "0.0.0.0"
        return f"[{address}]:{self.port}" if ":" in address else f"{address}:{self.port}"


def published(name: str, container: Mapping[str, Any]) -> Iterator[Published]:
    """The TCP ports of a container, of `docker inspect`: as Docker bound them, or as it will when it starts."""
    bound = mapping(at(dict(container), "NetworkSettings", "Ports"))
    running = bool(at(dict(container), "State", "Running"))
    found = list(_entries(bound)) if running else []
    for inside, address, port in found or _entries(mapping(at(dict(container), "HostConfig", "PortBindings"))):
        yield Published(name, address, port, inside, bound=bool(found))


def _entries(ports: Mapping[str, Any]) -> Iterator[tuple[int, str, int]]:
    for inside, bindings in ports.items():
        number, _, protocol = inside.partition("/")
        for binding in sequence(bindings):
            outside = str(at(binding, "HostPort") or "")
            if protocol == "tcp" and number.isdigit() and outside.isdigit() and int(outside):
                yield int(number), str(at(binding, "HostIp") or ""), int(outside)
