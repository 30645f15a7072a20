"""The data types of a rule: scope, breach and declaration."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.resource import Resource
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.path import CONTOUR_NAMESPACE
from hops.model.settings.setting_types import Section

CONTROLLER = f"DaemonSet/{CONTOUR_NAMESPACE}/envoy"
"""The workload that accepts requests, as published by Contour (examples/contour/03-envoy.yaml)."""


class Scope(StrEnum):
    """What a rule examines: one object, all objects of the stack, or also the claims of other stacks."""

    RESOURCE = "resource"
    STACK = "stack"
    FLEET = "fleet"


@dataclass(frozen=True, slots=True)
class Breach:
    """One violation of a rule by a subject.

    path: JSON pointer inside the subject's object; "" for the whole object.
    message: one sentence without the rule's code and the object.
    patch: RFC 6902 operations that remove the violation; empty if there is no safe change.
    patches: the object that the patch changes; None for the subject's own object.
    remedy: replaces the remedy of the rule; "" keeps it.
    evidence: the offending value as text.
    absence: whether the breach concludes from an object that is not declared. It does not hold if a file could not be
        read, because the object may be in that file.
    causes: the values that cause the breach, by object and JSON pointer. Findings about all of them that are at least
        as strict replace this one. Findings of the same rule do not count.
    names: the value, by object and JSON pointer, that the message names. A less strict finding about it is left out.
        If the value is the only cause, its patch and its remedy replace those of this breach.
    """

    path: str
    message: str
    patch: tuple[Mapping[str, Any], ...] = ()
    patches: Resource | None = None
    remedy: str = ""
    evidence: str = ""
    absence: bool = False
    causes: tuple[tuple[Resource, str], ...] = ()
    names: tuple[Resource, str] | None = None


class NoParameters(Section):
    """The parameters of a rule without parameters."""


def example(parameters: type[Section], name: str) -> Any:
    """A value of a parameter as JSON: its example, otherwise its default.

    name: the key of the parameter in a configuration.
    """
    named = {field.alias or key: field for key, field in parameters.model_fields.items()}
    given = named[name].examples
    return given[0] if given else parameters().model_dump(mode="json", by_alias=True)[name]


@dataclass(frozen=True)
class Rule:
    """The declaration of one rule.

    check: yields the breaches of one subject. Arguments: subject, inventory, parameters. Does no I/O. Raises
        Undecidable if it requires a value that is not known yet.
    code: two letters of the family and two digits, such as HP01.
    title: the rule as one sentence without a full stop.
    severity: the impact of a breach.
    level: the default level, without configuration.
    scope: what the rule examines.
    of: returns the subjects of an inventory.
    why: the reason for the rule, in complete sentences.
    remedy: how to resolve a breach, in the imperative.
    bad: YAML documents that break the rule; a test runs them and the rule's page shows them.
    good: YAML documents that follow the rule.
    hop: the hop that a breach interrupts; None if there is no single one.
    parameters: model with the types and defaults of the parameters. Its docstring describes each field on a line
        `name: description`, which the rule's page shows.
    parameters_of: code of the rule whose parameters this rule shares; None for its own.
    remediable: whether the patch depends on and changes one resource and does not change the stack's outputs.
    unsafe: whether its patch can close a port, weaken a protection, or change a URL, a namespace, a name or a class;
        `hops check --fix` applies it only if asked to.
    references: URLs.
    yields_to: codes of rules; a finding of one of them at the same place of the same object replaces that of this rule.
    of_contour: whether the rule holds for Contour only, so that it skips an Ingress of another controller.
    """

    check: Callable[[Any, Inventory, Any], Iterable[Breach]]
    code: str
    title: str
    severity: Severity
    level: Level
    scope: Scope
    of: Callable[[Inventory], Iterable[Any]]
    why: str
    remedy: str
    bad: str
    good: str
    hop: HopName | None = None
    parameters: type[Section] = NoParameters
    parameters_of: str | None = None
    remediable: bool = False
    unsafe: bool = False
    references: tuple[str, ...] = ()
    yields_to: tuple[str, ...] = ()
    of_contour: bool = False


def pods(inventory: Inventory) -> Iterable[Any]:
    """All pod templates as subjects, for `Rule.of`."""
    return inventory.pods


def services(inventory: Inventory) -> Iterable[Any]:
    """All Services as subjects, for `Rule.of`."""
    return inventory.services


def ingresses(inventory: Inventory) -> Iterable[Any]:
    """All Ingresses as subjects, for `Rule.of`."""
    return inventory.ingresses


def kinds(*names: str) -> Callable[[Inventory], Iterable[Resource]]:
    """Returns a function that lists the objects of these kinds, for `Rule.of`."""
    return lambda inventory: inventory.of_kind(*names)


def resources(inventory: Inventory) -> Iterable[Resource]:
    """All objects as subjects, for `Rule.of`."""
    return inventory.resources
