"""Who holds what of this machine already: the other stacks of the project, by their files, and Docker's containers."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import yaml

from hops.kubernetes.inventory import Fleet, Inventory, NameClaim, PortClaim
from hops.model.finding import Finding, Place
from hops.model.hop import HopName, published_hops
from hops.model.preflight import ClusterState, Machine
from hops.model.settings import NAMESPACE, Settings, SettingsError, settings
from hops.rules import RULES
from hops.rules.configuration import configure
from hops.rules.judge import Judge
from hops.rules.rule import Scope

_PROVIDER = "pulumi:providers:kubernetes"


def stack_settings(stack: str, file: bytes, node_image: str | None = None) -> Settings:
    """The settings that a stack's file leads to; `node_image` is taken where it names none. Raises SettingsError."""
    try:
        config = (yaml.safe_load(file.decode()) or {}).get("config") or {}
        # YAML has dates where the engine, as JSON, has texts.
        given: dict[str, Any] = json.loads(json.dumps(config, default=str))
        prefix = f"{NAMESPACE}:"
        own = {key.removeprefix(prefix): value for key, value in given.items() if key.startswith(prefix)}
    except AttributeError:
        raise SettingsError("it is not a stack file: it and its `config` are mappings; see the other files") from None
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError, TypeError, ValueError) as error:
        raise SettingsError(str(error)) from None
    return settings(stack, own, node_image)


def claims(stack: str, of: Settings) -> Fleet:
    """What a stack takes of its machine."""
    holder, cluster = f"the stack {stack}", of.cluster
    hosts = tuple(NameClaim(holder, "host", host) for host in dict.fromkeys(service.host for service in of.services))
    if cluster.existing:
        return Fleet((), (NameClaim(holder, "context", cluster.existing), *hosts))
    return Fleet(
        tuple(
            PortClaim(holder, str(cluster.listen_address), port)
            for port in (cluster.http_port, cluster.https_port)
            if port
        ),
        (NameClaim(holder, "cluster", cluster.name), NameClaim(holder, "context", f"kind-{cluster.name}"), *hosts),
    )


def claims_of_outputs(stack: str, outputs: Mapping[str, Any]) -> Fleet:
    """What a stack whose file is gone took of its machine, by the outputs that its last `up` published."""
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
    """The objects of a stack that claim something of its machine, each with what claims it and nothing else."""
    cluster, context = of.cluster, of.cluster.existing
    if context:
        yield (
            {"apiVersion": "pulumi", "kind": _PROVIDER, "metadata": {"name": "existing"}, "spec": {"context": context}},
            Place(),
        )
    else:
        ports = [
            {"hostPort": port, "listenAddress": str(cluster.listen_address)}
            for port in (cluster.http_port, cluster.https_port)
            if port
        ]
        nodes = [{"role": "control-plane"}, {"role": "worker", "extraPortMappings": ports}]
        yield {"apiVersion": "kind.x-k8s.io/v1alpha4", "kind": "Cluster", "name": cluster.name, "nodes": nodes}, Place()
    for service in of.services:
        metadata = {"name": service.ingress, "namespace": service.namespace}
        spec = {"rules": [{"host": service.host}]}
        yield {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec}, Place()


def clashes(of: Settings, held: Fleet, today: date) -> list[Finding]:
    """What XS01 to XS03 say of a stack, by the levels and exceptions that are its own. held: what others hold.

    Raises SettingsError where the stack's policy cannot be used.
    """
    inventory = Inventory(declared(of), today=today, settings=of, fleet=held)
    rules = [rule for rule in RULES.values() if rule.scope is Scope.FLEET]
    return Judge(configure(of.policy), today, rules).found(inventory)


@dataclass(frozen=True)
class Others:
    """What the other stacks of a project hold.

    unread: a sentence for each whose file can't be used. No `up` runs by such a file, so it holds nothing.
    """

    fleet: Fleet = field(default_factory=Fleet)
    unread: tuple[str, ...] = ()


def others(files: Mapping[str, bytes], stack: str) -> Others:
    """files: the stack files of the project by the stack's name, that of `stack` itself among them or not."""
    held, unread = [], []
    for name in sorted(set(files) - {stack}):
        try:
            held.append(claims(name, stack_settings(name, files[name])))
        except SettingsError as error:
            unread.append(f"what the stack {name} holds isn't known, since its file can't be used: {error}")
    return Others(joined(*held), tuple(unread))


def published(machine: Machine, cluster: str, state: ClusterState) -> Fleet:
    """What Docker's containers hold, but for those of the stack's own cluster."""
    containers = machine.docker.containers if machine.docker else ()
    return Fleet(
        tuple(
            PortClaim(f"the container {container.name}", address, port)
            for container in containers
            if container.cluster != cluster or state.foreign
            for address, port in container.holds
        ),
        (NameClaim("a kind cluster that is not of this stack", "cluster", cluster),) if state.foreign else (),
    )


def joined(*fleets: Fleet) -> Fleet:
    return Fleet(
        tuple(claim for fleet in fleets for claim in fleet.ports),
        tuple(claim for fleet in fleets for claim in fleet.names),
    )
