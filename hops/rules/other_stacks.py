"""Ports and names of this machine that other stacks and Docker containers already use."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.claims import Fleet, NameClaim, PortClaim
from hops.kubernetes.resources.resource import route_version
from hops.model import kind_names
from hops.model.finding import Finding, Place
from hops.model.hop import HopName, published_hops
from hops.model.preflight import ClusterState, Machine
from hops.model.project_files import stack_path
from hops.model.settings.stack_config import SettingsError
from hops.model.settings.stack_settings import Settings
from hops.rules.catalogue import RULES
from hops.rules.configuration import configure
from hops.rules.files.stack_file_settings import stack_settings
from hops.rules.judge import Judge
from hops.rules.rule import Scope

_PROVIDER = "pulumi:providers:kubernetes"


def claims(stack: str, of: Settings) -> Fleet:
    """The ports and names that a stack uses on its machine.

    stack: name of the stack.
    of: its settings.
    """
    holder, cluster = f"the stack {stack}", of.cluster
    names = dict.fromkeys(route.host for service in of.services for route in service.routes)
    hosts = tuple(NameClaim(holder, "host", host) for host in names)
    if cluster.existing:
        return Fleet((), (NameClaim(holder, "context", cluster.existing), *hosts))
    return Fleet(
        tuple(PortClaim(holder, str(cluster.listen_address), port) for port in cluster.published_ports),
        (
            NameClaim(holder, "cluster", cluster.name),
            NameClaim(holder, "context", kind_names.context(cluster.name)),
            *hosts,
        ),
    )


def claims_of_outputs(stack: str, outputs: Mapping[str, Any]) -> Fleet:
    """The ports and names that a stack without a file uses, read from the outputs of its last `up`.

    stack: name of the stack.
    outputs: its outputs by name; only `hops` and `cluster` are read.
    """
    holder = f"the stack {stack} (it has no file)"
    hops, cluster = published_hops(outputs.get("hops")), outputs.get("cluster") or {}
    names = [NameClaim(holder, "host", hop.address) for hop in hops if hop.name is HopName.NAME and hop.address]
    if "name" in cluster:
        names.append(NameClaim(holder, "cluster", cluster["name"]))
    if "context" in cluster:
        names.append(NameClaim(holder, "context", cluster["context"]))
    ports = {
        PortClaim(holder, hop.address, port)
        for hop in hops
        if hop.name is HopName.PORT_MAPPING and hop.address
        # Outputs of older versions hold one port only.
        for port in (*(mapping.host for mapping in hop.mappings), *(() if hop.mappings else (hop.port,)))
        if port
    }
    return Fleet(tuple(sorted(ports, key=lambda claim: claim.port)), tuple(names))


def declared(of: Settings) -> Iterator[tuple[dict[str, Any], Place]]:
    """The objects of a stack that use ports or names of its machine, with only the fields that XS01 to XS03 read."""
    cluster, context = of.cluster, of.cluster.existing
    if context:
        yield (
            {"apiVersion": "pulumi", "kind": _PROVIDER, "metadata": {"name": "existing"}, "spec": {"context": context}},
            Place(),
        )
    else:
        nodes: list[dict[str, Any]] = [
            {"role": kind_names.CONTROL_PLANE},
            *({"role": "worker"} for _ in range(cluster.workers)),
        ]
        for one in cluster.publishers:
            nodes[one.worker if cluster.workers else 0]["extraPortMappings"] = [
                {"hostPort": port, "listenAddress": str(cluster.listen_address)} for port in one.ports
            ]
        yield {"apiVersion": kind_names.KIND_API, "kind": "Cluster", "name": cluster.name, "nodes": nodes}, Place()
    for service in of.services:
        for route in service.routes:
            metadata = {"name": route.name, "namespace": service.namespace}
            spec = {
                "Ingress": {"rules": [{"host": route.host}]},
                "HTTPProxy": {"virtualhost": {"fqdn": route.host}},
                "HTTPRoute": {"hostnames": [route.host]},
            }[route.kind]
            version = route_version(route.kind)
            yield {"apiVersion": version, "kind": route.kind, "metadata": metadata, "spec": spec}, Place()


def clashes(of: Settings, held: Fleet, today: date) -> list[Finding]:
    """The findings of rules XS01 to XS03 for a stack.

    of: settings of the stack, including its levels and exceptions.
    held: ports and names that others use.
    today: day of the check.

    Raises SettingsError if the stack's policy is invalid.
    """
    inventory = Inventory(declared(of), today=today, settings=of, fleet=held)
    rules = [rule for rule in RULES.values() if rule.scope is Scope.FLEET]
    return Judge(configure(of.policy), today, rules).found(inventory)


@dataclass(frozen=True)
class Others:
    """The claims of the other stacks of a project.

    fleet: the ports and names that they use.
    unread: one sentence for each stack file that is invalid. An `up` with such a file fails, so it claims nothing.
    """

    fleet: Fleet = field(default_factory=Fleet)
    unread: tuple[str, ...] = ()


def others(files: Mapping[str, bytes], stack: str) -> Others:
    """Reads the claims of all stacks but one.

    files: content of the stack files, by name of the stack.
    stack: name of the stack to leave out; it need not be in `files`.
    """
    held, unread = [], []
    for name in sorted(set(files) - {stack}):
        try:
            held.append(claims(name, stack_settings(name, files[name])))
        except SettingsError as error:
            problems = "; ".join(str(error).splitlines())
            unread.append(
                f"the ports and names of the stack {name} are unknown, because {stack_path(name)} is invalid: "
                f"{problems}. Correct that file"
            )
    return Others(joined(*held), tuple(unread))


def published(machine: Machine, cluster: str, state: ClusterState) -> Fleet:
    """The ports and cluster name that Docker containers use, except those of the stack's own cluster.

    machine: the state of this machine; without Docker, nothing is claimed.
    cluster: name of the stack's cluster.
    state: state of that cluster; if it belongs to another owner, its ports and name count as claimed.
    """
    containers = machine.docker.containers if machine.docker else ()
    return Fleet(
        tuple(
            PortClaim(f"the container {container.name}", address, port)
            for container in containers
            if container.cluster != cluster or state.foreign
            for address, port in container.holds
        ),
        (NameClaim("a kind cluster of another owner", "cluster", cluster),) if state.foreign else (),
    )


def joined(*fleets: Fleet) -> Fleet:
    """All claims of several fleets."""
    return Fleet(
        tuple(claim for fleet in fleets for claim in fleet.ports),
        tuple(claim for fleet in fleets for claim in fleet.names),
    )
