"""How a rule is tried: YAML in, the codes and paths of its findings out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import yaml

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.values import UNKNOWN, at
from hops.model.finding import Finding, Place
from hops.model.settings.policy_settings import PolicySettings
from hops.model.settings.stack_settings import Settings
from hops.rules.catalogue import RULES
from hops.rules.configuration import configure
from hops.rules.judge import judge

TODAY = date(2026, 6, 1)


@dataclass(frozen=True)
class Case:
    """An edge of one rule.

    paths: of its findings, in order; none for a healthy case. about: why it is one. undecided: a finding of PK01 stands
    in for the rule.
    """

    code: str
    about: str
    text: str
    paths: tuple[str, ...] = ()
    undecided: bool = False

    def __str__(self) -> str:
        return f"{self.code}: {self.about}"


class _Loader(yaml.SafeLoader):
    """YAML with `!unknown` for a value that a preview doesn't know."""


_Loader.add_constructor("!unknown", lambda _loader, _node: UNKNOWN)


def documents(text: str) -> list[Any]:
    return [document for document in yaml.load_all(text, Loader=_Loader) if document is not None]


def verdict(
    declared: Iterable[Any], *policies: PolicySettings, rules: Iterable[str] = RULES, settings: Settings | None = None
) -> list[Finding]:
    """The findings over some objects. Documents of kind `Policy` are taken as policies."""
    bodies = list(declared)
    given = [body for body in bodies if repr(at(body, "kind")) == repr("Policy")]
    inventory = Inventory(
        [(body, Place("case.yaml", i)) for i, body in enumerate(bodies) if not any(body is policy for policy in given)],
        today=TODAY,
        settings=settings,
    )
    read = [PolicySettings.model_validate({"rules": body["rules"]}, strict=False) for body in given]
    return judge(inventory, configure(*policies, *read), [RULES[code] for code in rules])


def of_rule(text: str, code: str) -> list[Finding]:
    """The findings of one rule over YAML documents, and what it can't decide."""
    return verdict(documents(text), rules=[code])
