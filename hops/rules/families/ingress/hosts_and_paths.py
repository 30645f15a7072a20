"""IN: rules for the hosts and paths of routes."""

import re
from collections.abc import Iterator, Sequence
from functools import partial

from pydantic import Field

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.ingresses import DeclaredIngress, IngressPath
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.routing.hosts import Named, bare, is_host_name, named
from hops.kubernetes.routing.proxies import virtual_host
from hops.kubernetes.routing.route import Route, looks_like_regex, matched
from hops.kubernetes.routing.routes import ROUTE_KINDS, CatchAll, RouteTable, everything_under, routes
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.settings.setting_types import Section
from hops.rules.families.samples import INGRESS
from hops.rules.patches import Operations, put
from hops.rules.rule import Breach, NoParameters, Rule, Scope, ingresses, kinds

_API = "https://kubernetes.io/docs/concepts/services-networking/ingress/"
_CONTOUR = "https://projectcontour.io/docs/1.33/config/"


@partial(
    Rule,
    code="IN03",
    title="Every rule of an Ingress has a host",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=ingresses,
    of_contour=True,
    hop=HopName.ROUTE,
    why="A rule without a host matches the requests for every name that no other rule claims, including misspelled "
    "names and names of other developers. Contour never serves such a rule over TLS.",
    remedy="Set `host` of the rule.",
    references=(_API,),
    bad=INGRESS.replace("host: web.localhost", 'host: ""'),
    good=INGRESS,
)
def host_named(ingress: DeclaredIngress, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    for rule in ingress.rules:
        if not rule.host:
            yield Breach(
                f"{rule.pointer}/host", "a rule has no host, so it matches every name that no other rule claims."
            )


@partial(
    Rule,
    code="IN04",
    title="No route has a wildcard host",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=named,
    of_contour=True,
    hop=HopName.ROUTE,
    why="A wildcard host matches requests for names that other routes may require, and hides misspelled names.",
    yields_to=("IN15",),
    remedy="Replace the wildcard with the full name of each host.",
    references=(_API + "#hostname-wildcards",),
    bad=INGRESS.replace("host: web.localhost", 'host: "*.localhost"'),
    good=INGRESS,
)
def no_wildcard(subject: Named, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    for host, pointers in subject.hosts:
        # A Gateway's listener only bounds what its routes may name.
        if "*" in host and not pointers[0].startswith(("/spec/tls", "/spec/listeners")):
            yield Breach(pointers[0], f"host {host} is a wildcard and matches every name below it.", evidence=host)
    subject.settle()


@partial(
    Rule,
    code="IN05",
    title="Each combination of host, path and path type has one route",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=kinds(*ROUTE_KINDS),
    of_contour=True,
    hop=HopName.ROUTE,
    why="If two routes match the same requests, Contour keeps only one: the HTTPProxy before the Ingress, otherwise "
    "the route that it reads last, which can change when Contour restarts. Of two HTTPRoutes, it keeps the older one. "
    "`/foo` and `/foo/` are the same Prefix. Routes with other paths, other path types or the class of another "
    "controller do not conflict.",
    remedy="Remove one of the routes, or change its host or path.",
    references=("https://github.com/projectcontour/contour/issues/3461",),
    bad=INGRESS + "---" + INGRESS.replace("name: web, namespace: apps", "name: other, namespace: apps"),
    good=INGRESS
    + "---"
    + INGRESS.replace("name: web, namespace: apps", "name: other, namespace: apps").replace("path: /", "path: /other"),
)
def claimed_once(resource: Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    table = inventory.once(routes)
    for route in table.of(resource):
        rival = table.rival(resource, route)
        if rival is None or _roots(rival.resource, resource):
            # IN17 reports two roots with one host.
            continue
        if (rival.resource, rival.pointer) != (resource, route.pointer):
            by = "an earlier route of the same object" if rival.resource is resource else str(rival.resource)
            yield Breach(route.pointer, f"{route} of {route.host or 'every host'} is also claimed by {by}.")


@partial(
    Rule,
    code="IN06",
    title="No route shadows another",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    scope=Scope.STACK,
    of=kinds(*ROUTE_KINDS),
    of_contour=True,
    hop=HopName.ROUTE,
    why="Envoy evaluates exact paths first, then regular expressions, then prefixes, and the longest of each kind "
    "first. A regular expression that matches everything below a path shadows the longer prefixes below it. A Prefix "
    "shadows the string prefix of the same path.",
    remedy="Set pathType of the wider route to Prefix, or change the path of the shadowed route.",
    references=(_CONTOUR + "ingress/", _API + "#multiple-matches"),
    bad=INGRESS.replace("path: /, pathType: Prefix", "path: /.*, pathType: ImplementationSpecific")
    + "---"
    + INGRESS.replace("name: web, namespace: apps", "name: api, namespace: apps")
    .replace("service: {name: web", "service: {name: api")
    .replace("path: /", "path: /api"),
    good=INGRESS
    + "---"
    + INGRESS.replace("name: web, namespace: apps", "name: api, namespace: apps")
    .replace("service: {name: web", "service: {name: api")
    .replace("path: /", "path: /api"),
)
def none_hidden(resource: Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    table = inventory.once(routes)
    for route in table.of(resource):
        how, path = route.match
        wider = _wider(route, table)
        if wider and not route.ends_with(wider.route):
            yield Breach(
                route.pointer,
                f"{route} of {route.host} receives no request: {wider.route} of {wider.route.resource} matches first.",
                _as_prefix(table, wider),
                patches=wider.route.resource,
            )
        elif how == "string" and not path.endswith("/"):
            rivals = table.claims.get((route.owner, route.host, ("segment", path), ""))
            if rivals and not route.ends_with(rivals[0]):
                yield Breach(
                    route.pointer,
                    f"{route} of {route.host} receives only paths that continue without a slash, such as {path}bar: "
                    f"Prefix {path} of {rivals[0].resource} matches first.",
                )


def _roots(one: Resource, other: Resource) -> bool:
    """Whether these are two HTTPProxies with a virtualhost."""
    both = one is not other and one.kind == other.kind == "HTTPProxy"
    return both and virtual_host(one) is not None and virtual_host(other) is not None


def _redeclared(one: Resource, other: Resource) -> bool:
    """Whether these are two declarations of the same object."""
    return one is not other and one.same_object(other)


def _wider(route: Route, table: RouteTable) -> CatchAll | None:
    """The regular expression that takes every request for the path before the route does."""
    caught = table.caught.get((route.owner, route.host))
    how, path = route.match
    if not caught or how == "exact":
        return None
    plain = path
    if how == "regex":
        # What it surely begins with.
        plain = re.match(r"[\w/.~-]*", path)[0].rpartition("/")[0] + "/"  # type: ignore[index]
    for length in range(min(len(plain), max(map(len, caught))) + 1):
        for wider in caught.get(plain[:length], {}).values():
            whole = not wider.segments or "/" in (plain[length - 1 : length], plain[length : length + 1] or "/")
            first = how != "regex" or len(wider.route.match[1]) > len(path)
            other = wider.route is not route and not _redeclared(wider.route.resource, route.resource)
            if whole and first and other:
                return wider
    return None


def _as_prefix(table: RouteTable, wider: CatchAll) -> Operations:
    """Makes the regular expression of an Ingress the Prefix that it means."""
    route, path = wider.route, wider.under.rstrip("/") or "/"
    free = table.free(route.resource, route.pointer, matched(path, "Prefix"))
    if route.resource.kind != "Ingress" or not free or _refused(path, "Prefix"):
        return ()
    return put(f"{route.pointer}/path", path), put(f"{route.pointer}/pathType", "Prefix")


@partial(
    Rule,
    code="IN07",
    title="pathType is Prefix or Exact",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.RESOURCE,
    of=ingresses,
    of_contour=True,
    hop=HopName.ROUTE,
    remediable=True,
    why="The meaning of ImplementationSpecific depends on the controller. Contour treats a path that contains one of "
    "^+*[]% as a regular expression for the whole path, and any other path as a string prefix: /foo also matches "
    "/foobar. Prefix and Exact have the same meaning in every controller and match * literally, so a pattern in such a "
    "path is compared as text. The path / has the same meaning with every pathType.",
    remedy="Set pathType to Prefix or Exact; use an HTTPProxy for regular expressions.",
    references=(_API + "#path-types", _CONTOUR + "ingress/"),
    bad=INGRESS.replace("path: /, pathType: Prefix", "path: /foo, pathType: ImplementationSpecific"),
    good=INGRESS.replace("path: /,", "path: /foo,"),
)
def path_type(ingress: DeclaredIngress, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    for rule in ingress.rules:
        for entry in rule.paths:
            path = entry.path or "/"
            regex = looks_like_regex(path)
            if entry.path_type == "ImplementationSpecific" and path == "/":
                continue
            if entry.path_type is None and ingress.resource.api_version != "networking.k8s.io/v1":
                # A removed version, which AP01 reports, in which every path had a pathType.
                continue
            if entry.path_type not in ("Prefix", "Exact"):
                given = f"pathType {entry.path_type}" if entry.path_type else "no pathType"
                matched_by = "as a regular expression" if regex else "as a string prefix"
                message = f"Contour matches path {path} with {given} {matched_by}."
                yield Breach(f"{entry.pointer}/pathType", message, _typed(ingress, entry, inventory))
            elif _PATTERN.search(path):
                plain = _meant(path)
                message = f"path {path} with pathType {entry.path_type} is matched literally and not as a pattern."
                remedy = "Write one path for each alternative, or use an HTTPProxy with a regex condition."
                if plain not in (None, path):
                    remedy = f"Set path to {plain} with pathType Prefix, or use an HTTPProxy with a regex condition."
                operations = _typed(ingress, entry, inventory) if plain != path else ()
                yield Breach(f"{entry.pointer}/path", message, operations, remedy=remedy)


# Characters that no URL path contains unescaped, and what has a meaning only in a pattern: .*, (a|b), $ and /:name.
_PATTERN = re.compile(r"[{}|^\[\]\\?]|\.[*+]|\)[*+]|\*|\$$|/:[A-Za-z_]\w*(?=/|$)")


def _meant(path: str) -> str | None:
    """The Prefix that a path means, None where no Prefix says the same."""
    if not looks_like_regex(path):
        return path
    under = everything_under(path) or ((path[:-2], True) if path.endswith("/*") else None)
    return (under[0].rstrip("/") or "/") if under and not looks_like_regex(under[0]) else None


def _typed(ingress: DeclaredIngress, entry: IngressPath, inventory: Inventory) -> Operations:
    path = _meant(entry.path or "/")
    if path is None or _refused(path, "Prefix"):
        return ()
    # Exact, exact and so on are only misspelt.
    kind = "Exact" if (entry.path_type or "").lower() == "exact" and path == entry.path else "Prefix"
    if not inventory.once(routes).free(ingress.resource, entry.pointer, matched(path, kind)):
        return ()
    return (
        *((put(f"{entry.pointer}/path", path),) if path != entry.path else ()),
        put(f"{entry.pointer}/pathType", kind),
    )


@partial(
    Rule,
    code="IN08",
    title="The API server accepts the path",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.RESOURCE,
    of=ingresses,
    hop=HopName.ROUTE,
    why="The API server rejects a path without a leading slash. For Prefix and Exact it also rejects //, /./, /../ "
    "and an encoded slash. The preview succeeds and the update fails.",
    remedy="Set `path` to the path that clients request, with a leading slash and without empty, dot or encoded "
    "segments.",
    references=("https://kubernetes.io/docs/reference/kubernetes-api/service-resources/ingress-v1/",),
    bad=INGRESS.replace("path: /,", "path: /foo//bar,"),
    good=INGRESS.replace("path: /,", "path: /foo/bar,"),
)
def path_taken(ingress: DeclaredIngress, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    for rule in ingress.rules:
        for entry in rule.paths:
            problem = _refused(entry.path, entry.path_type)
            if problem:
                mended = _normal(entry.path or "/")
                match = matched(mended, entry.path_type)
                free = inventory.once(routes).free(ingress.resource, entry.pointer, match)
                yield Breach(
                    f"{entry.pointer}/path",
                    f"the API server rejects path {entry.path or '(none)'}: the path {problem}.",
                    (put(f"{entry.pointer}/path", mended),) if free else (),
                    evidence=entry.path or "",
                )


def _refused(path: str | None, path_type: str | None) -> str:
    """Why the API server rejects a path, as a predicate; "" if it accepts it (pkg/apis/networking/validation)."""
    plain = path_type in ("Prefix", "Exact")
    if not path:
        return "is missing" if plain else ""
    if not path.startswith("/"):
        return "does not start with /"
    if plain:
        for sequence_ in ("//", "/./", "/../", "%2f", "%2F"):
            if sequence_ in path:
                return f"contains {sequence_}"
        for end in ("/..", "/."):
            if path.endswith(end):
                return f"ends with {end}"
    return ""


def _normal(path: str) -> str:
    parts: list[str] = []
    for segment in re.sub("%2f", "/", path, flags=re.IGNORECASE).split("/"):
        if segment == "..":
            parts = parts[:-1]
        elif segment not in ("", "."):
            parts.append(segment)
    return "/" + "/".join(parts) + ("/" if parts and path.endswith("/") else "")


class Suffixes(Section):
    """Parameters of IN13.

    suffixes: allowed suffixes of hosts, such as alice.localhost. If empty, every host is allowed.
    """

    suffixes: tuple[str, ...] = Field((), examples=[["alice.localhost"]])


@partial(
    Rule,
    code="IN13",
    title="A host has an allowed suffix",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.RESOURCE,
    of=named,
    hop=HopName.NAME,
    parameters=Suffixes,
    why="A host outside the suffix that was agreed for a stack intercepts the requests of another developer, or does "
    "not resolve. The rule is inactive until the parameter `suffixes` is set.",
    remedy="Change the host to a name below one of the `suffixes` of IN13.",
    bad=INGRESS
    + """---
apiVersion: ingress-hops/v1
kind: Policy
rules: {IN13: {parameters: {suffixes: [alice.localhost]}}}
""",
    good=INGRESS.replace("web.localhost", "web.alice.localhost")
    + """---
apiVersion: ingress-hops/v1
kind: Policy
rules: {IN13: {parameters: {suffixes: [alice.localhost]}}}
""",
)
def own_suffix(subject: Named, inventory: Inventory, parameters: Suffixes) -> Iterator[Breach]:
    suffixes = [suffix.lower().strip(".") for suffix in parameters.suffixes]
    if not suffixes:
        return
    for host, pointers in subject.hosts:
        if not any(f".{bare(host)}".endswith(f".{suffix}") for suffix in suffixes):
            new = f"{bare(host).partition('.')[0]}.{suffixes[0]}"
            yield Breach(
                pointers[0],
                f"host {host} is not below {' or '.join(suffixes)}.",
                _renamed(pointers, new, inventory),
                evidence=host,
            )
    subject.settle()


def _renamed(pointers: Sequence[str], new: str, inventory: Inventory) -> Operations:
    """Another host at every place where an object has it, unless somebody has the new one already."""
    if not is_host_name(new) or new in inventory.once(_hosts):
        return ()
    return _everywhere(pointers, new)


def _everywhere(pointers: Sequence[str], value: str) -> Operations:
    return tuple({"op": "replace", "path": where, "value": value} for where in pointers)


def _hosts(inventory: Inventory) -> frozenset[str]:
    return frozenset(bare(host) for subject in named(inventory) for host, _ in subject.hosts)


@partial(
    Rule,
    code="IN14",
    title="No host ends in .local",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    scope=Scope.RESOURCE,
    of=named,
    hop=HopName.NAME,
    why="Names in .local are reserved for multicast DNS (RFC 6762): a resolver queries the local network first and "
    "waits for an answer, or ignores the answer of its DNS server. Names in .localhost resolve to this machine "
    "everywhere; .test is reserved for tests.",
    remedy="Change the host to a name in .localhost, or to a name in .test with an entry in the hosts file.",
    references=("https://www.rfc-editor.org/rfc/rfc6762", "https://www.rfc-editor.org/rfc/rfc6761"),
    bad=INGRESS.replace("web.localhost", "web.local"),
    good=INGRESS,
)
def not_local(subject: Named, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    for host, pointers in subject.hosts:
        name = bare(host)
        if f".{name}".endswith(".local"):
            yield Breach(
                pointers[0],
                f"host {host} ends in .local, which resolvers look up by multicast DNS.",
                _renamed(pointers, name.removesuffix("local") + "localhost", inventory),
                evidence=host,
            )
    subject.settle()


@partial(
    Rule,
    code="IN15",
    title="A host is a DNS name",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=named,
    hop=HopName.NAME,
    why="The API server rejects a host with an IP address, a port, a scheme or capital letters: the preview succeeds "
    "and the update fails. It accepts a label of more than 63 characters, but no resolver does.",
    remedy="Change the host to a DNS name in lower case, without scheme, port or path.",
    references=(_API, "https://www.rfc-editor.org/rfc/rfc1123"),
    bad=INGRESS.replace("web.localhost", "Web.localhost:8080"),
    good=INGRESS,
)
def dns_name(subject: Named, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    for host, pointers in subject.hosts:
        if not is_host_name(host):
            name = bare(host)
            operations = _everywhere(pointers, name) if is_host_name(name) else ()
            yield Breach(pointers[0], f"host {host} is not a DNS name in lower case.", operations, evidence=host)
    subject.settle()
