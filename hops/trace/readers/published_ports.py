"""The ports of the host machine that Docker publishes, and the addresses that they serve."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from hops.kubernetes.resources import docker_containers
from hops.kubernetes.resources.docker_containers import PortBinding
from hops.model.hop import bracketed

_ANY = {4: "0.0.0.0", 6: "::"}


@dataclass(frozen=True)
class Published:
    """A TCP port of the host machine that a container has, or will have when it runs.

    container: name of the container.
    address: as Docker binds it; "" for all address families that Docker serves here.
    port: port of the host machine.
    inside: port of the container.
    bound: whether Docker holds it now.
    """

    container: str
    address: str
    port: int
    inside: int
    bound: bool

    def serves(self, address: str, own: Iterable[str]) -> bool | None:
        """Whether a client that connects to an address reaches this port; None if that is unknown.

        address: the address.
        own: the addresses of the machine; empty if they were not seen.
        """
        version = ip_address(address).version
        if self.address == _ANY[version] or (not self.address and version == 4):
            known = set(own)
            return ip_address(address).is_loopback or address in known or (False if known else None)
        if not self.address or (self.address == "::" and version == 4):
            # This depends on Docker's version and its IPv6 setting.
            return None
        return self.address == address

    def __str__(self) -> str:
        return f"{bracketed(self.address or '0.0.0.0')}:{self.port}"


def published(name: str, container: Mapping[str, Any]) -> Iterator[Published]:
    """The TCP ports of a container: as Docker bound them, or as it will when the container starts.

    name: name of the container.
    container: the container as `docker inspect` shows it.
    """
    bound = [binding for binding in docker_containers.bound_ports(container) if _fixed(binding)]
    for binding in bound or filter(_fixed, docker_containers.declared_ports(container)):
        yield Published(name, binding.address, binding.port, binding.inside, bound=bool(bound))


def _fixed(binding: PortBinding) -> bool:
    return binding.protocol == "tcp" and binding.inside > 0 and binding.port > 0
