"""An observation, indexed for the followed request: facts that all checks share."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from hops.kubernetes import objects
from hops.kubernetes.controller.installed import InstalledContour, chosen, installed
from hops.kubernetes.declared_path import backends, entrypoint, foreign_service, match_of
from hops.kubernetes.existing_cluster import ExistingCluster
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources import docker_containers
from hops.kubernetes.resources.docker_containers import API_PORT
from hops.kubernetes.resources.pods import as_pod
from hops.kubernetes.resources.services import Endpoint, as_service, endpoints, service_of
from hops.kubernetes.resources.warning_events import WarningEvent, warning_event
from hops.kubernetes.routing.route import takes_path
from hops.kubernetes.values import JSON
from hops.model.finding import Identity, Place
from hops.model.hop import Backend, Entrypoint, PortMapping, ip_version
from hops.model.kind_names import CONTROL_PLANE, KIND_API
from hops.model.path import CONTOUR_NAMESPACE
from hops.model.plan import Plan, plan
from hops.trace.facts.conditions import met
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
"""The places to which requests are sent that pass Envoy."""


@dataclass(frozen=True)
class PathFacts:
    """The facts of a path. A fact that was not observed is None or empty, and `observation.unseen` has the reason.

    observation: the observation.
    """

    observation: Observation

    @property
    def asked(self) -> FollowedRequest:
        return self.observation.asked

    @cached_property
    def planned(self) -> Plan | None:
        """The plan of the stack; None without a stack."""
        return plan(self.observation.stack.settings) if self.observation.stack else None

    # --- Docker

    @cached_property
    def containers(self) -> Mapping[str, Mapping[str, Any]]:
        """The containers as `docker inspect` shows them, by name; empty if Docker was not seen."""
        found = self.observation.docker.containers if self.observation.docker else ()
        return {docker_containers.name(item): item for item in found}

    @cached_property
    def node_containers(self) -> Mapping[str, Mapping[str, Any]]:
        """The node containers of the path's kind cluster."""
        return {
            name: item
            for name, item in self.containers.items()
            if self.observation.cluster_name and docker_containers.cluster(item) == self.observation.cluster_name
        }

    def running(self, container: str) -> bool | None:
        """Whether a container runs and is not paused; None if Docker was not seen."""
        if self.observation.docker is None:
            return None
        item = self.containers.get(container)
        return docker_containers.running(item) and not docker_containers.paused(item)

    @cached_property
    def published(self) -> tuple[Published, ...]:
        """Where the nodes publish the request's port, running nodes first; empty if Docker was not seen."""
        found = (one for name, item in self.node_containers.items() for one in published(name, item))
        return tuple(sorted((one for one in found if one.port == self.asked.port), key=lambda one: not one.bound))

    @cached_property
    def publishing(self) -> str | None:
        """The node that requests enter: the one that publishes the request's port, or else the planned one."""
        return self.published[0].container if self.published else self.entrypoint.node if self.entrypoint else None

    @cached_property
    def neighbour(self) -> str | None:
        """The node that sends a request to the ClusterIP: the backend's own, which network policies always admit."""
        nodes = (objects.node_of(pod) for pod in self.pods)
        return next((node for node in nodes if node), None) or self.publishing

    @cached_property
    def node_port(self) -> int | None:
        """The port of the publishing node that the request's port leads to."""
        mappings = self.entrypoint.mappings if self.entrypoint else ()
        scheme = self.asked.scheme
        planned = (mapping.node for mapping in mappings if mapping.host == self.asked.port or mapping.scheme == scheme)
        return self.published[0].inside if self.published else next(planned, None)

    @cached_property
    def version(self) -> int:
        """The IP version by which the request entered: that of the client's request if the entrance has it."""
        own = [ip_version(address) for address in self.entrypoint.listens] if self.entrypoint else []
        sent = self.request("client")
        entered = ip_version(sent.address) if sent and sent.address else None
        return entered if entered and (not own or entered in own) else next(iter(own), ip_version(None))

    def of_version(self, addresses: Iterable[str]) -> str | None:
        """The address of the family by which the request entered; the first if there is none of it."""
        found = tuple(addresses)
        return next((one for one in found if ip_version(one) == self.version), found[0] if found else None)

    def address_of(self, node: str | None) -> str | None:
        """The address of a node: that of its container, or else that in the API; None if neither was seen.

        It is of the family by which the request entered.
        """
        both = docker_containers.BOTH_FAMILIES
        in_docker = docker_containers.addresses(self.node_containers.get(node or ""), *both)
        return self.of_version((*in_docker, *self.internal_addresses(node)))

    def internal_addresses(self, node: str | None) -> tuple[str, ...]:
        """A node's addresses as the API has them; empty if the node was not seen."""
        return objects.internal_addresses(self.get("Node", None, node) if node else None)

    # --- the machine

    @cached_property
    def resolved(self) -> tuple[str, ...]:
        """The addresses of the host name for a client on this machine, IPv4 before IPv6; empty if there are none."""
        lookups = (
            sorted(self.observation.host.lookups, key=lambda lookup: lookup.family) if self.observation.host else ()
        )
        found = dict.fromkeys(address for lookup in lookups for address in lookup.addresses)
        sent = [request for request in self.observation.requests if request.where == "client"]
        if sent and sent[0].address in found and "connect" not in sent[0].seconds:
            # A client that looks up both families goes on to an address that connects. If the hosts file has ::1, glibc
            # gives 127.0.0.1 to a client that looks up IPv4 only (nss/nss_files/files-hosts.c).
            for other in sent:
                if "connect" in other.seconds:
                    found.pop(other.address, None)
        return tuple(found)

    def down(self, node: str | None) -> bool:
        """Whether a node's container exists and does not run: requests to its pods time out."""
        return node in self.node_containers and not self.running(str(node))

    # --- Kubernetes

    @cached_property
    def foreign(self) -> bool:
        """Whether the API belongs to another cluster than the containers; its objects are then ignored."""
        named = {objects.name(item) for item in self._all if item.get("kind") == "Node"}
        return bool(self.node_containers) and bool(named) and not named & set(self.node_containers)

    @property
    def _all(self) -> tuple[Mapping[str, Any], ...]:
        return self.observation.cluster.objects if self.observation.cluster else ()

    @property
    def sees_cluster(self) -> bool:
        """Whether the path's own cluster answered."""
        return self.observation.cluster is not None and not self.foreign

    @cached_property
    def objects(self) -> tuple[dict[str, JSON], ...]:
        """The objects of the path's cluster; empty if it was not seen."""
        return tuple(dict(item) for item in self._all) if self.sees_cluster else ()

    def sees(self, kind: str) -> bool:
        """Whether all objects of a kind were read, so that a missing one does not exist."""
        return self.sees_cluster and f"cluster: {kind}" not in self.observation.unseen

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
        """The live objects and the kind configuration, as the rules read them."""
        return self.inventory_with()

    def inventory_with(self, *more: dict[str, JSON]) -> Inventory:
        """The inventory with more objects."""
        taken = datetime.fromisoformat(self.observation.taken).date()
        settings = self.observation.stack.settings if self.observation.stack else None
        declared = [(self._with_entries(item), Place()) for item in (*self.declared, *more)]
        live = self.sees("Gateway") and self.sees("Namespace")
        return Inventory(declared, today=taken, settings=settings, live=live)

    def _with_entries(self, item: dict[str, JSON]) -> dict[str, JSON]:
        """A Secret with all keys that the rules require: an observation contains no data."""
        unusable = self.observation.cluster.unusable if self.observation.cluster else {}
        if item.get("kind") != "Secret" or unusable.get(f"{objects.namespace(item)}/{objects.name(item)}"):
            return item
        return {**item, "data": dict.fromkeys(("tls.crt", "tls.key", "ca.crt", "crl.pem"), "")}

    def _kind_cluster(self) -> Iterator[dict[str, JSON]]:
        """The configuration of the kind cluster, derived from its containers."""
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
            nodes.append((role != CONTROL_PLANE, name, {"role": role, "extraPortMappings": published}))
        if nodes:
            yield {
                "apiVersion": KIND_API,
                "kind": "Cluster",
                "name": self.observation.cluster_name,
                "nodes": [node for _, _, node in sorted(nodes, key=lambda entry: entry[:2])],
            }

    # --- the path

    @cached_property
    def declared(self) -> tuple[dict[str, JSON], ...]:
        """The objects, and the kind configuration that the containers show."""
        return (*self.objects, *self._kind_cluster())

    @cached_property
    def entrypoint(self) -> Entrypoint | None:
        """The entrypoint: as planned, or else as the containers and objects declare it."""
        stack = self.observation.stack
        if stack and stack.settings.cluster.existing and self.sees_cluster:
            return plan(stack.settings, ExistingCluster(self.objects, stack.settings).addresses).entrypoint
        if self.planned is None:
            return entrypoint(self.inventory, self.asked.port)
        by_port = (own for own in self.planned.entrypoints if any(m.host == self.asked.port for m in own.mappings))
        return next(by_port, self.planned.entrypoint)

    @cached_property
    def installed(self) -> InstalledContour | None:
        """The Contour of the path: that of the stack, or else the published one, or else the first of the cluster."""
        existing = self.observation.stack.settings.contour.existing if self.observation.stack else None
        there = chosen(self.inventory, existing or CONTOUR_NAMESPACE) or self.inventory.once(installed)
        return there[0] if there else None

    @property
    def contour(self) -> Identity:
        """The Deployment of Contour; that of the published file if no Contour was seen."""
        seen = self.installed.contour.workload if self.installed else None
        return identity(seen.body) if seen else Identity("apps/v1", "Deployment", CONTOUR_NAMESPACE, "contour")

    @property
    def envoy_workload(self) -> Identity:
        """The workload of Envoy; that of the published file if no Envoy was seen."""
        seen = self.installed.envoys[0].resource if self.installed and self.installed.envoys else None
        return identity(seen.body) if seen else Identity("apps/v1", "DaemonSet", str(self.contour.namespace), "envoy")

    @property
    def home(self) -> str:
        """The namespace of Contour and Envoy."""
        return str(self.contour.namespace)

    @cached_property
    def entry(self) -> PortMapping | None:
        """The port mapping that the request takes: that of its port, or else that of its scheme."""
        mappings = self.entrypoint.mappings if self.entrypoint else ()
        own = next((m for m in mappings if m.host == self.asked.port), None)
        return own or next((m for m in mappings if m.scheme == self.asked.scheme), None)

    @cached_property
    def backend(self) -> Backend | None:
        """The backend for the request: as planned for its host and path, or else as an Ingress declares it."""
        known = self.planned.backends if self.planned else tuple(backends(self.inventory))
        of_host = [
            b
            for b in known
            if b.host == self.asked.host and takes_path(match_of(b), self.asked.path) and met(b.requires, self.asked)
        ]
        # Envoy tries whole paths first, then expressions, then beginnings, the longest first.
        order = {"exact": 2, "regex": 1}
        longest = max(of_host, key=lambda b: (order.get(match_of(b)[0], 0), len(b.path), len(b.requires)), default=None)
        chosen = longest or (known[0] if self.planned else None)
        service = self.get("Service", chosen.namespace, chosen.service) if chosen and chosen.foreign else None
        if chosen is None or service is None:
            return chosen
        seen = foreign_service(service, self.of("Pod", chosen.namespace))
        return replace(chosen, selector=seen.selector, pods=seen.pods, target_port=seen.targets.get(chosen.port, 0))

    @property
    def makes_service(self) -> bool:
        """Whether a stack makes the Service of the backend."""
        return bool(self.planned and self.backend and not self.backend.foreign)

    @cached_property
    def service(self) -> dict[str, JSON] | None:
        """The Service of the backend; None if there is none or it was not seen."""
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
        """The pods of the backend: those that the plan names or labels, or else those that the Service selects."""
        if self.backend is None:
            return ()
        if self.planned and self.backend.deployment:
            pods = self.labelled("Pod", self.backend.namespace, **self.backend.selector)
            return tuple(pod for pod in pods if not objects.deleting(pod))
        if self.planned:
            found = (self.get("Pod", self.backend.namespace, name) for name in self.backend.pods)
            return tuple(pod for pod in found if pod)
        selector = as_service(self.service).selector if self.service else {}
        return tuple(self.labelled("Pod", self.backend.namespace, **selector)) if selector else ()

    @cached_property
    def envoy_pods(self) -> tuple[dict[str, JSON], ...]:
        """Envoy's pods, those on the publishing node first."""
        publishing = self.publishing
        envoys = self.installed.envoys if self.installed else ()
        pods = [pod for one in envoys for pod in self.labelled("Pod", self.home, **one.labels)]
        pods = pods or list(self.labelled("Pod", self.home, app="envoy"))
        return tuple(sorted(pods, key=lambda pod: objects.node_of(pod) != publishing))

    @cached_property
    def envoy(self) -> ObservedEnvoy | None:
        """The state of the first of Envoy's pods."""
        names = [objects.full_name(pod) for pod in self.envoy_pods]
        return next((envoy for name in names for envoy in self.observation.envoys if envoy.pod == name), None)

    def envoys_on(self, node: str | None) -> tuple[dict[str, JSON], ...]:
        """Envoy's pods that run on a node or wait for it, without those that are being deleted."""
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
        """The observed state of a node; None if it was not seen."""
        return next((node for node in self.observation.nodes if node.name == name), None)

    def namespace(self, pod: Mapping[str, JSON]) -> Namespace | None:
        """The network namespace of a pod: the one on its node that has its address; None if it was not seen."""
        address = objects.address(pod)
        node = self.node(objects.node_of(pod))
        if node is None or address is None:
            return None
        return next((space for space in node.namespaces if address in addresses(space.links)), None)

    def answered(self, where: Where) -> bool:
        """Whether a request to this place was answered, by any server."""
        request = self.request(where)
        return request is not None and request.status is not None

    def through_envoy(self, where: Where) -> bool:
        """Whether the answer to a request to this place passed Envoy, or Envoy's certificate came back."""
        request = self.request(where)
        return request is not None and self.met_envoy(request)

    def met_envoy(self, request: SentRequest) -> bool:
        """Whether a request came to Envoy: by its answer, or by the certificate that Envoy shows to other requests."""
        if request.by_envoy:
            return True
        shown = request.tls.chain[:1] if request.tls else ()
        others = (
            one.tls.chain[:1] for one in self.observation.requests if one.tls and (one.by_envoy or one.where == "envoy")
        )
        return bool(shown) and request.where in THROUGH_ENVOY and shown in others

    @cached_property
    def well(self) -> bool | None:
        """Whether the followed request was answered as expected, by a pod or a redirect; None if it was not sent."""
        request = self.request("client")
        if request is None:
            return None
        # The text that is expected stands in the answer behind a redirect.
        return (request.served or request.redirected) and (
            request.expected is not False or self.observation.then is not None
        )

    def request(self, where: Where) -> SentRequest | None:
        """The first request that was sent to this place, by the family of the client's request if there is one."""
        sent = [request for request in self.observation.requests if request.where == where]
        if where not in ("node", "envoy"):
            return sent[0] if sent else None
        return next((one for one in sent if ip_version(one.address) == self.version), sent[0] if sent else None)


def _node_of(pod: Mapping[str, JSON]) -> str | None:
    """The node of a pod, or while it waits, the node that its DaemonSet chose."""
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
