"""What a rule is."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hops.kubernetes.inventory import Inventory, Resource
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.settings import Section

CONTROLLER = "DaemonSet/projectcontour/envoy"
"""The workload that takes the requests in, as Contour publishes it (examples/contour/03-envoy.yaml)."""


class Scope(StrEnum):
    """How much a rule has to see: one object, the whole stack, or other stacks too."""

    RESOURCE = "resource"
    STACK = "stack"
    FLEET = "fleet"


@dataclass(frozen=True, slots=True)
class Breach:
    """What a rule yields for its subject.

    path: JSON pointer inside the subject's object. message: one sentence, without code and object. patch: RFC 6902
    operations that mend it, on `patches` or else on the subject's own object. remedy: in the place of the rule's.
    evidence: the value that was met.
    """

    path: str
    message: str
    patch: tuple[Mapping[str, Any], ...] = ()
    patches: Resource | None = None
    remedy: str = ""
    evidence: str = ""


class NoParameters(Section):
    """The parameters of a rule that has none."""


@dataclass(frozen=True)
class Rule:
    """One rule.

    check: takes one subject, the inventory and the parameters, and yields its breaches; it touches nothing else and
    lets Undecidable through. Its first sentence of documentation isn't shown: `why` is.
    code: of the catalogue. level: the one it has where no configuration says otherwise. of: its subjects. hop: the
    hop that breaks, None where no single one does. parameters: their types and defaults.
    parameters_of: the code of the rule whose parameters it follows. remediable: its patch judges and changes one
    resource and leaves the stack's outputs true. references: addresses. bad, good: YAML documents that break it and
    that don't, which a test runs and the docs show.
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
    references: tuple[str, ...] = ()


def pods(inventory: Inventory) -> Iterable[Any]:
    return inventory.pods


def services(inventory: Inventory) -> Iterable[Any]:
    return inventory.services


def ingresses(inventory: Inventory) -> Iterable[Any]:
    return inventory.ingresses


def kinds(*names: str) -> Callable[[Inventory], Iterable[Resource]]:
    """The objects of these kinds as subjects."""
    return lambda inventory: inventory.of_kind(*names)


def resources(inventory: Inventory) -> Iterable[Resource]:
    return inventory.resources
