"""The facts of one Docker container, as `docker inspect` shows it.

Every function takes a container's body and gives None, "" or nothing where the body lacks the fact.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hops.kubernetes.values import JSON, at, mapping, sequence, text, texts

KIND_LABEL = "io.x-k8s.kind.cluster"
"""The label by which kind marks the containers of a cluster (pkg/cluster/internal/providers/docker/constants.go)."""
KIND_ROLE_LABEL = "io.x-k8s.kind.role"
API_PORT = 6443
"""The port of the Kubernetes API in a control plane's container."""


@dataclass(frozen=True)
class PortBinding:
    """A port of a container that Docker publishes on the machine.

    inside: port of the container.
    protocol: tcp, udp or sctp.
    address: address of the machine; "" for all that Docker serves.
    port: port of the machine; 0 if Docker chooses it.
    """

    inside: int
    protocol: str
    address: str
    port: int


def name(container: Mapping[str, JSON]) -> str:
    return str(_field(container, "Name")).lstrip("/")


def cluster(container: Mapping[str, JSON]) -> str | None:
    """The kind cluster that the container is a node of."""
    return text(_field(container, "Config", "Labels", KIND_LABEL))


def role(container: Mapping[str, JSON]) -> str:
    """The role of a kind node, such as `control-plane`."""
    return text(_field(container, "Config", "Labels", KIND_ROLE_LABEL)) or "worker"


def state(container: Mapping[str, JSON] | None) -> str | None:
    """The state of the container, such as `running` or `exited`."""
    return text(_field(container, "State", "Status"))


def running(container: Mapping[str, JSON] | None) -> bool:
    """Whether the container has a process; a paused one has."""
    return bool(_field(container, "State", "Running"))


def paused(container: Mapping[str, JSON] | None) -> bool:
    return bool(_field(container, "State", "Paused"))


BOTH_FAMILIES = ("IPAddress", "GlobalIPv6Address")
"""The fields of a network with the container's addresses of IPv4 and IPv6."""


def addresses(container: Mapping[str, JSON] | None, *keys: str) -> Iterator[str]:
    """The addresses of the container in Docker's networks.

    keys: the fields to read. Default: `IPAddress`, which holds IPv4 addresses.
    """
    for network in mapping(_field(container, "NetworkSettings", "Networks")).values():
        for key in keys or ("IPAddress",):
            if address := text(at(network, key)):
                yield address


def binds(container: Mapping[str, JSON]) -> tuple[str, ...]:
    """The mounted folders, as HOST:CONTAINER[:OPTIONS]."""
    return texts(_field(container, "HostConfig", "Binds"))


def declared_ports(container: Mapping[str, JSON]) -> tuple[PortBinding, ...]:
    """The ports that Docker publishes whenever the container runs."""
    return tuple(_bindings(_field(container, "HostConfig", "PortBindings")))


def bound_ports(container: Mapping[str, JSON]) -> tuple[PortBinding, ...]:
    """The ports that Docker publishes now; none if the container does not run."""
    return tuple(_bindings(_field(container, "NetworkSettings", "Ports"))) if running(container) else ()


def _field(container: Mapping[str, JSON] | None, *keys: str) -> JSON:
    return at(dict(container or {}), *keys)


def _bindings(ports: JSON) -> Iterator[PortBinding]:
    for key, entries in mapping(ports).items():
        inside, _, protocol = key.partition("/")
        for entry in sequence(entries):
            yield PortBinding(
                _number(inside), protocol, text(at(entry, "HostIp")) or "", _number(at(entry, "HostPort"))
            )


def _number(value: JSON) -> int:
    """A port that is written as text; 0 if it is no number."""
    digits = text(value) or ""
    return int(digits) if digits.isascii() and digits.isdecimal() else 0
