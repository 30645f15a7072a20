"""IN17 and IN18: whether the controller accepts an HTTPProxy or a Gateway API route."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

from hops.kubernetes.controller.classes import class_of, owner_of
from hops.kubernetes.controller.contour import contours
from hops.kubernetes.controller.proxy_fields import condition_problem, host_problems, route_problems
from hops.kubernetes.controller.secrets import secret_problem
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.routing.gateways import attachments, gateways_known, unserved_hosts
from hops.kubernetes.routing.proxies import (
    Include,
    include_entries,
    includes,
    inclusion_paths,
    part,
    proxies,
    route_entries,
    tunnel,
    virtual_host,
)
from hops.kubernetes.routing.proxy_routes import merged
from hops.kubernetes.routing.routes import targets
from hops.kubernetes.routing.targets import GATEWAY_ROUTES, home, port_of
from hops.kubernetes.values import Undecidable, at, flag, sequence, text
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.rules.families.samples import SERVICE
from hops.rules.families.tls import Certificates
from hops.rules.rule import Breach, NoParameters, Rule, Scope, kinds

_HTTPPROXY = "https://projectcontour.io/docs/1.33/config/fundamentals/"


@partial(
    Rule,
    code="IN17",
    title="An HTTPProxy is valid",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=kinds("HTTPProxy"),
    hop=HopName.ROUTE,
    parameters=Certificates,
    parameters_of="TL04",
    why="Contour marks an HTTPProxy as invalid if two roots have the same host, if no root includes it, if the "
    "conditions of a route contradict each other, if fields exclude each other or have a value that Contour cannot "
    "parse, or if an included HTTPProxy, a Service or a certificate does not exist. The conditions of a route include "
    "those of the includes that lead to it, and the providers of its tokens are those of the root. Contour then serves "
    "none of its routes, or an error, and reports this only in the object's status after the update.",
    remedy="Correct the field that the message names.",
    references=(_HTTPPROXY, "https://projectcontour.io/docs/1.33/config/inclusion-delegation/"),
    bad=SERVICE
    + """---
apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata: {name: web, namespace: apps}
spec:
  virtualhost: {fqdn: web.localhost}
  includes: [{name: api, conditions: [{prefix: /api}]}]
  routes: [{services: [{name: web, port: 80}]}]
""",
    good=SERVICE
    + """---
apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata: {name: web, namespace: apps}
spec:
  virtualhost: {fqdn: web.localhost}
  includes: [{name: api, conditions: [{prefix: /api}]}]
  routes: [{services: [{name: web, port: 80}]}]
---
apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata: {name: api, namespace: apps}
spec: {routes: [{services: [{name: web, port: 80}]}]}
""",
)
def valid_tree(proxy: Resource, inventory: Inventory, parameters: Certificates) -> Iterator[Breach]:
    for breach in _invalid(proxy, inventory, parameters):
        yield breach if breach.remedy else replace(breach, remedy=_remedy(breach.message))


_REMEDIES: Mapping[str, str] = {
    # The tree.
    "no virtualhost, and no root": "Add virtualhost with fqdn, or include the HTTPProxy from a root.",
    "also has host": "Write another fqdn in one of the two, or let one of them include the other.",
    "virtualhost has no fqdn": "Set virtualhost.fqdn to the host name.",
    "neither routes nor includes": "Add routes or includes.",
    r"HTTPProxy (\S+) (?:does|is) not \w+ in namespace (\S+)\.": "Correct the name or namespace of the include, or "
    r"create HTTPProxy \1 in namespace \2.",
    "is included but has another ingress class": "Set the same ingressClassName in both.",
    r"the included (\S+) is a root": r"Remove virtualhost from \1, or remove the include.",
    "includes this HTTPProxy again": "Remove the include that leads back.",
    "only prefix is allowed": "Write a prefix condition here, and the other condition in a route of the included "
    "HTTPProxy.",
    "an earlier include has the same conditions": "Change the conditions, or remove one of the includes.",
    # Conditions.
    "more than one condition matches the path": "Keep one prefix, exact or regex condition, and write a route for each "
    "other path.",
    r"path (\S+) of a condition does not start with /": r"Write /\1.",
    "two exact conditions have": "Keep one of the conditions, and write a route for each other value.",
    "contradict each other": "Remove one of the two conditions.",
    "queryParameter .* requires exactly one": "Write one of exact, prefix, suffix, regex, contains and present.",
    "is not a regular expression of RE2": "Correct the expression; RE2 has no look-around and no back-references.",
    # Services and Secrets.
    r"^Service (\S+) (?:does|is) not \w+ in namespace (\S+)\.": "Correct the name of the service, or declare "
    r"Service \1 in namespace \2.",
    r"^(Service/\S+) has no TCP port (\d+)": r"Write a TCP port of \1, or add port \2 to it.",
    "has no name or no port": "Set name and port of the entry.",
    r"no TLSCertificateDelegation in namespace (\S+) allows namespace (\S+) to use Secret (\S+)\.": "Declare a "
    r"TLSCertificateDelegation in namespace \1 with secretName \3 and targetNamespaces [\2], or use a Secret of "
    r"namespace \2.",
    r"^Secret (\S+) (?:does|is) not \w+ in namespace (\S+)\.": r"Correct the name, declare Secret \1 in namespace "
    r"\2, or add Secret/\2/\1 to the parameter `given` of TL04 if it exists outside the stack.",
    "kubernetes.io/tls is required": "Set the type of the Secret to kubernetes.io/tls.",
    r"^(Secret/\S+) has no (.+)\.": r"Add \2 to the data of \1.",
    r"^ExtensionService (\S+) (?:does|is) not \w+ in namespace (\S+)\.": r"Correct extensionRef, or declare "
    r"ExtensionService \1 in namespace \2.",
    # TLS and tokens.
    "tls sets neither": "Set secretName, or set passthrough to true.",
    r"^tcpproxy requires": "Set virtualhost.tls.secretName, or set virtualhost.tls.passthrough to true.",
    r"^(\w+) requires? virtualhost.tls": r"Set virtualhost.tls.secretName, or remove \1.",
    "minimumProtocolVersion is higher": 'Set minimumProtocolVersion to "1.2", or maximumProtocolVersion to "1.3".',
    "clientValidation requires": "Set caSecret to the Secret with the certificates of the authority.",
    "two jwtProviders have the name": "Rename one of the providers, or remove it.",
    "both the default of jwtProviders": "Set default to true for one provider only.",
    "not a URL with the scheme": "Write a URL such as https://example.com/keys.json.",
    "validation requires a URI": "Write a uri with https, or remove validation.",
    r"has no provider (\S+)\.": r"Correct the name, or declare provider \1 in virtualhost.jwtProviders of the root.",
    # Fields that exclude each other.
    r"sets both (\w+) and (\w+)": r"Remove \1 or \2.",
    r"^(\w+) excludes (\w+)": r"Remove \1 or \2.",
    r"(\w+) and (\w+) exclude each other": r"Remove \1 or \2.",
    "tcpproxy has both": "Remove services or include of tcpproxy.",
    "tcpproxy has neither": "Set services or include of tcpproxy.",
    "a route requires exactly one of": "Write one of the three, such as services with one entry of name and port, and "
    "remove the others.",
    "an entry requires exactly one of": "Write one of them in each entry.",
    "more than one mirror": "Set mirror to true for one service only.",
    # Policies of a route.
    "neither an origin nor": "Write an origin such as https://example.com.",
    "replacePrefix has two entries": "Remove one of the entries.",
    "replacePrefix requires": "Write a prefix condition, or remove replacePrefix.",
    "first entry of subjectNames": "Write the value of subjectName as the first entry of subjectNames.",
    "slowStartPolicy requires": "Set the strategy to RoundRobin or WeightedLeastRequest, or remove slowStartPolicy.",
    "not an IP address or network": "Write an address or network, such as 10.0.0.0/8.",
    "cannot set Host": "Remove Host from responseHeadersPolicy.",
    r"entries for cookie (\S+)\.": r"Keep one entry for cookie \1.",
    "rewrites no attribute": "Set pathRewrite, domainRewrite, secure or sameSite, or remove the entry.",
    "is not the name of a header": "Write a name of letters, digits and -.",
    r"header (\S+) occurs twice": r"Keep one entry for header \1.",
}
"""What to write, by an expression that the message of a problem contains; groups of the expression can occur in it."""


def _remedy(message: str) -> str:
    """What to write for a problem; "" for the rule's own remedy."""
    found = ((re.search(expression, message), remedy) for expression, remedy in _REMEDIES.items())
    return next((match.expand(remedy) for match, remedy in found if match), "")


def _invalid(proxy: Resource, inventory: Inventory, parameters: Certificates) -> Iterator[Breach]:
    host = virtual_host(proxy)
    if host is None:
        tree = inventory.once(proxies)
        # An include leads to the first of several with one name.
        if (proxy if proxy.vague else inventory.find("HTTPProxy", proxy.namespace, proxy.name)) not in tree.reached:
            if not tree.whole:
                raise Undecidable
            message = "the HTTPProxy has no virtualhost, and no root includes it."
            yield Breach("/spec/virtualhost", message, absence=True)
    else:
        yield from _root(proxy, host, inventory, parameters)
        for path, problem in host_problems(host):
            yield Breach(path, f"{problem}.")
    yield from _included(proxy, inventory)
    yield from _tunnelled(proxy)
    yield from _routed(proxy, inventory)
    yield from _served(proxy, inventory)
    for path, reference, required in _authorities(proxy, host):
        namespace, _, name = reference.rpartition("/")
        own = home(proxy)
        problem = secret_problem(inventory, own, namespace or own, name, parameters.given, required=required)
        if problem:
            yield Breach(path, f"{problem}.", evidence=reference, absence=True)


_AUTHORITY, _REVOKED = ("ca.crt",), ("crl.pem",)
"""The keys of a Secret with certificates of an authority, and with revoked ones. Source: internal/dag/dag.go."""


def _authorities(proxy: Resource, host: Mapping[str, Any] | None) -> Iterator[tuple[str, str, Sequence[str]]]:
    """The Secrets with which Contour lets Envoy check certificates: JSON pointer, [namespace/]name, required keys."""
    validation = at(host, "tls", "clientValidation")
    for key, required in (("caSecret", _AUTHORITY), ("crlSecret", _REVOKED)):
        if name := text(at(validation, key)):
            yield f"/spec/virtualhost/tls/clientValidation/{key}", name, required
    for index, provider in enumerate(sequence(at(host, "jwtProviders"))):
        if name := text(at(provider, "remoteJWKS", "validation", "caSecret")):
            yield f"/spec/virtualhost/jwtProviders/{index}/remoteJWKS/validation/caSecret", name, _AUTHORITY
    for base, owner in [*route_entries(proxy), ("/spec/tcpproxy", tunnel(proxy))]:
        for index, service in enumerate(sequence(at(owner, "services"))):
            name = text(at(service, "validation", "caSecret"))
            if name and text(at(service, "protocol")) in ("tls", "h2"):
                yield f"{base}/services/{index}/validation/caSecret", name, _AUTHORITY


def _tunnelled(proxy: Resource) -> Iterator[Breach]:
    tcp = tunnel(proxy)
    if tcp is None:
        return
    included, services = tcp.get("include") or tcp.get("includes"), sequence(tcp.get("services"))
    if bool(included) == bool(services):
        both = "both services and an include" if services else "neither services nor an include"
        yield Breach("/spec/tcpproxy", f"tcpproxy has {both}.")


def _root(proxy: Resource, host: Mapping[str, Any], inventory: Inventory, parameters: Certificates) -> Iterator[Breach]:
    name = (text(host.get("fqdn")) or "").strip().lower()
    if name:
        rival = inventory.once(proxies).roots[owner_of(proxy, inventory), name].first
        # The clash is reported once, at the later ones.
        if rival and not rival.same_object(proxy):
            yield Breach("/spec/virtualhost/fqdn", f"{rival} also has host {name}, so Contour serves neither.")
    else:
        yield Breach("/spec/virtualhost/fqdn", "virtualhost has no fqdn.")
    tcp, tls = tunnel(proxy), part(host, "tls")
    if tcp is None and not route_entries(proxy) and not include_entries(proxy):
        yield Breach("/spec", "the HTTPProxy has neither routes nor includes.")
    if tcp is not None and tls is None:
        yield Breach("/spec/tcpproxy", "tcpproxy requires virtualhost.tls with secretName or passthrough.")
    if tls is not None:
        secret = text(tls.get("secretName"))
        if bool(secret) == bool(flag(tls.get("passthrough"))):
            both = "both secretName and" if secret else "neither secretName nor"
            yield Breach("/spec/virtualhost/tls", f"virtualhost.tls sets {both} passthrough.")
        elif secret:
            yield from _authorized(proxy, host, inventory)
            namespace, _, plain = secret.rpartition("/")
            own = home(proxy)
            problem = secret_problem(inventory, own, namespace or own, plain, parameters.given)
            if problem:
                yield Breach("/spec/virtualhost/tls/secretName", f"{problem}.", evidence=secret, absence=True)
            if flag(tls.get("enableFallbackCertificate")):
                yield from _fallen_back(proxy, inventory, parameters)


def _fallen_back(proxy: Resource, inventory: Inventory, parameters: Certificates) -> Iterator[Breach]:
    """Breaches if the Contour of an HTTPProxy has no fallback certificate that the HTTPProxy can use."""
    name = class_of(proxy, inventory)
    for contour in inventory.once(contours):
        if name not in contour.classes or contour.fallback is None:
            continue
        namespace, _, secret = contour.fallback.partition("/")
        remedy = ""
        if not secret:
            problem = f"the configuration of {contour.workload} has no fallback certificate"
            remedy = (
                "Set tls.fallback-certificate with name and namespace in Contour's configuration file, or remove "
                "enableFallbackCertificate."
            )
        else:
            problem = secret_problem(inventory, home(proxy), namespace, secret, parameters.given)
        if problem:
            path = "/spec/virtualhost/tls/enableFallbackCertificate"
            yield Breach(path, f"{problem}.", remedy=remedy, absence=True)
            return


def _authorized(proxy: Resource, host: Mapping[str, Any], inventory: Inventory) -> Iterator[Breach]:
    reference = at(host, "authorization", "extensionRef")
    name, namespace = text(at(reference, "name")), text(at(reference, "namespace")) or home(proxy)
    if name and not inventory.find("ExtensionService", namespace, name):
        path = "/spec/virtualhost/authorization/extensionRef"
        message = f"ExtensionService {name} {inventory.lacks} in namespace {namespace}."
        yield Breach(f"{path}/name", message, evidence=name, absence=True)


def _included(proxy: Resource, inventory: Inventory) -> Iterator[Breach]:
    seen: set[tuple[tuple[str, str], str]] = set()
    for include in includes(proxy, inventory):
        problem = (
            _ill_included(proxy, include, inventory)
            or _ill_matched(include.conditions)
            or condition_problem(include.conditions)
            or _contradictory(include.conditions)
        )
        if problem:
            yield Breach(include.pointer, f"{problem}.", absence=include.proxy is None)
        key = merged(include.conditions)
        # Contour lets several have no condition but the path /.
        if key in seen and key != (("string", "/"), ""):
            yield Breach(f"{include.pointer}/conditions", "an earlier include has the same conditions.")
        seen.add(key)


def _ill_included(proxy: Resource, include: Include, inventory: Inventory) -> str:
    found = include.proxy
    if found is None or owner_of(found, inventory) != owner_of(proxy, inventory):
        if found:
            return f"{found} is included but has another ingress class"
        return f"HTTPProxy {include.name} {inventory.lacks} in namespace {include.namespace}"
    if virtual_host(found) is not None:
        return f"the included {found} is a root (it has a virtualhost)"
    if (proxy, include.pointer) in inventory.once(proxies).circles:
        return f"the included {found} includes this HTTPProxy again"
    if any(text(at(condition, key)) for condition in include.conditions for key in ("exact", "regex")):
        return "an include has an exact or regex condition; only prefix is allowed"
    return ""


def _ill_matched(conditions: Sequence[Any]) -> str:
    given = (text(at(condition, key)) for condition in conditions for key in ("prefix", "exact", "regex"))
    paths = [path for path in given if path]
    if len(paths) > 1:
        return "more than one condition matches the path"
    return f"path {paths[0]} of a condition does not start with /" if paths and paths[0][0] != "/" else ""


def _contradictory(conditions: Sequence[Any]) -> str:
    """Why no request can meet the conditions on headers and query parameters; "" if one can."""
    seen: set[tuple[str, str]] = set()
    given: set[tuple[str, str, str, str]] = set()
    for condition in conditions:
        for kind in ("header", "queryParameter"):
            entry = at(condition, kind)
            name = text(at(entry, "name")) or ""
            # Contour compares the names of both without case (dag/conditions.go).
            name = name.lower()
            given |= {(kind, name, key, "") for key in ("present", "notpresent") if flag(at(entry, key))}
            for key in ("exact", "notexact", "contains", "notcontains"):
                if value := text(at(entry, key)):
                    given.add((kind, name, key, value))
            if text(at(entry, "exact")):
                if (kind, name) in seen:
                    return f"two exact conditions have the {'header' if kind == 'header' else 'query parameter'} {name}"
                seen.add((kind, name))
    for kind, name, key, value in sorted(given):
        if (kind, name, f"not{key}", value) in given:
            return f"the conditions {key} and not{key} on {name} contradict each other"
    return ""


def _ill_replaced(entries: Sequence[Any]) -> str:
    """Why Contour rejects replacePrefix of a route; "" if it accepts it."""
    prefixes = [text(at(entry, "prefix")) or "" for entry in entries]
    twice = next((prefix for index, prefix in enumerate(prefixes) if prefix in prefixes[:index]), None)
    return "" if twice is None else f"replacePrefix has two entries for {twice or 'every prefix'}"


def _providers(proxy: Resource) -> frozenset[str] | None:
    """The names of the root's jwtProviders; None where Contour does not compare the routes with them."""
    host, tcp = virtual_host(proxy), tunnel(proxy)
    if not host or tcp is not None or not text(at(host, "tls", "secretName")):
        return None
    return frozenset(text(at(provider, "name")) or "" for provider in sequence(at(host, "jwtProviders")))


def _routed(proxy: Resource, inventory: Inventory) -> Iterator[Breach]:
    roots = (
        [proxy]
        if virtual_host(proxy) is not None
        else [way.root for way in inventory.once(inclusion_paths).get(proxy, ())]
    )
    for base, route in route_entries(proxy):
        conditions = sequence(at(route, "conditions"))
        problem = (
            _ill_matched(conditions)
            or condition_problem(conditions)
            or _contradictory(conditions)
            or _contradictory_with_includes(proxy, conditions, inventory)
        )
        if problem:
            yield Breach(f"{base}/conditions" if conditions else base, f"{problem}.")
        for path, problem in route_problems(route, base):
            yield Breach(path, f"{problem}.")
        problem = _unverifiable(at(route, "jwtVerificationPolicy"), proxy, roots)
        if problem:
            yield Breach(f"{base}/jwtVerificationPolicy/require", f"{problem}.")
        mirrors = [service for service in sequence(at(route, "services")) if flag(at(service, "mirror"))]
        if len(mirrors) > 1:
            yield Breach(f"{base}/services", "a route has more than one mirror.")
        problem = _ill_replaced(sequence(at(route, "pathRewritePolicy", "replacePrefix")))
        if problem:
            yield Breach(f"{base}/pathRewritePolicy/replacePrefix", f"{problem}.")
        policies = [part(route, key) for key in ("requestRedirectPolicy", "directResponsePolicy")]
        ends = bool(sequence(at(route, "services"))) + sum(policy is not None for policy in policies)
        if ends != 1:
            yield Breach(
                base, "a route requires exactly one of services, requestRedirectPolicy and directResponsePolicy."
            )


def _contradictory_with_includes(proxy: Resource, conditions: Sequence[Any], inventory: Inventory) -> str:
    """Why no request can meet the conditions of a route and of the includes that lead to it; "" if one can."""
    for way in inventory.once(inclusion_paths).get(proxy, ()):
        # An include that contradicts itself is reported there, and Contour does not follow it.
        if not any(map(_contradictory, way.steps)):
            problem = _contradictory([*chain.from_iterable(way.steps), *conditions])
            if problem:
                return f"{problem}, with the conditions of the includes from {way.root}"
    return ""


def _unverifiable(policy: Any, proxy: Resource, roots: Sequence[Resource]) -> str:
    """Why a root cannot verify the tokens that a route requires; "" if each can."""
    required = text(at(policy, "require"))
    if not required or flag(at(policy, "disabled")):
        return ""
    for root in roots:
        providers = _providers(root)
        if providers is not None and required not in providers:
            owner = "virtualhost.jwtProviders" if root is proxy else f"virtualhost.jwtProviders of {root}"
            return f"{owner} has no provider {required}"
    return ""


def _served(proxy: Resource, inventory: Inventory) -> Iterator[Breach]:
    for target in targets(proxy, inventory):
        if not target.service or not 1 <= (target.port_number or 0) <= 65535:
            yield Breach(target.pointer, "a service entry has no name or no port from 1 to 65535.")
            continue
        namespace = home(proxy)
        service = inventory.service(namespace, target.service)
        if not service:
            message = f"Service {target.service} {inventory.lacks} in namespace {namespace}."
            yield Breach(target.service_pointer, message, evidence=target.service, absence=True)
        elif service.type != "ExternalName" and not port_of(service, target.port_number or 0):
            yield Breach(target.port_pointer, f"{service.resource} has no TCP port {target.port_number}.")


_GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: public, namespace: projectcontour}
spec:
  gatewayClassName: contour
  listeners: [{name: http, protocol: HTTP, port: 80, allowedRoutes: {namespaces: {from: All}}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: apps}
spec:
  parentRefs: [{name: public, namespace: projectcontour}]
  hostnames: [web.localhost]
  rules: [{backendRefs: [{name: web, port: 80}]}]
"""


@partial(
    Rule,
    code="IN18",
    title="A Gateway accepts the route",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=kinds(*GATEWAY_ROUTES),
    hop=HopName.ROUTE,
    why="A Gateway API route is served only by a listener that accepts it: the listener that parentRefs names, for the "
    "route's kind, namespace and host names. By default a listener accepts routes from the Gateway's own namespace "
    "only. A route that no listener accepts receives no request, and only its status reports this. If no Gateway is "
    "declared, the rule does not apply.",
    remedy="Correct the field that the message names, or let the listener accept the route in `allowedRoutes`.",
    references=("https://gateway-api.sigs.k8s.io/concepts/api-overview/#attaching-routes-to-gateways",),
    bad=SERVICE + "---" + _GATEWAY.replace(", allowedRoutes: {namespaces: {from: All}}", ""),
    good=SERVICE + "---" + _GATEWAY,
)
def accepted(route: Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    found = attachments(route, inventory)
    if not found and inventory.once(gateways_known):
        yield Breach("/spec/parentRefs", "the route has no parentRefs, so no Gateway accepts it.")
    for one in found:
        if one.problem:
            yield Breach(one.pointer, f"{one.problem}.", absence=one.gateway is None)
    for host, pointer_ in unserved_hosts(route, found):
        message = f"no listener that accepts the route takes host {host}, so it is not served."
        yield Breach(pointer_, message, evidence=host)
