"""The requests that an observation sends to the hops of a path."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hops.kubernetes import objects
from hops.kubernetes.resources import docker_containers
from hops.kubernetes.resources.pods import as_pod
from hops.kubernetes.resources.services import as_service, load_balancers
from hops.kubernetes.values import JSON
from hops.model.hop import ip_version
from hops.model.plan import ENVOY_PORTS
from hops.trace.facts.declared_routes import shares
from hops.trace.facts.path_facts import PathFacts
from hops.trace.observed.observation import FollowedRequest, Where

_MOST = 5
SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
"""Methods that change nothing (RFC 9110, section 9.2.1)."""


@dataclass(frozen=True)
class Probe:
    """A request to send.

    where: the place to which it is sent.
    address, port: its target.
    method: its method.
    node: the node that sends it; None for this machine.
    namespace: the network namespace of the node in which it is sent; None for the node's own.
    pod: namespace/name of the pod that it goes to; None if it goes to no pod directly.
    scheme: http or https; the requests to pods and Services are plain, as those of Envoy are: http, or for a gRPC call
        h2c, HTTP/2 without TLS.
    """

    where: Where
    address: str
    port: int
    method: str = "GET"
    node: str | None = None
    namespace: str | None = None
    pod: str | None = None
    scheme: str = "http"


def probing(asked: FollowedRequest) -> str:
    """The method of all requests except the followed one; it changes nothing. A gRPC server resets all but POST."""
    return asked.method if asked.grpc else asked.method if asked.method in SAFE else "GET"


def published(view: PathFacts) -> tuple[str, ...]:
    """The addresses at which requests should enter, whatever the host name resolves to; empty if unknown."""
    if view.entrypoint and view.entrypoint.listen:
        return view.entrypoint.clients
    for service in view.of("Service"):
        declared = as_service(service)
        if declared.type == "LoadBalancer" and declared.selector.get("app") == "envoy":
            return tuple(each for ip, name in load_balancers(service) if (each := ip or name))[:1]
    return ()


def probes(view: PathFacts) -> tuple[Probe, ...]:
    """The requests that nodes send to the later hops, one for each hop with a known address."""
    return tuple(_probes(view))


def _probes(view: PathFacts) -> Iterator[Probe]:
    method, plain = probing(view.asked), "h2c" if view.asked.grpc else "http"
    envoy = next((pod for pod in view.envoy_pods if objects.address(pod)), None)
    yield from _entering(view, envoy, method)
    if view.backend is None:
        return
    dialled = {one.address for one in view.endpoints(view.backend.namespace, view.backend.service)}
    whole = [(pod, address) for pod in view.pods[:_MOST] for address in objects.addresses(pod)]
    for pod, address in whole:
        # Envoy connects to a pod by the families of its Service.
        if address != objects.address(pod) and address not in dialled:
            continue
        port = view.backend.target_port
        yield Probe("pod", address, port, method, objects.node_of(pod), pod=objects.full_name(pod), scheme=plain)
        if envoy:
            space = view.namespace(envoy)
            # With hostNetwork, Envoy has no namespace of its own. A namespace that was not seen cannot be entered.
            if space or as_pod(envoy).host_network:
                of_envoy = objects.node_of(envoy)
                yield Probe(
                    "pod from envoy",
                    address,
                    port,
                    method,
                    of_envoy,
                    space.name if space else None,
                    objects.full_name(pod),
                    plain,
                )
    yield from _others(view, envoy, method)
    cluster_ip = objects.cluster_ip(view.service)
    if view.neighbour and cluster_ip:
        yield Probe("service", cluster_ip, view.backend.port, method, view.neighbour, scheme=plain)


def _entering(view: PathFacts, envoy: Mapping[str, JSON] | None, method: str) -> Iterator[Probe]:
    """The requests to the publishing node and to its Envoy, by each family in which the port is published."""
    publishing, inside, scheme = view.publishing, view.node_port, view.asked.scheme
    versions = {ip_version(address) for address in published(view)} or {ip_version(None)}
    own = [
        address
        for address in docker_containers.addresses(
            view.containers.get(publishing or ""), *docker_containers.BOTH_FAMILIES
        )
        if ip_version(address) in versions
    ]
    if publishing and inside:
        yield from (Probe("node", address, inside, method, publishing, scheme=scheme) for address in own)
        if view.asked.from_node and own:
            yield Probe("client", own[0], inside, view.asked.method, publishing, scheme=scheme)
    for address in objects.addresses(envoy) if envoy else ():
        if envoy and (ip_version(address) in versions or address == objects.address(envoy)):
            pod, port = objects.full_name(envoy), _envoy_port(envoy, view)
            sender = publishing or objects.node_of(envoy)
            yield Probe("envoy", address, port, method, sender, pod=pod, scheme=scheme)


def _others(view: PathFacts, envoy: Mapping[str, JSON] | None, method: str) -> Iterator[Probe]:
    """The requests to the pods of the route's other backends, from Envoy's network."""
    space = view.namespace(envoy) if envoy else None
    if envoy is None or not (space or as_pod(envoy).host_network):
        return
    own = {address for pod in view.pods for address in objects.addresses(pod)}
    for share in [one for one in shares(view) if one.address not in own][:_MOST]:
        name = space.name if space else None
        yield Probe("pod from envoy", share.address, share.port, method, objects.node_of(envoy), name)


def _envoy_port(pod: Mapping[str, JSON], view: PathFacts) -> int:
    """The port of Envoy's container that the node's port leads to."""
    ports, entry, scheme = list(as_pod(pod).ports), view.entry, view.asked.scheme
    behind = next((port.container_port for port in ports if entry and port.host_port == entry.node), None)
    named = next((port.container_port for port in ports if port.name == scheme), None)
    return behind or named or (entry.envoy if entry else ENVOY_PORTS[scheme])
