"""One sight, indexed: what belongs to the followed request, found once for all checks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from hops.kubernetes import objects
from hops.kubernetes.declared_path import backends, door
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources import docker_containers
from hops.kubernetes.resources.docker_containers import API_PORT, CONTROL_PLANE_ROLE
from hops.kubernetes.resources.pods import as_pod
from hops.kubernetes.resources.services import Endpoint, as_service, endpoints, service_of
from hops.kubernetes.resources.warning_events import WarningEvent, warning_event
from hops.kubernetes.values import JSON
from hops.model.finding import Identity, Place
from hops.model.hop import Backend, Entrypoint, PortMapping
from hops.model.path import CONTOUR_NAMESPACE
from hops.model.plan import Plan, plan
from hops.trace.observed.observation import (
    FollowedRequest,
    Namespace,
    Observation,
    ObservedEnvoy,
    ObservedNode,
    SentRequest,
    Where,
)
from hops.trace.readers.kernel import addresses
from hops.trace.readers.published_ports import Published, published

THROUGH_ENVOY: tuple[Where, ...] = ("client", "node", "envoy")
"""Where requests are sent that go through Envoy."""


@dataclass(frozen=True)
class PathFacts:
    """What checks ask. Everything that could not be seen is None or empty, and says so in `sight.unseen`."""

    sight: Observation

    @property
    def asked(self) -> FollowedRequest:
        return self.sight.asked

    @cached_property
    def planned(self) -> Plan | None:
        """The stack's plan, None where the path is followed without a stack."""
        return plan(self.sight.stack.settings) if self.sight.stack else None

    # --- Docker

    @cached_property
    def containers(self) -> Mapping[str, Mapping[str, Any]]:
        """What `docker inspect` said, by the container's name; empty where Docker was not seen."""
        found = self.sight.docker.containers if self.sight.docker else ()
        return {docker_containers.name(item): item for item in found}

    @cached_property
    def node_containers(self) -> Mapping[str, Mapping[str, Any]]:
        """The node containers of the path's kind cluster."""
        return {
            name: item
            for name, item in self.containers.items()
            if self.sight.cluster_name and docker_containers.cluster(item) == self.sight.cluster_name
        }

    def running(self, container: str) -> bool | None:
        """Whether a container runs and is not paused; None where Docker was not seen."""
        if self.sight.docker is None:
            return None
        item = self.containers.get(container)
        return docker_containers.running(item) and not docker_containers.paused(item)

    @cached_property
    def published(self) -> tuple[Published, ...]:
        """Where the cluster's nodes publish the asked port, the running ones first; empty where Docker was not seen."""
        found = (one for name, item in self.node_containers.items() for one in published(name, item))
        return tuple(sorted((one for one in found if one.port == self.asked.port), key=lambda one: not one.bound))

    @cached_property
    def publishing(self) -> str | None:
        """The node that requests enter by: that which publishes the asked port, else the planned one."""
        return self.published[0].container if self.published else self.door.node if self.door else None

    @cached_property
    def neighbour(self) -> str | None:
        """The node that the ClusterIP is asked from: the backend's own, which a policy always lets in."""
        nodes = (objects.node_of(pod) for pod in self.pods)
        return next((node for node in nodes if node), None) or self.publishing

    @cached_property
    def node_port(self) -> int | None:
        """The port of the publishing node that the asked port leads to."""
        mappings = self.door.mappings if self.door else ()
        planned = (mapping.node for mapping in mappings if mapping.host == self.asked.port or mapping.scheme == "http")
        return self.published[0].inside if self.published else next(planned, None)

    def address_of(self, node: str | None) -> str | None:
        """A node's address: its container's, else what the API says; None where neither was seen."""
        in_docker = docker_containers.addresses(self.node_containers.get(node or ""))
        return next(iter((*in_docker, *self.internal_addresses(node))), None)

    def internal_addresses(self, node: str | None) -> tuple[str, ...]:
        """A node's addresses as the API has them; empty if the node was not seen."""
        return objects.internal_addresses(self.get("Node", None, node) if node else None)

    # --- the machine

    @cached_property
    def resolved(self) -> tuple[str, ...]:
        """What the name means to a client here, IPv4 before IPv6; empty where it means nothing or wasn't looked up."""
        lookups = sorted(self.sight.host.lookups, key=lambda lookup: lookup.family) if self.sight.host else ()
        found = dict.fromkeys(address for lookup in lookups for address in lookup.addresses)
        sent = [request for request in self.sight.requests if request.where == "client"]
        if sent and sent[0].address in found and "connect" not in sent[0].seconds:
            # A client that asks for both families would have gone on to what connects. To one that asks for IPv4 alone
            # glibc gives 127.0.0.1 where the hosts file has ::1 (nss/nss_files/files-hosts.c).
            for other in sent:
                if "connect" in other.seconds:
                    found.pop(other.address, None)
        return tuple(found)

    def down(self, node: str | None) -> bool:
        """Whether a node's container is there and does not run: whoever asks its pods only waits."""
        return node in self.node_containers and not self.running(str(node))

    # --- Kubernetes

    @cached_property
    def foreign(self) -> bool:
        """Whether the API that answered is another cluster's than the containers': its objects say nothing then."""
        named = {objects.name(item) for item in self._all if item.get("kind") == "Node"}
        return bool(self.node_containers) and bool(named) and not named & set(self.node_containers)

    @property
    def _all(self) -> tuple[Mapping[str, Any], ...]:
        return self.sight.cluster.objects if self.sight.cluster else ()

    @property
    def sees_cluster(self) -> bool:
        """Whether the path's own cluster answered."""
        return self.sight.cluster is not None and not self.foreign

    @cached_property
    def objects(self) -> tuple[dict[str, JSON], ...]:
        """The path's cluster's objects; empty where it could not be seen."""
        return tuple(dict(item) for item in self._all) if self.sees_cluster else ()

    def sees(self, kind: str) -> bool:
        """Whether the objects of a kind are all there, so that one that isn't does not exist."""
        return self.sees_cluster and f"cluster: {kind}" not in self.sight.unseen

    def of(self, kind: str, namespace: str | None = None) -> Iterator[dict[str, JSON]]:
        """The objects of a kind, in a namespace or in all."""
        for item in self.objects:
            if item.get("kind") == kind and (namespace is None or objects.namespace(item) == namespace):
                yield item

    def labelled(self, kind: str, namespace: str | None, **labels: str) -> Iterator[dict[str, JSON]]:
        """The objects of a kind that have these labels, in a namespace or in all."""
        return (item for item in self.of(kind, namespace) if labels.items() <= objects.labels(item).items())

    def get(self, kind: str, namespace: str | None, name: str) -> dict[str, JSON] | None:
        return next((item for item in self.of(kind, namespace) if objects.name(item) == name), None)

    @cached_property
    def inventory(self) -> Inventory:
        """The live objects and the nodes' published ports, as the rules read them."""
        return self.inventory_with()

    def inventory_with(self, *more: dict[str, JSON]) -> Inventory:
        """The same as if there were more objects."""
        taken = datetime.fromisoformat(self.sight.taken).date()
        settings = self.sight.stack.settings if self.sight.stack else None
        return Inventory([(item, Place()) for item in (*self.declared, *more)], today=taken, settings=settings)

    def _kind_cluster(self) -> Iterator[dict[str, JSON]]:
        """The configuration of kind as the containers show it."""
        nodes = []
        for name, item in sorted(self.node_containers.items()):
            published = [
                {
                    "containerPort": binding.inside,
                    "hostPort": binding.port,
                    "listenAddress": binding.address or "0.0.0.0",
                    "protocol": binding.protocol.upper(),
                }
                for binding in docker_containers.declared_ports(item)
                if binding.inside != API_PORT
            ]
            role = docker_containers.role(item)
            nodes.append((role != CONTROL_PLANE_ROLE, name, {"role": role, "extraPortMappings": published}))
        if nodes:
            yield {
                "apiVersion": "kind.x-k8s.io/v1alpha4",
                "kind": "Cluster",
                "name": self.sight.cluster_name,
                "nodes": [node for _, _, node in sorted(nodes, key=lambda entry: entry[:2])],
            }

    # --- the path

    @cached_property
    def declared(self) -> tuple[dict[str, JSON], ...]:
        """The objects, and kind's configuration as the containers show it."""
        return (*self.objects, *self._kind_cluster())

    @cached_property
    def door(self) -> Entrypoint | None:
        """Where the request should enter: as planned, or else as the containers and objects declare it."""
        return self.planned.door if self.planned else door(self.inventory)

    @cached_property
    def entry(self) -> PortMapping | None:
        """The mapping of the door that the request takes: the one of its port, else the first."""
        mappings = self.door.mappings if self.door else ()
        return next((m for m in mappings if m.host == self.asked.port), mappings[0] if mappings else None)

    @cached_property
    def backend(self) -> Backend | None:
        """Where the request should go: as planned for its host and path, or else as an Ingress declares it."""
        known = self.planned.backends if self.planned else tuple(backends(self.inventory))
        of_host = [b for b in known if b.host == self.asked.host and self.asked.path.startswith(b.path)]
        longest = max(of_host, key=lambda b: len(b.path), default=None)
        return longest or (known[0] if self.planned else None)

    @cached_property
    def service(self) -> dict[str, JSON] | None:
        """The backend's Service, None where there is none or it was not seen."""
        return self.get("Service", self.backend.namespace, self.backend.service) if self.backend else None

    def endpoints(self, namespace: str, service: str) -> tuple[Endpoint, ...]:
        """The endpoints of a Service, from its EndpointSlices."""
        return tuple(
            endpoint
            for item in self.of("EndpointSlice", namespace)
            if service_of(item) == service
            for endpoint in endpoints(item)
        )

    @cached_property
    def pods(self) -> tuple[dict[str, JSON], ...]:
        """The backend's pods: those that the plan names, else those that the Service selects."""
        if self.backend is None:
            return ()
        if self.planned:
            found = (self.get("Pod", self.backend.namespace, name) for name in self.backend.pods)
            return tuple(pod for pod in found if pod)
        selector = as_service(self.service).selector if self.service else {}
        return tuple(self.labelled("Pod", self.backend.namespace, **selector)) if selector else ()

    @cached_property
    def envoy_pods(self) -> tuple[dict[str, JSON], ...]:
        """Envoy's pods, those on the publishing node first."""
        publishing = self.publishing
        pods = self.labelled("Pod", CONTOUR_NAMESPACE, app="envoy")
        return tuple(sorted(pods, key=lambda pod: objects.node_of(pod) != publishing))

    @cached_property
    def envoy(self) -> ObservedEnvoy | None:
        """What the first of Envoy's pods said of itself."""
        names = [f"{CONTOUR_NAMESPACE}/{objects.name(pod)}" for pod in self.envoy_pods]
        return next((envoy for name in names for envoy in self.sight.envoys if envoy.pod == name), None)

    def envoys_on(self, node: str | None) -> tuple[dict[str, JSON], ...]:
        """Envoy's pods that run on a node or wait for it, those that are being deleted left out."""
        return tuple(pod for pod in self.envoy_pods if _node_of(pod) == node and not objects.deleting(pod))

    def no_sandbox(self, pod: Mapping[str, JSON]) -> str | None:
        """Why a waiting pod has no network yet, from its newest event; None if the network is not the reason."""
        if objects.phase(pod) != "Pending" or objects.address(pod):
            return None
        failures = [event for event in self.events(pod) if event.reason == "FailedCreatePodSandBox"]
        newest = max(failures, key=lambda event: (event.time, event.message), default=None)
        return newest.message if newest else None

    def events(self, pod: Mapping[str, JSON]) -> Iterator[WarningEvent]:
        """The warning events of a pod."""
        name = objects.name(pod)
        events = map(warning_event, self.of("Event", str(objects.namespace(pod))))
        return (event for event in events if event.subject == name)

    def node(self, name: str | None) -> ObservedNode | None:
        """A node from inside, None where it was not seen."""
        return next((node for node in self.sight.nodes if node.name == name), None)

    def namespace(self, pod: Mapping[str, JSON]) -> Namespace | None:
        """A pod's network namespace: the one on its node that holds its address; None where it was not seen."""
        address = objects.address(pod)
        node = self.node(objects.node_of(pod))
        if node is None or address is None:
            return None
        return next((space for space in node.namespaces if address in addresses(space.links)), None)

    def answered(self, where: Where) -> bool:
        """Whether a request that was sent there was answered, by whomever."""
        request = self.request(where)
        return request is not None and request.status is not None

    def through_envoy(self, where: Where) -> bool:
        """Whether an answer came through Envoy."""
        request = self.request(where)
        return request is not None and request.by_envoy

    @cached_property
    def well(self) -> bool | None:
        """Whether the followed request got what it should, from a pod or by a redirect; None where it was not sent."""
        request = self.request("client")
        if request is None:
            return None
        return (request.served or request.redirected) and request.expected is not False

    def request(self, where: Where) -> SentRequest | None:
        """The request that was sent there."""
        return next((request for request in self.sight.requests if request.where == where), None)


def _node_of(pod: Mapping[str, JSON]) -> str | None:
    """The node that a pod is on, or that its DaemonSet wants it on while it waits."""
    if node := objects.node_of(pod):
        return node
    return as_pod(pod).required_node


def container(name: str) -> Identity:
    """A Docker container as the subject of a finding."""
    return Identity("docker", "Container", None, name)


def identity(item: Mapping[str, JSON]) -> Identity:
    """A Kubernetes object as the subject of a finding."""
    body = dict(item)
    namespace = objects.namespace(body)
    return Identity(str(body.get("apiVersion")), str(body.get("kind")), namespace, objects.name(body))
