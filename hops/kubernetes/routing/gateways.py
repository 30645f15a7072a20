"""Gateways, their listeners, and the Gateway API routes that the listeners accept.

From Gateway API 1.3: apis/v1/gateway_types.go, apis/v1/shared_types.go.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hops.kubernetes import objects
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.policies.label_selectors import selects
from hops.kubernetes.resources.resource import GATEWAY_GROUP, Resource
from hops.kubernetes.routing.targets import home
from hops.kubernetes.values import JSON, UNKNOWN, Undecidable, at, number, pairs, sequence, text, texts

CONTOUR_CONTROLLER = "projectcontour.io/"
"""Prefix of the controller names of Contour's GatewayClasses."""
CONTOUR_TLS = "projectcontour.io/https"
"""Contour's protocol of a listener for the TLS of Ingresses and HTTPProxies (internal/gatewayapi/listeners.go)."""
NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""The label that the API server sets on every Namespace."""
_KINDS: Mapping[str, tuple[str, ...]] = {
    "HTTP": ("HTTPRoute", "GRPCRoute"),
    "HTTPS": ("HTTPRoute", "GRPCRoute"),
    "TLS": ("TLSRoute", "TCPRoute"),
    "TCP": ("TCPRoute",),
    "UDP": ("UDPRoute",),
    CONTOUR_TLS: (),
}
"""The kinds of route that a listener accepts by default, by protocol."""


_SCHEMES = {"HTTP": "http", "HTTPS": "https", "TLS": "https", CONTOUR_TLS: "https"}
"""The schemes of the protocols for which Contour opens a listener."""


@dataclass(frozen=True, slots=True, eq=False)
class GatewayListener:
    """One listener of a Gateway.

    gateway: the Gateway.
    name: name of the listener.
    protocol: HTTP, HTTPS, TLS, TCP, UDP or a controller's own.
    port: as declared; None if missing.
    host: host name in lower case, which may begin with *.; "" for every host.
    body: the listener as JSON values.
    pointer: JSON pointer of the listener inside the Gateway.
    """

    gateway: Resource
    name: str
    protocol: str
    port: int | None
    host: str
    body: JSON
    pointer: str


@dataclass(frozen=True, slots=True, eq=False)
class Attachment:
    """What one parentRef of a route leads to.

    gateway: the Gateway; None if it does not exist or is not declared.
    listeners: the listeners that accept the route; empty if the Gateway is not declared.
    problem: why no listener accepts the route, as a clause; "" if one does, or if this cannot be known.
    pointer: JSON pointer of the field in the route that the problem is about.
    reference: the parentRef as JSON values.
    """

    gateway: Resource | None
    listeners: tuple[GatewayListener, ...]
    problem: str
    pointer: str
    reference: JSON

    @property
    def known(self) -> bool:
        """Whether the Gateway is declared, or certainly does not exist."""
        return self.gateway is not None or bool(self.problem)


def gateways_known(inventory: Inventory) -> bool:
    """Whether the Gateways are declared, so that an undeclared one does not exist."""
    return inventory.live or any(inventory.of_kind("Gateway"))


def listeners(gateway: Resource) -> tuple[GatewayListener, ...]:
    """The listeners of a Gateway."""
    return tuple(
        GatewayListener(
            gateway,
            text(at(entry, "name")) or "",
            text(at(entry, "protocol")) or "",
            number(at(entry, "port")),
            (text(at(entry, "hostname")) or "").lower(),
            entry,
            f"/spec/listeners/{index}",
        )
        for index, entry in enumerate(sequence(at(gateway.body, "spec", "listeners")))
    )


def attachments(route: Resource, inventory: Inventory) -> tuple[Attachment, ...]:
    """What the parentRefs of a route lead to. Raises Undecidable if a field that decides this is unknown."""
    return tuple(
        _attachment(route, entry, f"/spec/parentRefs/{index}", inventory)
        for index, entry in enumerate(sequence(at(route.body, "spec", "parentRefs")))
    )


def detached(route: Resource, inventory: Inventory) -> str:
    """Why no Gateway accepts a route, as a clause; "" if one does or may. Raises Undecidable like `attachments`."""
    found = attachments(route, inventory)
    if not found:
        return "the route has no parentRefs" if inventory.once(gateways_known) else ""
    if all(_kind_of(one.reference) != ("Gateway", GATEWAY_GROUP) for one in found):
        # A parentRef to a Service configures a mesh (GAMMA): no request from outside follows the route.
        return "none of its parentRefs is a Gateway"
    return "; ".join(one.problem for one in found) if all(one.problem for one in found) else ""


def route_hosts(route: Resource) -> tuple[str, ...]:
    """The host names of a route in lower case; one empty name if it has none and takes every host."""
    return tuple(host.lower() for host in texts(at(route.body, "spec", "hostnames"))) or ("",)


def common_host(listener: str, route: str) -> str | None:
    """The host that both a listener and a route take; None if there is none. "" stands for every host."""
    if not listener or not route or listener == route:
        return route or listener
    # A wildcard covers any number of labels, and another wildcard below it.
    if listener.startswith("*.") and route.endswith(listener[1:]):
        return route
    return listener if route.startswith("*.") and listener.endswith(route[1:]) else None


def of_another_gateway(route: Resource, inventory: Inventory) -> bool:
    """Whether another controller than Contour certainly handles every parent of a route. Raises Undecidable."""
    found = attachments(route, inventory)
    return bool(found) and all(
        _kind_of(one.reference) != ("Gateway", GATEWAY_GROUP)
        or (one.gateway is not None and not by_contour(one.gateway, inventory))
        for one in found
    )


def contours_class(gateway_class: Resource) -> bool:
    """Whether a GatewayClass names Contour as its controller."""
    return (text(at(gateway_class.body, "spec", "controllerName")) or "").startswith(CONTOUR_CONTROLLER)


def by_contour(gateway: Resource, inventory: Inventory) -> bool:
    """Whether Contour handles a Gateway: by its GatewayClass, and if that is not declared, presumably."""
    name = text(at(gateway.body, "spec", "gatewayClassName")) or ""
    declared = inventory.find("GatewayClass", None, name)
    return declared is None or contours_class(declared)


def programmed_without(scheme: str, inventory: Inventory) -> Resource | None:
    """The Gateway by whose listeners Contour serves every route, if none of them is for a scheme.

    Contour accepts the one Gateway that its configuration names (internal/dag/listener_processor.go).

    scheme: http or https.
    """
    for gateway in inventory.of_kind("Gateway"):
        accepted = objects.condition(gateway.body, "Accepted")
        if by_contour(gateway, inventory) and accepted and accepted.status == "True":
            served = {_SCHEMES.get(listener.protocol) for listener in listeners(gateway)}
            return None if scheme in served else gateway
    return None


def _attachment(route: Resource, reference: JSON, base: str, inventory: Inventory) -> Attachment:
    if _kind_of(reference) != ("Gateway", GATEWAY_GROUP):
        return Attachment(None, (), "", base, reference)
    namespace, name = text(at(reference, "namespace")) or home(route), text(at(reference, "name")) or ""
    gateway = inventory.find("Gateway", namespace, name)
    if gateway is None:
        others = [other for other in inventory.of_kind("Gateway") if home(other) == namespace]
        if not inventory.once(gateways_known):
            return Attachment(None, (), "", base, reference)
        there = f" (Gateways there: {', '.join(other.name for other in others)})" if others else ""
        return Attachment(
            None, (), f"Gateway {name} {inventory.lacks} in namespace {namespace}{there}", f"{base}/name", reference
        )
    left: Sequence[GatewayListener] = listeners(gateway)
    for accepts, problem, where in (
        (_of_section, _no_section, "/sectionName"),
        (_of_port, _no_port, "/port"),
        (_of_kind, _no_kind, ""),
        (_of_namespace, _no_namespace, ""),
        (_of_host, _no_host, None),
    ):
        accepted = [one for one in left if accepts(one, route, reference, inventory)]
        if not accepted:
            pointer = "/spec/hostnames" if where is None else base + where
            return Attachment(gateway, (), problem(gateway, left, route, reference), pointer, reference)
        left = accepted
    return Attachment(gateway, tuple(left), "", base, reference)


def _kind_of(reference: JSON) -> tuple[str, str]:
    group = text(at(reference, "group"))
    # An empty group is the core group of a Service.
    return text(at(reference, "kind")) or "Gateway", GATEWAY_GROUP if group is None else group


def _of_section(listener: GatewayListener, _: Resource, reference: JSON, __: Inventory) -> bool:
    return (text(at(reference, "sectionName")) or listener.name) == listener.name


def _no_section(gateway: Resource, all_: Sequence[GatewayListener], _: Resource, reference: JSON) -> str:
    section = text(at(reference, "sectionName"))
    if not all_ or not section:
        return f"{gateway} has no listener"
    return f"{gateway} has no listener {section} (its listeners: {', '.join(one.name for one in all_)})"


def _of_port(listener: GatewayListener, _: Resource, reference: JSON, __: Inventory) -> bool:
    return (number(at(reference, "port")) or listener.port) == listener.port


def _no_port(gateway: Resource, left: Sequence[GatewayListener], _: Resource, reference: JSON) -> str:
    ports = ", ".join(f"{one.name}: {one.port}" for one in left)
    return f"{gateway} has no listener on port {number(at(reference, 'port'))} ({ports})"


def _of_kind(listener: GatewayListener, route: Resource, _: JSON, __: Inventory) -> bool:
    allowed = sequence(at(listener.body, "allowedRoutes", "kinds"))
    if not allowed:
        return route.kind in _KINDS.get(listener.protocol, (route.kind,))
    return any(
        at(entry, "kind") == route.kind and (text(at(entry, "group")) or GATEWAY_GROUP) == GATEWAY_GROUP
        for entry in allowed
    )


def _no_kind(gateway: Resource, left: Sequence[GatewayListener], route: Resource, _: JSON) -> str:
    return f"{_named(left)} of {gateway} accepts no {route.kind} ({', '.join(one.protocol for one in left)})"


def _of_namespace(listener: GatewayListener, route: Resource, _: JSON, inventory: Inventory) -> bool:
    allowed = at(listener.body, "allowedRoutes", "namespaces")
    given, own = text(at(allowed, "from")) or "Same", home(route)
    if given == "All":
        return True
    if given != "Selector":
        return given == "Same" and own == home(listener.gateway)
    selector = at(allowed, "selector")
    declared = inventory.find("Namespace", None, own or "")
    if declared is None and not _by_name_alone(selector):
        # The labels of an undeclared namespace are unknown, so it may be selected.
        return not inventory.live
    labels = declared.labels if declared else {}
    return selects(selector, {**labels, NAMESPACE_NAME: own or ""})


def _by_name_alone(selector: JSON) -> bool:
    """Whether a selector depends on the namespace's name only."""
    keys = [*pairs(at(selector, "matchLabels")), *(at(e, "key") for e in sequence(at(selector, "matchExpressions")))]
    if any(key is UNKNOWN for key in keys):
        raise Undecidable
    return all(key == NAMESPACE_NAME for key in keys)


def _no_namespace(gateway: Resource, left: Sequence[GatewayListener], route: Resource, _: JSON) -> str:
    given = {text(at(one.body, "allowedRoutes", "namespaces", "from")) or "Same" for one in left}
    accepted = {
        "Same": f"from its own namespace {gateway.namespace}",
        "Selector": "from the namespaces that its selector matches",
        "None": "from no namespace",
    }
    how = " or ".join(accepted.get(one, f"with namespaces.from {one}") for one in sorted(given))
    return f"{_named(left)} of {gateway} accepts routes only {how}, and not from {home(route)}"


def _of_host(listener: GatewayListener, route: Resource, _: JSON, __: Inventory) -> bool:
    return any(common_host(listener.host, host) is not None for host in route_hosts(route))


def _no_host(gateway: Resource, left: Sequence[GatewayListener], route: Resource, _: JSON) -> str:
    hosts = ", ".join(dict.fromkeys(one.host for one in left))
    return f"{_named(left)} of {gateway} accepts only {hosts}, and not {', '.join(route_hosts(route))}"


def _named(left: Sequence[GatewayListener]) -> str:
    return f"listener{'s' if len(left) > 1 else ''} {' and '.join(one.name for one in left)}"


def unserved_hosts(route: Resource, found: Sequence[Attachment]) -> Iterator[tuple[str, str]]:
    """The host names of a route that none of its listeners takes, each with its JSON pointer, if another is taken."""
    if not all(one.known for one in found):
        return
    accepting = [listener for one in found for listener in one.listeners]
    for index, host in enumerate(texts(at(route.body, "spec", "hostnames"))):
        if accepting and all(common_host(listener.host, host.lower()) is None for listener in accepting):
            yield host, f"/spec/hostnames/{index}"
