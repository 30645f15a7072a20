"""The CEL expressions of Gateway API's CustomResourceDefinitions, written by hand.

Source: Gateway API 1.4, config/crd/standard: x-kubernetes-validations. The patterns of infrastructure's labels,
the total number of matches and the expressions about updates are left out.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from hops.kubernetes.resources.resource import GATEWAY_GROUP
from hops.kubernetes.schemas.refusals import Fault, Refusal
from hops.kubernetes.values import JSON, at, number, sequence, text, texts


def ill_expressed(kind: str, body: Mapping[str, JSON]) -> Iterator[Refusal]:
    """The expressions that an object of Gateway API does not meet, with the defaults of its fields.

    kind: the kind of the object, of the group GATEWAY_GROUP.
    body: the object. Raises Undecidable if a value is unknown.
    """
    spec = body.get("spec")
    if kind == "Gateway":
        yield from _listeners(sequence(at(spec, "listeners")))
    if kind.endswith("Route"):
        yield from _parents(sequence(at(spec, "parentRefs")))
        for index, rule in enumerate(sequence(at(spec, "rules"))):
            base = f"/spec/rules/{index}"
            yield from _backends(rule, base)
            yield from _filters(sequence(at(rule, "filters")), base)
            for number_, match in enumerate(sequence(at(rule, "matches"))):
                for key in ("headers", "queryParams"):
                    yield from _once(sequence(at(match, key)), f"{base}/matches/{number_}/{key}")
            if kind == "HTTPRoute":
                yield from _http_rule(rule, base)
            if kind == "GRPCRoute":
                yield from _methods(rule, base)


def _refusal(path: str, message: str, remedy: str) -> Refusal:
    return Refusal(Fault.VALUE, path, message, remedy)


def _once(entries: Sequence[JSON], base: str) -> Iterator[Refusal]:
    """Entries of a list whose key is their name (x-kubernetes-list-map-keys)."""
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        name = text(at(entry, "name")) or ""
        if name in seen:
            message = f"two entries of {base.rpartition('/')[2]} have the name {name}."
            yield _refusal(f"{base}/{index}/name", message, "Remove one of them, or change its name.")
        seen.add(name)


def _listeners(listeners: Sequence[JSON]) -> Iterator[Refusal]:
    names: set[str] = set()
    claims: set[tuple[int | None, str, str]] = set()
    for index, listener in enumerate(listeners):
        base = f"/spec/listeners/{index}"
        name, protocol = text(at(listener, "name")) or "", text(at(listener, "protocol")) or ""
        host, tls = text(at(listener, "hostname")) or "", at(listener, "tls")
        if name in names:
            yield _refusal(f"{base}/name", f"two listeners have the name {name}.", "Change one of the names.")
        names.add(name)
        claim = number(at(listener, "port")), protocol, host
        if claim in claims:
            shown = f"port {claim[0]}, protocol {protocol} and {f'hostname {host}' if host else 'no hostname'}"
            remedy = "Remove one of the listeners, or change its port or hostname."
            yield _refusal(f"{base}/port", f"two listeners have {shown}.", remedy)
        claims.add(claim)
        if host and protocol in ("TCP", "UDP"):
            message = f"listener {name} has a hostname, and protocol {protocol} has none."
            yield _refusal(f"{base}/hostname", message, "Remove hostname, or set protocol to HTTP, HTTPS or TLS.")
        yield from _encrypted(tls, protocol, name, f"{base}/tls")


def _encrypted(tls: JSON, protocol: str, name: str, base: str) -> Iterator[Refusal]:
    if not isinstance(tls, dict):
        if protocol == "TLS":
            message = f"listener {name} has protocol TLS and no tls."
            yield _refusal(base, message, "Set tls.mode to Terminate with certificateRefs, or to Passthrough.")
        return
    mode = text(at(tls, "mode")) or "Terminate"
    if protocol in ("HTTP", "TCP", "UDP"):
        message = f"listener {name} has tls, and protocol {protocol} has none."
        yield _refusal(base, message, "Remove tls, or set protocol to HTTPS or TLS.")
    elif protocol == "HTTPS" and mode != "Terminate":
        message = f"listener {name} has protocol HTTPS and tls.mode {mode}."
        yield _refusal(f"{base}/mode", message, "Set tls.mode to Terminate, or protocol to TLS.")
    elif mode == "Terminate" and not at(tls, "certificateRefs") and not at(tls, "options"):
        message = f"listener {name} terminates TLS and has no certificate."
        yield _refusal(f"{base}/certificateRefs", message, "List a Secret in tls.certificateRefs.")


_PARENT = {"group": GATEWAY_GROUP, "kind": "Gateway", "namespace": "", "name": ""}
"""What identifies a parent, with the defaults."""


def _parents(parents: Sequence[JSON]) -> Iterator[Refusal]:
    """Several references to one parent need different sections or ports."""
    seen: dict[tuple[str, ...], list[tuple[str, int]]] = {}
    for index, parent in enumerate(parents):
        key = tuple(text(at(parent, name)) or default for name, default in _PARENT.items())
        part = text(at(parent, "sectionName")) or "", number(at(parent, "port")) or 0
        others = seen.setdefault(key, [])
        for other in others:
            # Both or none have each field, and one of them differs.
            alike = all(bool(one) == bool(two) for one, two in zip(part, other, strict=True))
            if part == other or not alike:
                message = (
                    f"two parentRefs lead to {key[3]}, and {'are equal' if part == other else 'one names no part'}."
                )
                remedy = "Give each of them its own sectionName or port, or remove one."
                yield _refusal(f"/spec/parentRefs/{index}", message, remedy)
                break
        others.append(part)


def _backends(rule: JSON, base: str) -> Iterator[Refusal]:
    for index, backend in enumerate(sequence(at(rule, "backendRefs"))):
        where = f"{base}/backendRefs/{index}"
        of_service = not text(at(backend, "group")) and (text(at(backend, "kind")) or "Service") == "Service"
        if of_service and at(backend, "port") is None:
            message = f"the reference to Service {text(at(backend, 'name'))} has no port."
            yield _refusal(f"{where}/port", message, "Set port to a port of the Service.")
        yield from _filters(sequence(at(backend, "filters")), where)


def _field_of(kind: str) -> str:
    return "cors" if kind == "CORS" else "urlRewrite" if kind == "URLRewrite" else kind[:1].lower() + kind[1:]


_FILTERS = {
    _field_of(kind): kind
    for kind in (
        *("CORS", "ExtensionRef", "RequestHeaderModifier", "RequestMirror", "RequestRedirect"),
        *("ResponseHeaderModifier", "URLRewrite"),
    )
}
"""The type of a filter by the field that configures it."""
_REPEATED = ("ExtensionRef", "RequestMirror")


def _filters(filters: Sequence[JSON], base: str) -> Iterator[Refusal]:
    kinds: Counter[str] = Counter()
    for index, one in enumerate(filters):
        where, kind = f"{base}/filters/{index}", text(at(one, "type")) or ""
        kinds[kind] += 1
        if kinds[kind] == 2 and kind not in _REPEATED:
            yield _refusal(where, f"a second filter has the type {kind}.", "Put both into one filter.")
        others = [name for name, right in _FILTERS.items() if kind != right and at(one, name) is not None]
        if others:
            message = f"a filter of the type {kind} has {others[0]}."
            remedy = f"Set type to {_FILTERS[others[0]]}, or remove {others[0]}."
            yield _refusal(f"{where}/{others[0]}", message, remedy)
        elif kind in _FILTERS.values() and at(one, _field_of(kind)) is None:
            message = f"a filter of the type {kind} has no {_field_of(kind)}."
            yield _refusal(f"{where}/{_field_of(kind)}", message, f"Set {_field_of(kind)}, or correct the type.")
        for name in ("requestHeaderModifier", "responseHeaderModifier"):
            for key in ("add", "set"):
                yield from _once(sequence(at(one, name, key)), f"{where}/{name}/{key}")
            removed = texts(at(one, name, "remove"))
            if len(set(removed)) < len(removed):
                message = "remove names a header twice."
                yield _refusal(f"{where}/{name}/remove", message, "Name each header once.")
        for name in ("requestRedirect", "urlRewrite"):
            yield from _replaced(at(one, name, "path"), f"{where}/{name}/path")
    if kinds["RequestRedirect"] and kinds["URLRewrite"]:
        message = "the filters RequestRedirect and URLRewrite exclude each other."
        yield _refusal(f"{base}/filters", message, "Remove one of them.")


def _replaced(path: JSON, base: str) -> Iterator[Refusal]:
    if not isinstance(path, dict):
        return
    kind = text(path.get("type")) or ""
    fields = {"ReplaceFullPath": "replaceFullPath", "ReplacePrefixMatch": "replacePrefixMatch"}
    for right, name in fields.items():
        if kind in fields and kind != right and path.get(name) is not None:
            yield _refusal(f"{base}/type", f"the type {kind} excludes {name}.", f"Set type to {right}.")
            return
    if kind in fields and path.get(fields[kind]) is None:
        yield _refusal(f"{base}/{fields[kind]}", f"the type {kind} requires {fields[kind]}.", f"Set {fields[kind]}.")


_PATH = re.compile(r"(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+")
_NEVER = ("//", "/./", "/../", "%2f", "%2F", "#")


def _http_rule(rule: JSON, base: str) -> Iterator[Refusal]:
    filters, backends = sequence(at(rule, "filters")), sequence(at(rule, "backendRefs"))
    if backends and any(isinstance(at(one, "requestRedirect"), dict) for one in filters):
        message = "a rule with backendRefs has the filter RequestRedirect."
        yield _refusal(f"{base}/backendRefs", message, "Remove backendRefs: a redirect has no backend.")
    given = sequence(at(rule, "matches"))
    for index, match in enumerate(given):
        yield from _path(at(match, "path"), f"{base}/matches/{index}/path")
    kinds = [text(at(match, "path", "type")) or "PathPrefix" for match in given] or ["PathPrefix"]
    replacing = [*filters, *(one for backend in backends for one in sequence(at(backend, "filters")))]
    for name in ("requestRedirect", "urlRewrite"):
        replaced = any(at(one, name, "path", "replacePrefixMatch") is not None for one in replacing)
        if replaced and kinds != ["PathPrefix"]:
            message = f"replacePrefixMatch of {name} requires exactly one match, of the type PathPrefix."
            yield _refusal(
                f"{base}/matches", message, "Write a rule for each path, with a match of the type PathPrefix."
            )
    whole, part = (_seconds(text(at(rule, "timeouts", key))) for key in ("request", "backendRequest"))
    if whole and part and part > whole:
        message = "timeouts.backendRequest is longer than timeouts.request."
        yield _refusal(f"{base}/timeouts/backendRequest", message, "Set it to timeouts.request or less.")


def _path(path: JSON, base: str) -> Iterator[Refusal]:
    value, kind = text(at(path, "value")), text(at(path, "type")) or "PathPrefix"
    if value is None or kind not in ("Exact", "PathPrefix"):
        return
    wrong = next((part for part in _NEVER if part in value), "")
    wrong = wrong or next((end for end in ("/..", "/.") if value.endswith(end)), "")
    problem = (
        "does not start with /"
        if not value.startswith("/")
        else f"contains {wrong}"
        if wrong
        else "has a character that no path has"
        if not _PATH.fullmatch(value)
        else ""
    )
    if problem:
        yield _refusal(
            f"{base}/value",
            f"path {value} with type {kind} {problem}.",
            "Write a path such as /api, or set type to RegularExpression.",
        )


_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def _seconds(duration: str | None) -> float:
    """A duration of Gateway API, such as 1m30s; 0 for any other text."""
    return sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+)(h|ms|m|s)", duration or ""))


def _methods(rule: JSON, base: str) -> Iterator[Refusal]:
    for index, match in enumerate(sequence(at(rule, "matches"))):
        method = at(match, "method")
        if isinstance(method, dict) and not text(method.get("service")) and not text(method.get("method")):
            where = f"{base}/matches/{index}/method"
            yield _refusal(where, "a match names neither service nor method.", "Set service, method or both.")
