"""PK: rules for undecided rules, opaque objects and the configuration of the rules."""

import difflib
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import partial
from typing import Annotated, Any

from pydantic import Field

import hops.rules.catalogue
from hops.kubernetes.controller.secrets import KUSTOMIZE
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.resource import Resource, content
from hops.kubernetes.values import Undecidable, at, mapping, sequence, text, unknown_paths
from hops.model.finding import Level, Severity
from hops.model.settings.setting_types import Section
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
    why="A value that is unknown in a preview can be anything. A rule that requires this value and reports nothing "
    "would accept every value.",
    remedy="Set the value in the program to a plain value instead of an output, or set the level of PK01 to advisory.",
    references=("https://github.com/pulumi/pulumi-policy/issues/209",),
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  containers:
  - name: web
    image: web:1
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
    """Yields nothing: the judge reports PK01 itself when another rule raises Undecidable."""
    return iter(())


class Opaque(Section):
    """Parameters of PK02.

    opaque: kinds whose objects create other objects.
    seen: objects that are checked by other means, as patterns Kind/namespace/name.
    """

    opaque: tuple[str, ...] = (
        *("Application", "ApplicationSet", "HelmChart", "HelmRelease", "Kustomization"),
        *("command:remote:Command", "kubernetes:helm.sh/v3:Release"),
    )
    seen: tuple[str, ...] = Field((), examples=[["HelmRelease/apps/*"]])


@partial(
    Rule,
    code="PK02",
    title="Every workload is visible to the rules",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    scope=Scope.RESOURCE,
    of=resources,
    parameters=Opaque,
    why="A Helm release, a remote command or the object of an operator creates pods that no rule checks: the stack "
    "passes although nothing examined them.",
    remedy="Declare the objects themselves (for example, render the chart), or add the object to the parameter `seen` "
    "of PK02.",
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
spec:
  selector: {matchLabels: {app: nginx}}
  template:
    metadata: {labels: {app: nginx}}
    spec: {containers: [{name: nginx, image: nginx:1}]}
""",
)
def opaque(resource: Resource, _: Inventory, parameters: Opaque) -> Iterator[Breach]:
    noun = f"{'an' if resource.kind[:1] in 'AEIO' else 'a'} {resource.kind}"
    if resource.kind in parameters.opaque and resource.api_version != KUSTOMIZE:
        what = f"{noun} creates objects that the rules cannot see."
    elif _foreign(resource) and _has_pod_template(resource.body, 8):
        what = f"{noun} contains a pod template that no rule reads."
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
    """Parameters of PK03.

    longest_days: the longest time until an exception expires, in days from today.
    """

    longest_days: Annotated[int, Field(ge=1)] = 366


def holds(reason: str, owner: str, expires: date, today: date) -> bool:
    """Whether an exception is in force.

    reason, owner: texts of the exception; blank texts put it out of force.
    expires: last day on which the exception is in force.
    today: day of the check.
    """
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
    why="An exception without a reason or an end is never removed. An exception that has expired or is incomplete has "
    "no effect: its finding is reported again.",
    remedy="Fix the excepted resource and remove the exception, or set `reason`, `owner` and an `expires` date within "
    "the parameter `longestDays` of PK03.",
    bad=_HP01_EXCEPTED.format(reason="scraped on the node", expires="2020-01-31"),
    good=_HP01_EXCEPTED.format(reason="scraped on the node", expires="2026-12-31"),
)
def exceptions_end(policy: Resource, inventory: Inventory, parameters: Terms) -> Iterator[Breach]:
    for code, settings in mapping(policy.body.get("rules")).items():
        for index, exception in enumerate(sequence(at(settings, "exceptions"))):
            path = f"/rules/{code}/exceptions/{index}"
            named = text(at(exception, "resource")) or "(no resource)"
            missing = [key for key in ("reason", "owner", "expires") if not (text(at(exception, key)) or "").strip()]
            if missing:
                yield Breach(path, f"the exception for {named} from {code} has no {' and no '.join(missing)}.")
                continue
            try:
                expires = date.fromisoformat(text(at(exception, "expires")) or "")
            except ValueError:
                yield Breach(
                    f"{path}/expires",
                    f"`expires` of the exception for {named} from {code} is not a date such as 2026-12-31.",
                )
                continue
            if expires < inventory.today:
                yield Breach(f"{path}/expires", f"the exception for {named} from {code} expired on {expires}.")
            elif expires > inventory.today + timedelta(days=parameters.longest_days):
                yield Breach(
                    f"{path}/expires",
                    f"the exception for {named} from {code} expires on {expires}, more than "
                    f"{parameters.longest_days} days from today.",
                )


@partial(
    Rule,
    code="PK04",
    title="The configuration names existing rules and leaves some enabled",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=kinds("Policy"),
    why="A misspelled code has no effect. An exception for every resource disables a rule without a visible level. If "
    "PK01 is disabled, a rule that cannot be decided reports nothing.",
    remedy="Correct the code, list the excepted resources, or set the level to advisory.",
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
        if code not in hops.rules.catalogue.RULES:
            close = difflib.get_close_matches(code, hops.rules.catalogue.RULES, 1)
            meant = f"; did you mean {close[0]}?" if close else "."
            yield Breach(f"/rules/{code}", f"rule {code} does not exist{meant}")
        for index, exception in enumerate(sequence(at(settings, "exceptions"))):
            pattern = text(at(exception, "resource"))
            if pattern and not pattern.strip("*/"):
                yield Breach(
                    f"/rules/{code}/exceptions/{index}/resource",
                    f"the exception {pattern} from {code} matches every resource.",
                )
    if text(at(rules.get("PK01"), "level")) == "disabled":
        yield Breach("/rules/PK01/level", "PK01 is disabled, so a rule that cannot be decided reports nothing.")
    if all(text(at(rules.get(code), "level")) == "disabled" for code in hops.rules.catalogue.RULES if code != "PK04"):
        yield Breach("/rules", "every rule is disabled.")


@partial(
    Rule,
    code="PK05",
    title="An object is declared once",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    scope=Scope.STACK,
    of=resources,
    why="If two documents declare the same object with different content, the one that is applied last replaces the "
    "other without an error. Every other rule judges both.",
    remedy="Remove one of the declarations, or rename the object.",
    references=("https://kubernetes.io/docs/concepts/overview/working-with-objects/names/",),
    bad="""
apiVersion: v1
kind: Service
metadata: {name: web, namespace: apps}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: apps}
spec: {selector: {app: web}, ports: [{port: 81}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps, labels: {app: web}}
spec: {containers: [{name: web, image: web:1}]}
""",
    good="""
apiVersion: v1
kind: Service
metadata: {name: web, namespace: apps}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps, labels: {app: web}}
spec: {containers: [{name: web, image: web:1}]}
""",
)
def declared_once(resource: Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    if not _applied(resource):
        return
    if resource.vague:
        raise Undecidable
    first = inventory.once(_first_declared).get((resource.kind, resource.namespace, resource.name))
    if first is None or first is resource:
        return
    if content(first.body) != content(resource.body):
        if unknown_paths([first.body, resource.body]):
            raise Undecidable
        elsewhere = f" in {first.place.file}" if first.place.file != resource.place.file else ""
        yield Breach("", f"another document{elsewhere} declares the object with different content.")


def _applied(resource: Resource) -> bool:
    """Whether a declaration is a whole object of a cluster. A Pulumi resource whose type ends in Patch is a part."""
    patch = (resource.place.urn or "").rpartition("::")[0].endswith("Patch")
    return not patch and resource.kind not in ("Cluster", "Fleet", "Policy")


def _first_declared(inventory: Inventory) -> Mapping[tuple[str, str | None, str], Resource]:
    """The first declaration of each object."""
    first: dict[tuple[str, str | None, str], Resource] = {}
    for resource in inventory.resources:
        if resource.name and not resource.vague and _applied(resource):
            first.setdefault((resource.kind, resource.namespace, resource.name), resource)
    return first
