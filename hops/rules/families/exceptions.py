"""PK: what the rules could not see, and what they were told not to."""

import difflib
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from typing import Annotated, Any

from pydantic import Field

import hops.rules
from hops.kubernetes.inventory import Inventory, Resource
from hops.kubernetes.values import at, mapping, sequence, text
from hops.model.finding import Level, Severity
from hops.model.settings import Section
from hops.rules.rule import Breach, NoParameters, Rule, Scope, kinds, resources


def _nothing(_: Inventory) -> Iterator[Any]:
    return iter(())


@partial(
    Rule,
    code="PK01",
    title="Every rule can be decided",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=_nothing,
    why="A value that isn't known before the change is made can be anything. A rule that needs it and stays silent "
    "would have let it pass.",
    remedy="Make the value a plain one in the program, or set PK01 to advisory.",
    references=("https://github.com/pulumi/pulumi-policy/issues/209",),
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  containers:
  - name: web
    ports: [{containerPort: 8080, hostPort: !unknown }]
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  containers:
  - name: web
    image: !unknown
    ports: [{containerPort: 8080}]
""",
)
def undecidable(_: Resource, __: Inventory, ___: NoParameters) -> Iterator[Breach]:
    """Nothing: the judge finds these itself, where another rule raises Undecidable."""
    return iter(())


class Opaque(Section):
    """opaque: kinds whose objects make others. seen: Kind/namespace/name of those that are known by other means."""

    opaque: tuple[str, ...] = (
        *("Application", "ApplicationSet", "HelmChart", "HelmRelease", "Kustomization"),
        *("command:remote:Command", "kubernetes:helm.sh/v3:Release"),
    )
    seen: tuple[str, ...] = ()


@partial(
    Rule,
    code="PK02",
    title="Everything that runs can be seen",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    scope=Scope.RESOURCE,
    of=resources,
    parameters=Opaque,
    why="A Helm release, a remote command or an operator's object makes pods that no rule ever meets: the stack is "
    "green because nobody looked.",
    remedy="Declare the objects themselves (a chart can be rendered), or name it in the parameter `seen`.",
    references=("https://github.com/pulumi/pulumi-policy/issues/298",),
    bad="""
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: nginx, namespace: apps}
spec: {chart: {spec: {chart: nginx}}}
""",
    good="""
apiVersion: apps/v1
kind: Deployment
metadata: {name: nginx, namespace: apps}
spec: {template: {spec: {containers: [{name: nginx}]}}}
""",
)
def opaque(resource: Resource, _: Inventory, parameters: Opaque) -> Iterator[Breach]:
    if resource.kind in parameters.opaque:
        what = f"{resource.kind} makes objects that no rule sees."
    elif _foreign(resource) and _has_pod_template(resource.body, 8):
        what = f"{resource.kind} carries a pod template that no rule reads."
    else:
        return
    if not resource.means(parameters.seen):
        yield Breach("", what)


def _foreign(resource: Resource) -> bool:
    """Whether its group is none of Kubernetes' own; operators' groups have a dot and another end."""
    group = resource.api_version.rpartition("/")[0]
    return (
        "." in group
        and not group.endswith(".k8s.io")
        and resource.kind not in ("CustomResourceDefinition", "DeploymentConfig", "Rollout", "Policy")
    )


def _has_pod_template(value: Any, depth: int) -> bool:
    if isinstance(value, dict):
        containers = value.get("containers")
        if isinstance(containers, list) and any("image" in mapping(container) for container in containers):
            return True
        return depth > 0 and any(_has_pod_template(item, depth - 1) for item in value.values())
    return isinstance(value, list) and depth > 0 and any(_has_pod_template(item, depth - 1) for item in value)


class Terms(Section):
    """longest_days: how far ahead an exception may end."""

    longest_days: Annotated[int, Field(ge=1)] = 366


def holds(reason: str, owner: str, expires: date, today: date) -> bool:
    """Whether an exception counts on a day, its last one included."""
    return bool(reason.strip() and owner.strip()) and today <= expires


_HP01_EXCEPTED = """
apiVersion: ingress-hops/v1
kind: Policy
rules:
  HP01:
    exceptions:
    - resource: DaemonSet/monitoring/node-exporter
      reason: {reason}
      owner: alice
      expires: {expires}
"""


@partial(
    Rule,
    code="PK03",
    title="An exception has a reason, an owner and an end",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=kinds("Policy"),
    parameters=Terms,
    why="An exception that nobody can explain or end stays for ever. One that has ended, or says too little, doesn't "
    "count: its finding is back.",
    remedy="Mend what is excepted and remove the exception, or renew it with reason, owner and a day not too far off.",
    bad=_HP01_EXCEPTED.format(reason="scraped on the node", expires="2020-01-31"),
    good=_HP01_EXCEPTED.format(reason="scraped on the node", expires="2026-12-31"),
)
def exceptions_end(policy: Resource, inventory: Inventory, parameters: Terms) -> Iterator[Breach]:
    for code, settings in mapping(policy.body.get("rules")).items():
        for index, exception in enumerate(sequence(at(settings, "exceptions"))):
            path = f"/rules/{code}/exceptions/{index}"
            named = text(at(exception, "resource")) or "nothing"
            missing = [key for key in ("reason", "owner", "expires") if not (text(at(exception, key)) or "").strip()]
            if missing:
                yield Breach(path, f"the exception of {named} from {code} has no {' and no '.join(missing)}.")
                continue
            try:
                expires = date.fromisoformat(text(at(exception, "expires")) or "")
            except ValueError:
                yield Breach(f"{path}/expires", f"the exception of {named} from {code} ends on no date.")
                continue
            if expires < inventory.today:
                yield Breach(f"{path}/expires", f"the exception of {named} from {code} ended on {expires}.")
            elif expires > inventory.today + timedelta(days=parameters.longest_days):
                yield Breach(
                    f"{path}/expires",
                    f"the exception of {named} from {code} lasts until {expires}, more than "
                    f"{parameters.longest_days} days.",
                )


@partial(
    Rule,
    code="PK04",
    title="The configuration means rules that exist and leaves some in force",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=kinds("Policy"),
    why="A misspelt code changes nothing and looks as if it did; an exception for everything is a rule switched off "
    "without saying so, and PK01 switched off lets pass what can't be decided.",
    remedy="Correct the code, name the resources that are excepted, or set the level to advisory.",
    bad="""
apiVersion: ingress-hops/v1
kind: Policy
rules:
  HP99: {level: advisory}
""",
    good="""
apiVersion: ingress-hops/v1
kind: Policy
rules:
  HP01: {level: advisory}
""",
)
def configuration(policy: Resource, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    rules = mapping(policy.body.get("rules"))
    for code, settings in rules.items():
        if code not in hops.rules.RULES:
            close = difflib.get_close_matches(code, hops.rules.RULES, 1)
            meant = f"; did you mean {close[0]}?" if close else "."
            yield Breach(f"/rules/{code}", f"there is no rule {code}{meant}")
        for index, exception in enumerate(sequence(at(settings, "exceptions"))):
            pattern = text(at(exception, "resource"))
            if pattern and not pattern.strip("*/"):
                yield Breach(f"/rules/{code}/exceptions/{index}/resource", f"{code} excepts everything ({pattern}).")
    if text(at(rules.get("PK01"), "level")) == "disabled":
        yield Breach("/rules/PK01/level", "PK01 is off, so what can't be decided passes unseen.")
    if all(text(at(rules.get(code), "level")) == "disabled" for code in hops.rules.RULES if code != "PK04"):
        yield Breach("/rules", "every rule is off.")
