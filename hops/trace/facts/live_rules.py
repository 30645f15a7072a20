"""The few rules that explain a broken request, asked of the objects in the cluster."""

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

from hops.kubernetes.inventory import Inventory
from hops.model.finding import Finding, Identity, Level
from hops.model.hop import HopName
from hops.rules.catalogue import RULES
from hops.rules.configuration import Configuration, configure
from hops.rules.judge import judge
from hops.trace.facts.path_facts import PathFacts
from hops.trace.facts.remedies import kubectl, mend


def judged(view: PathFacts, *codes: str, inventory: Inventory | None = None) -> list[Finding]:
    """What these rules find, in their own configuration: a stack that runs a rule as advisory still has no answer.

    inventory: another one than that of the objects in the cluster.
    """
    rules = [RULES[code] for code in codes]
    return [finding for finding in judge(inventory or view.inventory, _unconfigured(), rules) if finding.code in codes]


@cache
def _unconfigured() -> Configuration:
    return configure()


def as_trace_finding(
    finding: Finding,
    hop: HopName,
    remedy: str,
    evidence: Iterable[str],
    level: Level = Level.MANDATORY,
    *,
    look: str = "",
) -> Finding:
    """A rule's finding as one of the path: at the hop that breaks by it, with what was seen and its commands.

    remedy: a command, or empty.
    evidence: what was seen, a line each.
    look: a command that shows more. Default: none.
    """
    message, seen = finding.message[0].upper() + finding.message[1:], "\n".join(evidence)
    return replace(finding, hop=hop, level=level, remedy=remedy, patch=None, message=message, evidence=seen, look=look)


def patched(view: PathFacts, who: Identity, *operations: Any) -> str:
    """The command that puts an object right: RFC 6902 operations where no stack owns it."""
    change = json.dumps(operations, separators=(",", ":"))
    words = ("patch", who.kind.lower(), who.name, "--type", "json", "--patch", change)
    return mend(view, who, kubectl(view, *words, namespace=who.namespace))
