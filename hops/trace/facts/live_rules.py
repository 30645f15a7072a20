"""The few rules that explain a broken request, asked of the living objects."""

import json
import shlex
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hops.kubernetes.inventory import Inventory
from hops.model.finding import Finding, Level
from hops.model.hop import HopName
from hops.rules import RULES
from hops.rules.configuration import configure
from hops.rules.judge import judge
from hops.trace.facts.view import View


def judged(view: View, *codes: str, inventory: Inventory | None = None) -> list[Finding]:
    """What these rules find, in their own configuration: a stack that runs a rule as advisory still has no answer.

    inventory: another one than that of the living objects.
    """
    wanted = [RULES[code] for code in codes]
    return [finding for finding in judge(inventory or view.inventory, configure(), wanted) if finding.code in codes]


def retold(
    finding: Finding, hop: HopName, remedy: str, evidence: Iterable[str], level: Level = Level.MANDATORY
) -> Finding:
    """A rule's finding as one of the path: at the hop that breaks by it, with what was seen and a command."""
    message = finding.message[0].upper() + finding.message[1:]
    return replace(
        finding, hop=hop, level=level, remedy=remedy, patch=None, message=message, evidence="\n".join(evidence)
    )


def patched(view: View, kind: str, namespace: str | None, name: str, *operations: Any) -> str:
    """The command that changes an object by RFC 6902 operations."""
    where = f" --namespace {namespace}" if namespace else ""
    change = shlex.quote(json.dumps(operations, separators=(",", ":")))
    return f"{view.kubectl}{where} patch {kind.lower()} {name} --type json --patch {change}"
