"""The values of an object that the API server refuses although each of them has the form that its schema demands.

Each check reads one kind, or one part of a pod. An unknown value is accepted. Sources: in Kubernetes 1.34,
validation.go of core, apps, autoscaling, batch, networking, policy and rbac (pkg/apis/*/validation); in Calico,
libcalico-go/lib/validator/v3. Those of Gateway API are in schemas/expressions.py.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from hops.kubernetes.policies.calico_selectors import SelectorError, takes
from hops.kubernetes.resources.pods import Pod
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.schemas.bounds import SUBDOMAIN_NAME
from hops.kubernetes.schemas.catalogue import time_zones
from hops.kubernetes.schemas.refusals import Fault, Refusal, dotted, nearest
from hops.kubernetes.values import (
    JSON,
    UNKNOWN,
    Undecidable,
    Unknown,
    address,
    at,
    entries,
    flag,
    mapping,
    network,
    number,
    pointer,
    sequence,
    steps,
    text,
)

Check = Callable[[Mapping[str, Any], str], Iterator[Refusal]]
"""A check of a mapping and the JSON pointer of that mapping inside the object."""

_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?[0-9]+)?", re.ASCII
)
_DECIMAL = {"": 0, "n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_HUGE_PAGES = "hugepages-"
_CONTAINER_RESOURCES = ("cpu", "ephemeral-storage", "memory")
_BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_PERCENT = re.compile(r"([0-9]+)%")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_ENV_FIELDS = (
    *("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.host", "spec.serviceAccountName"),
    *("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"),
)
_SUBSCRIPT = re.compile(r"metadata\.(?:labels|annotations)\['.+'\]")
_MACROS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_CRON: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
_LOGIN = "kubernetes.io/basic-auth"
_DOCKER = ("kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson")
_SECRETS: Mapping[str, tuple[str, ...]] = {
    _LOGIN: ("username", "password"),
    _DOCKER[0]: (".dockercfg",),
    _DOCKER[1]: (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
"""The keys that a Secret of a type must have."""
_NO_ZONE_IN_SCHEDULE_SINCE = 29
_CLAIM_TEMPLATES_SINCE = 34
_BESIDE_ZONES = re.compile("^(?:posix|right)/")
"""Folders of the time zone database that hold every zone once more."""


def refused_values(resource: Resource, pod: Pod | None, minor: int) -> Iterator[Refusal]:
    """What the API server refuses in an object beyond its schema.

    resource: the object.
    pod: its pod template; None if it has none.
    minor: the minor version of Kubernetes.
    """
    kind = f"{resource.api_version} {resource.body.get('kind')}"
    for check in _OBJECTS.get(kind, ()):
        yield from _decided(check, resource.body, "")
    if kind == "batch/v1 CronJob" and minor >= _NO_ZONE_IN_SCHEDULE_SINCE:
        yield from _decided(_zone_in_schedule, resource.body, "")
    if kind == "apps/v1 StatefulSet" and minor >= _CLAIM_TEMPLATES_SINCE:
        yield from _decided(_claim_templates, resource.body, "")
    if pod is None or isinstance(pod.spec, Unknown):
        return
    for check in _PODS:
        yield from _decided(check, pod.spec, pod.pointer)
    with suppress(Undecidable):
        for container in pod.containers:
            for check in _CONTAINERS:
                yield from _decided(check, container.body, container.pointer)


def _decided(check: Check, body: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    with suppress(Undecidable):
        yield from check(body, base)


def _refusal(path: str, reason: str, remedy: str) -> Refusal:
    """A refusal whose message is the place of the value and the reason."""
    return Refusal(Fault.VALUE, path, f"{dotted(steps(path))} {reason}.", remedy)


def _there(body: JSON, *keys: str) -> list[str]:
    """The keys of a mapping whose value is not null."""
    return [key for key in keys if mapping(body).get(key) is not None]


# Quantities


def quantity(value: JSON) -> Decimal | None:
    """The number that a quantity such as 128Mi means; None if it is none."""
    found = _QUANTITY.fullmatch(str(value)) if isinstance(value, str | int | float) else None
    if found is None:
        return None
    amount, unit = Decimal(found[1]), found[2] or ""
    if unit in _BINARY:
        return amount * Decimal(1024) ** (_BINARY.index(unit) + 1)
    if unit not in _DECIMAL and len(unit) > 6:
        return None
    return amount.scaleb(_DECIMAL[unit] if unit in _DECIMAL else int(unit[1:]))


def _quantity(value: JSON, path: str) -> Iterator[Refusal]:
    if value is None or value is UNKNOWN or not isinstance(value, str | int | float):
        return
    found = quantity(value)
    if found is None:
        yield _refusal(
            path,
            f"is {str(value)[:60]!r}, which is not a quantity",
            "Write a number with a unit such as m, k, M, Ki, Mi or Gi.",
        )
    elif found < 0:
        yield _refusal(path, f"is {value}, which is negative", "Write a quantity of 0 or more.")


def _resources(body: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    """The quantities of a container or a claim."""
    given = mapping(body.get("resources"))
    limits = mapping(given.get("limits"))
    for key in ("limits", "requests"):
        for name, value in mapping(given.get(key)).items():
            path = pointer(base, "resources", key, name)
            wrong = list(_quantity(value, path))
            yield from wrong
            if key == "limits" or wrong:
                continue
            limit = None if limits.get(name) is UNKNOWN else quantity(limits.get(name))
            request = None if value is UNKNOWN else quantity(value)
            if limit is None or request is None or limit < 0:
                continue
            if _fixed(name) and limit != request:
                yield _refusal(
                    path,
                    f"is {value}, and the limit is {limits[name]}; {name} is not shared, so both must be equal",
                    "Write the same number into both, or remove the request.",
                )
            elif limit < request:
                yield _refusal(
                    path,
                    f"is {value}, which is more than the limit of {limits[name]}",
                    "Write a request of at most the limit, or raise the limit.",
                )


def _fixed(name: str) -> bool:
    """Whether a resource is given to one container alone: a device or a huge page, not CPU or memory."""
    return name.startswith(_HUGE_PAGES) or ("/" in name and "kubernetes.io/" not in name)


def _container_resources(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    yield from _resources(container, base)
    given = mapping(container.get("resources"))
    limits, requests = mapping(given.get("limits")), mapping(given.get("requests"))
    for key, amounts in (("limits", limits), ("requests", requests)):
        for name, value in amounts.items():
            path = pointer(base, "resources", key, name)
            if "/" not in name and name not in _CONTAINER_RESOURCES and not name.startswith(_HUGE_PAGES):
                near = nearest(name, _CONTAINER_RESOURCES)
                other = f"Write {near}." if near else f"Write one of {', '.join(_CONTAINER_RESOURCES)}."
                yield _refusal(path, "is no resource of a container", other)
            elif "/" in name and _fixed(name) and value is not UNKNOWN and (quantity(value) or 0) % 1:
                yield _refusal(path, f"is {value}, and {name} is counted in whole numbers", "Write a whole number.")
            elif key == "requests" and _fixed(name) and limits.get(name) is None:
                yield _refusal(path, f"is set without a limit, which {name} needs", "Move it to limits.")
    names = {*limits, *requests}
    pages = sorted(name for name in names if name.startswith(_HUGE_PAGES))
    if pages and names.isdisjoint(("cpu", "memory")):
        yield _refusal(
            f"{base}/resources", f"has {pages[0]} without cpu or memory", "Set cpu or memory in limits or requests."
        )


def _claim(body: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    spec = mapping(body.get("spec"))
    base = pointer(base, "spec")
    if not sequence(spec.get("accessModes")):
        yield _refusal(f"{base}/accessModes", "is missing", "Set accessModes, such as [ReadWriteOnce].")
    storage = at(spec, "resources", "requests", "storage")
    if storage is None:
        yield _refusal(f"{base}/resources", "does not request storage", "Set resources.requests.storage, such as 1Gi.")
    yield from _resources(spec, base)


def _claim_templates(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    for index, claim in entries(sequence(at(body, "spec", "volumeClaimTemplates"))):
        yield from _claim(claim, f"/spec/volumeClaimTemplates/{index}")


def _capacity(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    for name, value in mapping(at(body, "spec", "capacity")).items():
        yield from _quantity(value, pointer("", "spec", "capacity", name))


def _hard(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    for name, value in mapping(at(body, "spec", "hard")).items():
        yield from _quantity(value, pointer("", "spec", "hard", name))


# Workloads


def _schedule(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    given = text(at(body, "spec", "schedule"))
    reason = _cron(given.partition(" ")[2].strip() if re.match(r"(CRON_)?TZ=", given) else given) if given else ""
    if reason:
        yield _refusal(
            "/spec/schedule",
            f"is {str(given)[:60]!r}: {reason}",
            "Write minute, hour, day of the month, month and day of the week, such as 0 4 * * 1.",
        )
    zone = text(at(body, "spec", "timeZone"))
    if zone is not None and _BESIDE_ZONES.sub("", zone) not in time_zones():
        near = nearest(zone, time_zones()) or "a zone such as Europe/Berlin"
        yield _refusal("/spec/timeZone", f"is {zone[:60]!r}, which is no time zone", f"Write {near}.")


def _zone_in_schedule(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    given = text(at(body, "spec", "schedule")) or ""
    if "TZ" in given:
        yield _refusal(
            "/spec/schedule",
            f"is {given[:60]!r}, which has a time zone",
            "Write the time zone into spec.timeZone.",
        )


def _cron(schedule: str) -> str:
    """Why a schedule is not one; "" if it is. Source: github.com/robfig/cron/v3, parser.go."""
    if schedule.startswith("@"):
        known = schedule in _MACROS or re.fullmatch(r"@every ([0-9.]+(ns|us|µs|ms|s|m|h))+", schedule)
        return "" if known else "there is no such macro"
    fields = schedule.split()
    if len(fields) != len(_CRON):
        return f"it has {len(fields)} fields and must have {len(_CRON)}"
    wrong = (
        f"{name} {field} is not within {first} to {last}"
        for field, (name, first, last, names) in zip(fields, _CRON, strict=True)
        if not all(_cron_part(part, first, last, names) for part in field.split(",") if part)
    )
    return next(wrong, "")


def _cron_part(part: str, first: int, last: int, names: tuple[str, ...]) -> bool:
    span, slash, step = part.partition("/")
    if slash and not (step.isdecimal() and int(step) > 0):
        return False
    if span in ("*", "?"):
        return True
    found = [
        names.index(word.lower()) + first if word.lower() in names else int(word) if word.isdecimal() else -1
        for word in span.split("-")
    ]
    return len(found) <= 2 and all(first <= value <= last for value in found) and found == sorted(found)


def _whole_or_percent(value: JSON, path: str, most: int | None = 100) -> Iterator[Refusal]:
    """A number of pods or a part of them. most: the highest percentage; None for any."""
    if isinstance(value, str):
        found = _PERCENT.fullmatch(value)
        if not found:
            yield _refusal(path, f"is {value[:60]!r}, which is no percentage", "Write a whole number, or one with %.")
        elif most is not None and int(found[1]) > most:
            yield _refusal(path, f"is {value}, which is more than {most}%", f"Write at most {most}%.")
    elif (number(value) or 0) < 0:
        yield _refusal(path, f"is {value}, which is negative", "Write a number of 0 or more.")


def _disruption(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    spec = mapping(body.get("spec"))
    both = _there(spec, "minAvailable", "maxUnavailable")
    if len(both) == 2:
        yield _refusal("/spec/maxUnavailable", "is set beside minAvailable", "Remove one of the two.")
        return
    for key in both:
        yield from _whole_or_percent(spec[key], f"/spec/{key}")


def _strategy(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    strategy = mapping(at(body, "spec", "strategy"))
    rolling = strategy.get("rollingUpdate")
    path = "/spec/strategy/rollingUpdate"
    if text(strategy.get("type")) == "Recreate":
        if rolling is not None:
            yield _refusal(path, "is set, and the strategy is Recreate", "Remove it, or set type to RollingUpdate.")
        return
    surge, unavailable = mapping(rolling).get("maxSurge"), mapping(rolling).get("maxUnavailable")
    yield from _whole_or_percent(surge, f"{path}/maxSurge", None)
    yield from _whole_or_percent(unavailable, f"{path}/maxUnavailable")
    if surge in (0, "0%") and unavailable in (0, "0%"):
        yield _refusal(f"{path}/maxUnavailable", "is 0, and maxSurge is 0", "Set one of them to 1 or more.")


def _scaling(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    least, most = number(at(body, "spec", "minReplicas")), number(at(body, "spec", "maxReplicas"))
    if most is not None and most < 1:
        yield _refusal("/spec/maxReplicas", f"is {most}, which is less than 1", "Write 1 or more.")
    elif least is not None and most is not None and least > most:
        yield _refusal(
            "/spec/minReplicas", f"is {least}, which is more than maxReplicas {most}", "Write at most maxReplicas."
        )


def _without_selector(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    selector = at(body, "spec", "selector")
    if isinstance(selector, dict) and not any(selector.values()):
        yield _refusal("/spec/selector", "is empty", "Set matchLabels to labels of the pod template.")
    for index, demand in entries(sequence(at(selector, "matchExpressions"))):
        yield from _demand(demand, f"/spec/selector/matchExpressions/{index}")


def _progress(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    ready, deadline = number(at(body, "spec", "minReadySeconds")) or 0, at(body, "spec", "progressDeadlineSeconds")
    last = _DEADLINE if deadline is None else number(deadline)
    if last is not None and last <= ready:
        path = "/spec/minReadySeconds" if deadline is None else "/spec/progressDeadlineSeconds"
        yield _refusal(
            path,
            f"is {ready if deadline is None else last}; progressDeadlineSeconds ({_DEADLINE} by default) must be more "
            "than minReadySeconds",
            "Raise progressDeadlineSeconds, or lower minReadySeconds.",
        )


_DEADLINE = 600


def _stateful_update(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    update = mapping(at(body, "spec", "updateStrategy"))
    if text(update.get("type")) == "OnDelete" and update.get("rollingUpdate") is not None:
        path = "/spec/updateStrategy/rollingUpdate"
        yield _refusal(path, "is set, and the type is OnDelete", "Remove it, or set type to RollingUpdate.")


def _daemon_update(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    rolling = mapping(at(body, "spec", "updateStrategy", "rollingUpdate"))
    if rolling.get("maxUnavailable") in (0, "0%") and rolling.get("maxSurge") in (None, 0, "0%"):
        path = "/spec/updateStrategy/rollingUpdate/maxUnavailable"
        yield _refusal(path, "is 0, and maxSurge is 0", "Set one of them to 1 or more.")


def _indexed(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    if text(at(body, "spec", "completionMode")) == "Indexed" and at(body, "spec", "completions") is None:
        yield _refusal("/spec/completions", "is missing, and completionMode is Indexed", "Set completions.")


# Policies


def _cidr(value: JSON, path: str, *, or_address: bool = False) -> Iterator[Refusal]:
    given = text(value)
    if given is None:
        return
    given = given.strip()
    _, slash, prefix = given.partition("/")
    prefixed = prefix.isdecimal() if slash else or_address
    if not prefixed or network(given) is None:
        yield _refusal(
            path, f"is {given[:60]!r}, which is no network", "Write an address and a prefix, such as 10.0.0.0/8."
        )


def _policy(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in entries(sequence(at(body, "spec", direction))):
            base = f"/spec/{direction}/{index}"
            for i, peer in entries(sequence(mapping(rule).get(peers))):
                yield from _decided(_peer, peer, f"{base}/{peers}/{i}")
            for i, port in entries(sequence(mapping(rule).get("ports"))):
                yield from _decided(_policy_port, port, f"{base}/ports/{i}")


def _peer(peer: Mapping[str, Any], path: str) -> Iterator[Refusal]:
    given = _there(peer, "ipBlock", "podSelector", "namespaceSelector")
    if not given:
        yield _refusal(
            path, "is empty", "Set podSelector, namespaceSelector or ipBlock; {} as podSelector means all pods."
        )
    elif given[0] == "ipBlock":
        if len(given) > 1:
            yield _refusal(path, f"has ipBlock beside {given[1]}", "Write two peers, one for each.")
        yield from _ip_block(mapping(peer["ipBlock"]), f"{path}/ipBlock")


def _ip_block(block: Mapping[str, Any], path: str) -> Iterator[Refusal]:
    wrong = list(_cidr(block.get("cidr"), f"{path}/cidr"))
    yield from wrong
    whole = network(block.get("cidr"))
    for index, value in enumerate(sequence(block.get("except"))):
        place = f"{path}/except/{index}"
        wrong_part = list(_cidr(value, place))
        yield from wrong_part
        part = network(value)
        if wrong or wrong_part or whole is None or part is None:
            continue
        # Networks of two families have no common part.
        inside = whole.version == part.version and part.prefixlen > whole.prefixlen
        if not inside or part.network_address not in whole:
            yield _refusal(place, f"is {value}, which is not a part of {block['cidr']}", "Write a part of cidr.")


def _policy_port(port: Mapping[str, Any], path: str) -> Iterator[Refusal]:
    first, last = port.get("port"), number(port.get("endPort"))
    if last is None:
        return
    begin = number(first)
    if begin is None:
        reason = "is set, and port is a name" if isinstance(first, str) else "is set without port"
        yield _refusal(f"{path}/endPort", reason, "Write the number of the first port into port, or remove endPort.")
    elif last < begin:
        yield _refusal(f"{path}/endPort", f"is {last}, which is less than port {begin}", "Write at least port.")


def _calico(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    spec = mapping(body.get("spec"))
    yield from _calico_selectors(spec, "/spec", ("selector", "namespaceSelector", "serviceAccountSelector"))
    for index, kind in enumerate(sequence(spec.get("types"))):
        if (text(kind) or "Ingress") not in ("Ingress", "Egress"):
            yield _refusal(
                f"/spec/types/{index}", f"is {kind!r:.60}, which is not Ingress or Egress", "Write Ingress or Egress."
            )
    for direction in ("ingress", "egress"):
        for index, rule in entries(sequence(spec.get(direction))):
            yield from _decided(_calico_rule, rule, f"/spec/{direction}/{index}")


def _calico_rule(rule: Mapping[str, Any], path: str) -> Iterator[Refusal]:
    action = text(rule.get("action"))
    if action is not None and action not in ("Allow", "Deny", "Log", "Pass"):
        yield _refusal(f"{path}/action", f"is {action[:60]!r}", "Write Allow, Deny, Log or Pass.")
    # Lower case and numbers are accepted, too.
    protocol = rule.get("protocol")
    for side in ("source", "destination"):
        given, place = mapping(rule.get(side)), f"{path}/{side}"
        selectors = ("selector", "notSelector", "namespaceSelector")
        yield from _calico_selectors(given, place, selectors)
        if protocol is None and any(sequence(given.get(key)) for key in ("ports", "notPorts")):
            yield _refusal(f"{place}/ports", "is set, and the rule has no protocol", "Set protocol of the rule to TCP.")
        for key in ("nets", "notNets"):
            for index, net in enumerate(sequence(given.get(key))):
                yield from _cidr(net, f"{place}/{key}/{index}", or_address=True)


def _calico_selectors(body: Mapping[str, Any], base: str, keys: tuple[str, ...]) -> Iterator[Refusal]:
    for key in keys:
        given = text(body.get(key))
        try:
            takes(given or "", {})
        except SelectorError as error:
            yield _refusal(
                f"{base}/{key}", f"is no selector: {str(error)[:120]}", "Write a selector such as app == 'web'."
            )


# Pods


def _probes(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    for key in ("livenessProbe", "readinessProbe", "startupProbe"):
        given = container.get(key)
        if given is None:
            continue
        probe, path = mapping(given), f"{base}/{key}"
        handlers = _there(probe, *_HANDLERS)
        if not handlers:
            yield _refusal(path, "has no handler", "Set httpGet, tcpSocket, grpc or exec.")
        elif len(handlers) > 1:
            yield _refusal(f"{path}/{handlers[1]}", f"is set beside {handlers[0]}", "Remove one of the two.")
        threshold = number(probe.get("successThreshold"))
        # 0 means the default.
        if key != "readinessProbe" and threshold is not None and threshold > 1:
            yield _refusal(f"{path}/successThreshold", f"is {threshold}, which is not 1", "Write 1, or remove it.")


def _env(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    for index, variable in entries(sequence(container.get("env"))):
        source = mapping(variable).get("valueFrom")
        path = f"{base}/env/{index}/valueFrom"
        if source is None:
            continue
        given = _there(source, "fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
        field = text(at(source, "fieldRef", "fieldPath"))
        if text(variable.get("value")):
            yield _refusal(path, "is set beside value", "Remove value or valueFrom.")
        elif not given:
            yield _refusal(path, "has no source", "Set fieldRef, resourceFieldRef, configMapKeyRef or secretKeyRef.")
        elif len(given) > 1:
            yield _refusal(path, f"has {given[1]} beside {given[0]}", "Remove one of the two.")
        elif field and field not in _ENV_FIELDS and not _SUBSCRIPT.fullmatch(field):
            yield _refusal(
                f"{path}/fieldRef/fieldPath",
                f"is {field[:60]!r}, which no variable can have",
                "Write a field such as metadata.name.",
            )


def _mount_paths(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    seen: set[str] = set()
    for index, mount in entries(sequence(container.get("volumeMounts"))):
        path = text(mount.get("mountPath"))
        if path and path in seen:
            yield _refusal(
                f"{base}/volumeMounts/{index}/mountPath",
                f"is {path[:60]}, as that of another mount",
                "Change one of the paths.",
            )
        seen.add(path or "")


def _privileges(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    context = mapping(container.get("securityContext"))
    if flag(context.get("privileged")) and flag(context.get("allowPrivilegeEscalation")) is False:
        yield _refusal(
            f"{base}/securityContext/allowPrivilegeEscalation",
            "is false, and the container is privileged",
            "Set privileged to false, or remove allowPrivilegeEscalation.",
        )


def _env_from(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    for index, source in entries(sequence(container.get("envFrom"))):
        given = _there(source, "configMapRef", "secretRef")
        if len(given) != 1:
            what = "has configMapRef and secretRef" if given else "has no source"
            yield _refusal(f"{base}/envFrom/{index}", what, "Set configMapRef or secretRef, and one of them only.")


def _lifecycle(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    for hook in _there(container.get("lifecycle"), "postStart", "preStop"):
        path, handlers = f"{base}/lifecycle/{hook}", _there(at(container, "lifecycle", hook), *_HOOK_HANDLERS)
        if not handlers:
            yield _refusal(path, "has no handler", "Set exec, httpGet, sleep or tcpSocket.")
        elif len(handlers) > 1:
            yield _refusal(f"{path}/{handlers[1]}", f"is set beside {handlers[0]}", "Remove one of the two.")


_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")


def _of_init(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    """What only containers that stay may have."""
    if "/initContainers/" in base and container.get("restartPolicy") is None:
        for key in _there(container, "lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
            yield _refusal(
                f"{base}/{key}", "is set, and an init container ends", "Remove it, or set restartPolicy to Always."
            )


def _commands(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    hooks = [("lifecycle", "postStart"), ("lifecycle", "preStop")]
    for keys in (*hooks, ("livenessProbe",), ("readinessProbe",), ("startupProbe",)):
        action = at(container, *keys, "exec")
        if isinstance(action, dict) and not sequence(action.get("command")):
            yield _refusal(pointer(base, *keys, "exec", "command"), "is missing", "Set the command as a list.")


def _sub_paths(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    for index, mount in entries(sequence(container.get("volumeMounts"))):
        if text(mapping(mount).get("subPath")) and text(mapping(mount).get("subPathExpr")):
            path = f"{base}/volumeMounts/{index}/subPathExpr"
            yield _refusal(path, "is set beside subPath", "Remove one of the two.")


def _pod_wide(spec: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    if flag(spec.get("hostPID")) and flag(spec.get("shareProcessNamespace")):
        yield _refusal(f"{base}/shareProcessNamespace", "is set beside hostPID", "Remove one of the two.")
    for index, alias in entries(sequence(spec.get("hostAliases"))):
        given = text(mapping(alias).get("ip"))
        if given is not None and address(given) is None:
            yield _refusal(f"{base}/hostAliases/{index}/ip", f"is {given[:60]!r}, which is no address", "Write an IP.")


def _volumes(spec: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    for index, volume in entries(sequence(spec.get("volumes"))):
        sources = [key for key, value in mapping(volume).items() if key != "name" and value is not None]
        path = f"{base}/volumes/{index}"
        if len(sources) > 1:
            yield _refusal(f"{path}/{sources[1]}", f"is set beside {sources[0]}", "Write two volumes, one for each.")
        yield from _quantity(at(volume, "emptyDir", "sizeLimit"), f"{path}/emptyDir/sizeLimit")
        for source, key in (("configMap", "name"), ("secret", "secretName")):
            if isinstance(mapping(volume).get(source), dict) and not at(volume, source, key):
                yield _refusal(f"{path}/{source}/{key}", "is missing", f"Set the name of the {source}.")


def _tolerations(spec: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    for index, given in entries(sequence(spec.get("tolerations"))):
        path = f"{base}/tolerations/{index}"
        operator = text(given.get("operator"))
        if operator == "Exists" and text(given.get("value")):
            yield _refusal(f"{path}/value", "is set, and the operator is Exists", "Remove value, or write Equal.")
        elif operator != "Exists" and not text(given.get("key")):
            yield _refusal(f"{path}/operator", "is not Exists, and there is no key", "Set key, or write Exists.")
        if given.get("tolerationSeconds") is not None and text(given.get("effect")) != "NoExecute":
            yield _refusal(f"{path}/effect", "is not NoExecute, and tolerationSeconds is set", "Write NoExecute.")


def _dns(spec: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    if text(spec.get("dnsPolicy")) == "None" and not sequence(at(spec, "dnsConfig", "nameservers")):
        yield _refusal(f"{base}/dnsPolicy", "is None, and dnsConfig has no nameservers", "Set dnsConfig.nameservers.")


def _affinity(spec: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    node = mapping(at(spec, "affinity", "nodeAffinity"))
    path = f"{base}/affinity/nodeAffinity"
    required, preferred = (
        "requiredDuringSchedulingIgnoredDuringExecution",
        "preferredDuringSchedulingIgnoredDuringExecution",
    )
    terms = [
        (term, f"{path}/{required}/nodeSelectorTerms/{index}")
        for index, term in entries(sequence(at(node, required, "nodeSelectorTerms")))
    ]
    terms += [
        (at(term, "preference"), f"{path}/{preferred}/{index}/preference")
        for index, term in entries(sequence(node.get(preferred)))
    ]
    for term, place in terms:
        for index, demand in entries(sequence(at(term, "matchExpressions"))):
            yield from _decided(_demand, demand, f"{place}/matchExpressions/{index}")


def _demand(demand: Mapping[str, Any], path: str) -> Iterator[Refusal]:
    operator, values = text(demand.get("operator")), sequence(demand.get("values"))
    if operator in ("In", "NotIn") and not values:
        yield _refusal(f"{path}/values", f"is missing, and the operator is {operator}", "Set values.")
    elif operator in ("Exists", "DoesNotExist") and values:
        yield _refusal(f"{path}/values", f"is set, and the operator is {operator}", "Remove values.")
    elif operator in ("Gt", "Lt") and len(values) != 1:
        yield _refusal(f"{path}/values", f"has not one entry, and the operator is {operator}", "Write one number.")


# Other objects


def _port_names(body: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    """The names of the ports of a container, or of a Service's spec."""
    seen: set[str] = set()
    for index, port in entries(sequence(body.get("ports"))):
        name = text(mapping(port).get("name"))
        if name and name in seen:
            yield _refusal(f"{base}/ports/{index}/name", f"is {name[:60]}, as that of another port", "Change one name.")
        seen.add(name or "")


def _unnamed_ports(body: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    ports = list(entries(sequence(body.get("ports"))))
    for index, port in ports if len(ports) > 1 else ():
        if not text(mapping(port).get("name")):
            path = f"{base}/ports/{index}"
            yield _refusal(path, "has no name, and the Service has several ports", "Set the name of each port.")


def _service(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    spec = mapping(body.get("spec"))
    kind, given = text(spec.get("type")) or "ClusterIP", text(spec.get("clusterIP"))
    if kind == "ExternalName" and not text(spec.get("externalName")):
        yield _refusal("/spec/externalName", "is missing, and the type is ExternalName", "Set externalName.")
    if kind != "ExternalName" and given != "None" and not sequence(spec.get("ports")):
        yield _refusal("/spec/ports", "is empty", "Set ports, or set clusterIP to None.")
    if given and given != "None" and address(given) is None:
        yield _refusal(
            "/spec/clusterIP", f"is {given[:60]!r}, which is no address", "Write an address, None or nothing."
        )
    yield from _of_type(spec, kind)
    yield from _decided(_port_names, spec, "/spec")
    yield from _decided(_unnamed_ports, spec, "/spec")
    ranges = sequence(spec.get("loadBalancerSourceRanges"))
    if ranges and kind != "LoadBalancer":
        yield _refusal(
            "/spec/loadBalancerSourceRanges",
            f"is set, and the type is {kind}",
            "Remove it, or set type to LoadBalancer.",
        )
        return
    for index, value in enumerate(ranges):
        yield from _cidr(value, f"/spec/loadBalancerSourceRanges/{index}")


def _of_type(spec: Mapping[str, Any], kind: str) -> Iterator[Refusal]:
    """The fields of a Service that its type or another field rules out."""
    local, outside = text(spec.get("externalTrafficPolicy")) == "Local", kind in ("LoadBalancer", "NodePort")
    external = text(spec.get("externalName"))
    if kind == "ExternalName" and external and not re.fullmatch(_HOST, external.removesuffix(".")):
        yield _refusal("/spec/externalName", f"is {external[:60]!r}, which is no DNS name", "Write a host name alone.")
    if outside and text(spec.get("clusterIP")) == "None":
        yield _refusal("/spec/clusterIP", f"is None, and the type is {kind}", "Remove it, or set type to ClusterIP.")
    if spec.get("externalTrafficPolicy") and not outside and not sequence(spec.get("externalIPs")):
        yield _refusal("/spec/externalTrafficPolicy", f"is set, and the type is {kind}", "Remove it.")
    if number(spec.get("healthCheckNodePort")) and not (kind == "LoadBalancer" and local):
        path, needed = "/spec/healthCheckNodePort", "type LoadBalancer and externalTrafficPolicy Local"
        yield _refusal(path, f"is set without {needed}", f"Remove it, or set {needed}.")
    if text(spec.get("loadBalancerClass")) and kind != "LoadBalancer":
        path = "/spec/loadBalancerClass"
        yield _refusal(path, f"is set, and the type is {kind}", "Remove it, or set type to LoadBalancer.")
    if spec.get("sessionAffinityConfig") is not None and text(spec.get("sessionAffinity")) in (None, "", "None"):
        path = "/spec/sessionAffinityConfig"
        yield _refusal(path, "is set, and sessionAffinity is None", "Set sessionAffinity to ClientIP.")
    for index, value in enumerate(sequence(spec.get("externalIPs"))):
        found = address(value)
        if text(value) is not None and (
            found is None or found.is_loopback or found.is_unspecified or found.is_link_local or found.is_multicast
        ):
            path = f"/spec/externalIPs/{index}"
            yield _refusal(
                path, f"is {value!r:.60}, which is no address outside", "Write an address that leads to nodes."
            )


_HOST = SUBDOMAIN_NAME["pattern"]
_CLASS = "kubernetes.io/ingress.class"


def _ingress(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    annotated, named = text(at(body, "metadata", "annotations", _CLASS)), text(at(body, "spec", "ingressClassName"))
    if annotated is not None and named is not None and annotated != named:
        path = pointer("/metadata/annotations", _CLASS)
        yield _refusal(
            path,
            f"is {annotated[:60]}, and ingressClassName is {named[:60]}",
            "Remove the annotation, or write one class.",
        )


def _config_map(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    data, binary = mapping(body.get("data")), mapping(body.get("binaryData"))
    for key in sorted(data.keys() & binary.keys()):
        yield _refusal(pointer("/binaryData", key), "is also a key of data", "Remove one of the two.")
    size = sum(len(value.encode()) for value in data.values() if isinstance(value, str))
    if size > _LARGEST:
        yield _refusal("/data", f"has {size} bytes, which is more than {_LARGEST}", "Split the ConfigMap.")


_LARGEST = 1024 * 1024


def _role(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    for index, rule in entries(sequence(body.get("rules"))):
        if sequence(mapping(rule).get("nonResourceURLs")):
            path = f"/rules/{index}/nonResourceURLs"
            yield _refusal(path, "is set, and a Role is of one namespace", "Move the rule into a ClusterRole.")


def _priority(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    name = text(at(body, "metadata", "name")) or ""
    if name.startswith("system-") and name not in ("system-cluster-critical", "system-node-critical"):
        yield _refusal("/metadata/name", f"is {name[:60]}, and system- is reserved", "Write another name.")


def _endpoints(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    version = {"IPv4": 4, "IPv6": 6}.get(text(body.get("addressType")) or "")
    for index, endpoint in entries(sequence(body.get("endpoints"))):
        for i, value in enumerate(sequence(mapping(endpoint).get("addresses"))):
            found = address(value)
            if version and text(value) is not None and (found is None or found.version != version):
                path = f"/endpoints/{index}/addresses/{i}"
                yield _refusal(
                    path, f"is {value!r:.60}, which is no IPv{version} address", "Correct it or addressType."
                )


def _secret(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    kind = text(body.get("type"))
    data, clear = mapping(body.get("data")), mapping(body.get("stringData"))
    demanded = _SECRETS.get(kind or "", ())
    missing = [key for key in demanded if key not in data and key not in clear]
    # A login has one of its two keys at least.
    if missing and not (kind == _LOGIN and len(missing) < len(demanded)):
        names = (" or " if kind == _LOGIN else " and ").join(missing)
        yield _refusal("/data", f"has no {names}, and the type is {kind}", f"Set {names}.")
    elif kind in _DOCKER:
        (key,) = demanded
        field = "stringData" if key in clear else "data"
        content = text(clear[key] if key in clear else data[key])
        if content is not None and not _is_json_object(content, encoded=field == "data"):
            yield _refusal(
                pointer("", field, key),
                f"is not a JSON object, and the type is {kind}",
                "Write what `kubectl create secret docker-registry NAME --dry-run=client -o yaml` prints.",
            )
    account = "kubernetes.io/service-account.name"
    if kind == "kubernetes.io/service-account-token" and not text(at(body, "metadata", "annotations", account)):
        yield _refusal(
            pointer("/metadata/annotations", account),
            f"is missing, and the type is {kind}",
            "Set it to the name of the ServiceAccount.",
        )


def _is_json_object(content: str, *, encoded: bool) -> bool:
    """Whether a Secret's value is what Go reads as a mapping. A value that is no base64 is refused by its schema."""
    try:
        found = json.loads(base64.b64decode(content) if encoded else content)
    except (ValueError, RecursionError):
        return False
    return found is None or isinstance(found, dict)


def _subjects(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    for index, subject in entries(sequence(body.get("subjects"))):
        if text(subject.get("kind")) == "ServiceAccount" and not text(subject.get("namespace")):
            yield _refusal(f"/subjects/{index}/namespace", "is missing", "Set the namespace of the ServiceAccount.")


_OBJECTS: Mapping[str, tuple[Check, ...]] = {
    "apps/v1 DaemonSet": (_daemon_update, _without_selector),
    "apps/v1 Deployment": (_progress, _strategy, _without_selector),
    "apps/v1 ReplicaSet": (_without_selector,),
    "apps/v1 StatefulSet": (_stateful_update, _without_selector),
    "autoscaling/v1 HorizontalPodAutoscaler": (_scaling,),
    "autoscaling/v2 HorizontalPodAutoscaler": (_scaling,),
    "batch/v1 CronJob": (_schedule,),
    "batch/v1 Job": (_indexed,),
    "discovery.k8s.io/v1 EndpointSlice": (_endpoints,),
    "networking.k8s.io/v1 Ingress": (_ingress,),
    "networking.k8s.io/v1 NetworkPolicy": (_policy,),
    "policy/v1 PodDisruptionBudget": (_disruption,),
    "projectcalico.org/v3 GlobalNetworkPolicy": (_calico,),
    "projectcalico.org/v3 NetworkPolicy": (_calico,),
    "rbac.authorization.k8s.io/v1 ClusterRoleBinding": (_subjects,),
    "rbac.authorization.k8s.io/v1 Role": (_role,),
    "scheduling.k8s.io/v1 PriorityClass": (_priority,),
    "v1 ConfigMap": (_config_map,),
    "v1 PersistentVolume": (_capacity,),
    "v1 PersistentVolumeClaim": (_claim,),
    "v1 ResourceQuota": (_hard,),
    "v1 Secret": (_secret,),
    "v1 Service": (_service,),
}
_PODS: tuple[Check, ...] = (_affinity, _dns, _pod_wide, _tolerations, _volumes)
_CONTAINERS: tuple[Check, ...] = (
    *(_commands, _container_resources, _env, _env_from, _lifecycle, _mount_paths, _of_init, _port_names, _privileges),
    *(_probes, _sub_paths),
)
