"""What the pack is asked to judge by: its own configuration, and that of the stack."""

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from hops.finding import Level, Place
from hops.rules import RULES
from hops.rules.configuration import configure, read
from hops.rules.inventory import Inventory
from hops.rules.judge import Judge
from hops.rules.rule import Scope
from hops.rules.values import JSON
from hops.settings import settings
from policy.operation import Operation


class Asked:
    """The rules of one operation, made ready.

    everything: all rules. alone: those that need to see one resource only. together: the others. mending_*: those of
    them whose level is remediate.
    """

    def __init__(self, given: Mapping[str, Any], operation: Operation) -> None:
        """given: the pack's own configuration. Raises SettingsError that names the key."""
        self.given = given
        self._today = datetime.now(tz=UTC).date()
        stack = operation.ours()
        own = [name for name in stack if name != "policy"]
        # Another project's stack has no settings of ours, but may say something of the rules.
        self._settings = settings(operation.stack, stack, os.environ.get("INGRESS_HOPS_NODE_IMAGE")) if own else None
        configuration = configure(read(given), read(stack.get("policy", {})))
        rules = RULES.values()
        alone = [rule for rule in rules if rule.scope is Scope.RESOURCE]
        together = [rule for rule in rules if rule.scope is not Scope.RESOURCE]
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
        return Inventory(declared, today=self._today, settings=self._settings)
