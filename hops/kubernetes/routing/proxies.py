"""The trees of HTTPProxies: roots and includes.

From Contour 1.33: internal/dag.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hops.kubernetes.controller.classes import owner_of
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.resource import Resource, Rivals, content
from hops.kubernetes.routing.targets import home
from hops.kubernetes.values import JSON, UNKNOWN, Undecidable, at, sequence, text


@dataclass(frozen=True, slots=True, eq=False)
class Include:
    """An include of an HTTPProxy.

    namespace, name: the included HTTPProxy.
    proxy: the included object; None if it does not exist.
    conditions: conditions of the include as JSON values.
    pointer: JSON pointer of the include.
    """

    namespace: str | None
    name: str
    proxy: Resource | None
    conditions: Sequence[JSON]
    pointer: str


def part(body: JSON, *keys: str) -> Mapping[str, JSON] | None:
    """The mapping under the keys, which may be empty; None if there is none. Raises Undecidable if it is unknown."""
    declared = at(body, *keys)
    if declared is UNKNOWN:
        raise Undecidable
    return declared if isinstance(declared, dict) else None


def virtual_host(proxy: Resource) -> Mapping[str, JSON] | None:
    """`spec.virtualhost` of an HTTPProxy, which makes it a root; None if there is none. Raises Undecidable."""
    return part(proxy.body, "spec", "virtualhost")


def tunnel(proxy: Resource) -> Mapping[str, JSON] | None:
    """`spec.tcpproxy` of an HTTPProxy; None if there is none. Raises Undecidable if it is unknown."""
    return part(proxy.body, "spec", "tcpproxy")


def route_entries(proxy: Resource) -> Sequence[tuple[str, JSON]]:
    """The entries of `spec.routes` of an HTTPProxy as JSON values, each after its JSON pointer."""
    entries = sequence(at(proxy.body, "spec", "routes"))
    return [(f"/spec/routes/{index}", entry) for index, entry in enumerate(entries)]


@dataclass(frozen=True, slots=True)
class ProxyTLS:
    """`spec.virtualhost.tls` of an HTTPProxy.

    host: the host of the HTTPProxy; "" if missing.
    namespace: the namespace of the Secret with the certificate; None for that of the HTTPProxy.
    secret: its name; None for TLS that Contour passes through.
    minimum_version: the minimum protocol version, such as 1.2; None if none is declared.
    client_authority: the Secret with the authority of the clients' certificates, as written; "" if none is named, None
        if clients need no certificate.
    """

    host: str
    namespace: str | None
    secret: str | None
    minimum_version: str | None
    client_authority: str | None


def proxy_tls(proxy: Mapping[str, JSON]) -> ProxyTLS | None:
    """The TLS of an HTTPProxy's host; None if it has none. Raises Undecidable if it is unknown."""
    host = at(dict(proxy), "spec", "virtualhost")
    tls = part(host, "tls")
    if tls is None:
        return None
    namespace, _, secret = (text(tls.get("secretName")) or "").rpartition("/")
    validation = tls.get("clientValidation")
    return ProxyTLS(
        text(at(host, "fqdn")) or "",
        namespace or None,
        secret or None,
        text(tls.get("minimumProtocolVersion")),
        None if validation is None else text(at(validation, "caSecret")) or "",
    )


def status_messages(proxy: Resource) -> tuple[str, ...]:
    """What Contour wrote into the status of a running HTTPProxy; empty if there is no problem."""
    status = at(proxy.body, "status")
    current, description = text(at(status, "currentStatus")), text(at(status, "description"))
    return tuple(
        f"{proxy} is {current or 'without status'}: {text(at(entry, 'message'))}"
        for condition in sequence(at(status, "conditions"))
        for key in ("errors", "warnings")
        for entry in sequence(at(condition, key))
    ) or ((f"{proxy}: {description}",) if description else ())


def include_entries(proxy: Resource) -> Sequence[tuple[str, JSON]]:
    """The entries of `spec.includes` of an HTTPProxy as JSON values, each after its JSON pointer."""
    entries = sequence(at(proxy.body, "spec", "includes"))
    return [(f"/spec/includes/{index}", entry) for index, entry in enumerate(entries)]


def includes(proxy: Resource, inventory: Inventory) -> Iterator[Include]:
    """The includes of an HTTPProxy, of routes and of tcpproxy."""
    for base, entry in include_entries(proxy):
        yield _include(proxy, entry, base, inventory)
    tcp = at(proxy.body, "spec", "tcpproxy")
    for key in ("include", "includes"):
        if at(tcp, key):
            yield _include(proxy, at(tcp, key), f"/spec/tcpproxy/{key}", inventory)


def _include(proxy: Resource, entry: JSON, base: str, inventory: Inventory) -> Include:
    namespace, name = text(at(entry, "namespace")) or home(proxy), text(at(entry, "name")) or ""
    found = inventory.find("HTTPProxy", namespace, name)
    return Include(namespace, name, found, sequence(at(entry, "conditions")), base)


@dataclass(frozen=True, slots=True, eq=False)
class Proxies:
    """The trees of all HTTPProxies.

    roots: the roots by owner (see `owner_of`) and host.
    reached: all HTTPProxies that a root includes, directly or indirectly, and the roots.
    circles: the includes that form a cycle, by HTTPProxy and JSON pointer.
    whole: whether all includes are known.
    """

    roots: Mapping[tuple[str, str], Rivals[Resource]]
    reached: frozenset[Resource]
    circles: frozenset[tuple[Resource, str]]
    whole: bool


def proxies(inventory: Inventory) -> Proxies:
    """The trees of all HTTPProxies. Call it as `inventory.once(proxies)`."""
    roots: dict[tuple[str, str], Rivals[Resource]] = defaultdict(Rivals)
    first: list[Resource] = []
    edges: dict[Resource, list[Include]] = {}
    whole = True
    for proxy in inventory.of_kind("HTTPProxy"):
        edges[proxy] = []
        try:
            host = virtual_host(proxy)
            if host is not None:
                first.append(proxy)
            edges[proxy] += includes(proxy, inventory)
            if host is not None:
                roots[owner_of(proxy, inventory), (text(at(host, "fqdn")) or "").lower()].add(proxy, proxy)
        except Undecidable:
            # The proxy itself is reported as undecided, and so is every orphan.
            whole = False
    reached, circles = _walked(first, edges)
    _, others = _walked([proxy for proxy in edges if proxy not in reached], edges)
    return Proxies(roots, frozenset(reached), frozenset(circles | others), whole)


@dataclass(frozen=True, slots=True, eq=False)
class InclusionPath:
    """How a root includes an HTTPProxy.

    root: the root.
    steps: the conditions of each include on the path, from the root down.
    """

    root: Resource
    steps: tuple[Sequence[JSON], ...]


_MOST_PATHS = 64
"""Maximum number of inclusion paths to an HTTPProxy: they can double with every level of includes."""


def inclusion_paths(inventory: Inventory) -> Mapping[Resource, Sequence[InclusionPath]]:
    """How the roots include each HTTPProxy; paths with the same conditions count once.

    Call it as `inventory.once(inclusion_paths)`.
    """
    circles = inventory.once(proxies).circles
    found: dict[Resource, dict[str, InclusionPath]] = defaultdict(dict)
    rest = [(proxy, InclusionPath(proxy, ())) for proxy in inventory.of_kind("HTTPProxy") if _is_root(proxy)]
    while rest:
        proxy, path = rest.pop()
        try:
            below = list(includes(proxy, inventory))
        except Undecidable:
            # The HTTPProxy itself is reported as undecided.
            continue
        for include in below:
            if include.proxy is None or _is_root(include.proxy) or (proxy, include.pointer) in circles:
                continue
            further = InclusionPath(path.root, (*path.steps, include.conditions))
            key = content([str(path.root), *further.steps])
            known = found[include.proxy]
            if key not in known and len(known) < _MOST_PATHS:
                known[key] = further
                rest.append((include.proxy, further))
    return {proxy: list(known.values()) for proxy, known in found.items()}


def _is_root(proxy: Resource) -> bool:
    return isinstance(at(proxy.body, "spec", "virtualhost"), dict)


def _walked(
    starts: Iterable[Resource], edges: Mapping[Resource, Sequence[Include]]
) -> tuple[set[Resource], set[tuple[Resource, str]]]:
    """What can be reached, and the edges that lead back to where the walk came through."""
    seen: set[Resource] = set()
    circles: set[tuple[Resource, str]] = set()
    for start in starts:
        if start in seen:
            continue
        seen.add(start)
        trail, open_ = [(start, iter(edges[start]))], {start}
        while trail:
            proxy, rest = trail[-1]
            include = next(rest, None)
            if include is None:
                open_.discard(proxy)
                trail.pop()
            elif include.proxy in open_:
                circles.add((proxy, include.pointer))
            elif include.proxy is not None and include.proxy not in seen:
                seen.add(include.proxy)
                open_.add(include.proxy)
                trail.append((include.proxy, iter(edges[include.proxy])))
    return seen, circles
