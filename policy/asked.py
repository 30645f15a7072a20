"""What the pack is asked to judge by: its own configuration, and that of the stack."""

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.values import JSON
from hops.model.finding import Level, Place
from hops.model.settings import SettingsError, settings
from hops.rules import RULES
from hops.rules.configuration import configure, read
from hops.rules.judge import Judge
from hops.rules.other_stacks import Others, others
from hops.rules.rule import Scope
from policy.operation import Operation


class Asked:
    """The rules of one operation, made ready.

    everything: all rules. alone: those that need to see one resource only. together: the others. mending_*: those of
    them whose level is remediate. others: what the other stacks of the project hold.
    """

    def __init__(self, given: Mapping[str, Any], operation: Operation, stack_files: Path) -> None:
        """given: the pack's own configuration. stack_files: their folder. Raises SettingsError that names the key."""
        self.given = given
        self._today = datetime.now(tz=UTC).date()
        stack = operation.ours()
        own = [name for name in stack if name != "policy"]
        # Another project's stack has no settings of ours, but may say something of the rules.
        self._settings = settings(operation.stack, stack, os.environ.get("INGRESS_HOPS_NODE_IMAGE")) if own else None
        self.others = _others(stack_files, operation.stack) if own else Others()
        configuration = configure(read(given), read(stack.get("policy", {})))
        rules = RULES.values()
        # What the fleet holds is known from the start.
        alone = [rule for rule in rules if rule.scope is not Scope.STACK]
        together = [rule for rule in rules if rule.scope is Scope.STACK]
        mended = {code for code, level in configuration.levels.items() if level is Level.REMEDIATE}
        self.everything = Judge(configuration, self._today)
        self.alone, self.together, self.mending_alone, self.mending_together = (
            Judge(configuration, self._today, chosen)
            for chosen in (
                alone,
                together,
                [rule for rule in alone if rule.code in mended],
                [rule for rule in together if rule.code in mended],
            )
        )
        self.mends = bool(mended)
        self.mends_together = any(rule.code in mended for rule in together)

    def inventory(self, declared: Iterable[tuple[JSON, Place]]) -> Inventory:
        return Inventory(declared, today=self._today, settings=self._settings, fleet=self.others.fleet)


def _others(folder: Path, stack: str) -> Others:
    files = sorted(folder.glob("Pulumi.*.yaml"))
    try:
        read = {path.name.removeprefix("Pulumi.").removesuffix(".yaml"): path.read_bytes() for path in files}
    except OSError as error:
        raise SettingsError(f"what the other stacks hold can't be read: {error}") from None
    return others(read, stack)
