"""The ports and names of this machine that others use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hops.kubernetes.values import JSON, at, entries, number, protocol, sequence, text


@dataclass(frozen=True)
class PortClaim:
    """A port of this machine that is used outside the stack.

    holder: the user of the port as a noun, such as `the stack alice`.
    address: listen address.
    port: 1 to 65535.
    protocol: TCP (default), UDP or SCTP.
    """

    holder: str
    address: str
    port: int
    protocol: str = "TCP"


@dataclass(frozen=True)
class NameClaim:
    """A name on this machine that is used outside the stack.

    holder: the user of the name as a noun, such as `the stack alice`.
    what: kind of name: host, cluster or kubeconfig context.
    name: the name itself.
    """

    holder: str
    what: Literal["host", "cluster", "context"]
    name: str


@dataclass(frozen=True)
class Fleet:
    """The ports and names of this machine that other stacks and Docker containers use.

    ports: the ports.
    names: the names.
    """

    ports: tuple[PortClaim, ...] = ()
    names: tuple[NameClaim, ...] = field(default=())


def declared_fleet(body: Mapping[str, JSON]) -> Fleet:
    """A `Fleet` object: `ports` and `names`, each entry with the fields of its claim."""
    return Fleet(
        tuple(
            PortClaim(
                text(at(claim, "holder")) or "",
                text(at(claim, "address")) or "",
                number(at(claim, "port")) or 0,
                protocol(at(claim, "protocol")),
            )
            for _, claim in entries(sequence(body.get("ports")))
        ),
        tuple(
            NameClaim(text(at(claim, "holder")) or "", what, text(at(claim, "name")) or "")
            for _, claim in entries(sequence(body.get("names")))
            for what in ("host", "cluster", "context")
            if at(claim, "what") == what
        ),
    )
