"""What can break: hop 7, a pod that the API does not let in."""

import json
import re
from collections.abc import Callable, Iterator, Mapping

from hops.kubernetes.resources import quotas
from hops.kubernetes.resources.warning_events import warning_event
from hops.kubernetes.values import JSON
from hops.model.finding import Finding, Identity
from hops.model.hop import HopName
from hops.model.settings.service_settings import Resources, amount
from hops.trace.checks.pods.pod import missing
from hops.trace.code import Code
from hops.trace.facts.envoy_drift import suffers
from hops.trace.facts.path_facts import PathFacts, identity
from hops.trace.facts.remedies import kubectl, make, service_settings, setting

refused = Code(
    code="T68",
    hop=HopName.POD,
    title="A quota or a limit of the namespace prevents the pod from being created",
    symptom="503 from Envoy (`no healthy upstream`): there is no pod. `make up` fails with `exceeded quota`.",
    cause="A ResourceQuota of the namespace is used up or requires limits that the pod does not set, or a "
    "LimitRange allows less than the pod requests. The API then refuses to create the pod; nothing is Pending.",
    confirmed_by="The pod is missing, and a ResourceQuota's `used` leaves no room for it, its resources are outside "
    "of a LimitRange, or an event of its ReplicaSet quotes the refusal. A pod that is missing for another reason is "
    "T42.",
    remedy="Raise the quota or the limit, or reduce the pod's requests.",
    references=("https://kubernetes.io/docs/concepts/policy/resource-quotas/",),
)

_REFUSAL = re.compile(r"exceeded quota: ([\w.-]+)|failed quota: ([\w.-]+)|(?:maximum|minimum) \S+ usage per")
_COUNTED = ("pods", "count/pods")


def _refused(view: PathFacts) -> Iterator[Finding]:
    backend = view.backend
    if backend is None or not suffers(view) or not view.sees("Pod") or not (missing(view) or not view.pods):
        return
    pods = [Identity("v1", "Pod", backend.namespace, name) for name in missing(view)]
    pods += [Identity("apps/v1", "Deployment", backend.namespace, backend.service)] if backend.deployment else []
    again = f" && {make(view)}" if view.makes_service and not backend.deployment else ""
    said = next(_said(view, backend.namespace), "")
    for who, why, remedy in (*_quotas(view, backend.namespace, said), *_ranges(view, backend.namespace, said)):
        asks = service_settings(view)
        wrong = setting(view, "resources") if asks and asks.resources and "asks for" in why else ""
        evidence = [f"{who}: {why}", *([f"event FailedCreate: {said}"] if said else [])]
        message = f"The {who.kind} {who.name} prevents the pod from being created: {why}."
        yield refused.finding(who, message, f"{remedy}{again}", evidence, setting=wrong, about=pods)


def _said(view: PathFacts, namespace: str) -> Iterator[str]:
    """The refusals of pods that events quote."""
    for item in view.of("Event", namespace):
        event = warning_event(item)
        if event.reason == "FailedCreate" and _REFUSAL.search(event.message):
            yield " ".join(event.message.split())[:300]


def _quotas(view: PathFacts, namespace: str, said: str) -> Iterator[tuple[Identity, str, str]]:
    """The quotas that leave no room for the pod, why, and the command that takes the bound away."""
    for quota in view.of("ResourceQuota", namespace):
        who, used, hard = identity(quota), quotas.used(quota), quotas.hard(quota)
        needs, full = _needs(view), {}
        for name, most in hard.items():
            need = needs.get(name)
            if need is None and name in ("limits.cpu", "limits.memory", "requests.cpu", "requests.memory"):
                full[name] = f"{name} is bounded, and the pod sets none" if view.planned else ""
            elif need is not None and _number(used.get(name)) + need > _number(most):
                full[name] = f"{used.get(name, '0')} of {most} {name} are used, and the pod needs one more"
                if name not in _COUNTED:
                    full[name] = f"{used.get(name, '0')} of {most} {name} are used, and the pod asks for more"
        full = {name: why for name, why in full.items() if why}
        quoted = _REFUSAL.search(said)
        if full or (quoted and who.name in quoted.groups()):
            names = list(full) or list(hard)
            patch = json.dumps({"spec": {"hard": dict.fromkeys(names)}}, separators=(",", ":"))
            words = ("patch", "resourcequota", who.name, "--type", "merge", "--patch", patch)
            yield who, "; ".join(full.values()) or said, kubectl(view, *words, namespace=namespace)


def _ranges(view: PathFacts, namespace: str, said: str) -> Iterator[tuple[Identity, str, str]]:
    """The LimitRanges outside of which the pod is, why, and the command that edits them."""
    settings = service_settings(view)
    for item in view.of("LimitRange", namespace):
        who = identity(item)
        why = next(_outside(item, settings.resources), "") if settings and settings.resources else ""
        if not why and " usage per " in said:
            why = said.partition("forbidden: ")[2] or said
        if why:
            yield who, why, kubectl(view, "edit", "limitrange", who.name, namespace=namespace)


def _outside(item: Mapping[str, JSON], asks: Resources) -> Iterator[str]:
    for limit in quotas.pod_limits(item):
        most, least = asks.limits or asks.requests, asks.requests or asks.limits
        for word, bounds, given in (("max", limit.most, most), ("min", limit.least, least)):
            own = {str(name): value for name, value in given.items()}
            for name, bound in bounds.items():
                distance = _number(own.get(name, bound)) - _number(bound)
                if distance > 0 if word == "max" else distance < 0:
                    yield f"the pod asks for {own[name]} {name}, and {word} is {bound}"


def _needs(view: PathFacts) -> dict[str, float]:
    """What one more pod needs, by the names of a quota."""
    found: dict[str, float] = dict.fromkeys(_COUNTED, 1.0)
    settings = service_settings(view)
    if settings is None or settings.resources is None:
        return found
    limits = {str(name): _number(str(value)) for name, value in settings.resources.limits.items()}
    # The API takes a limit for the request where none is given.
    requests = limits | {str(name): _number(str(value)) for name, value in settings.resources.requests.items()}
    return (
        found
        | {f"limits.{name}": value for name, value in limits.items()}
        | {f"requests.{name}": value for name, value in requests.items()}
        | requests
    )


def _number(quantity: str | None) -> float:
    """The number of a quantity; 0 for one in a form that is not known."""
    try:
        return amount(quantity or "0")
    except (ValueError, KeyError):
        return 0.0


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (_refused,)
