"""The rules of one operation, with the configuration of the pack and of the stack."""

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.values import JSON
from hops.model.finding import Level, Place
from hops.model.project_files import STACK_FILES, stack_of
from hops.model.settings.policy_settings import PolicySettings
from hops.model.settings.setting_types import NAMESPACE
from hops.model.settings.stack_config import SettingsError, settings
from hops.rules.catalogue import RULES
from hops.rules.configuration import configure, read
from hops.rules.judge import Judge
from hops.rules.other_stacks import Others, others
from hops.rules.rule import Scope
from policy.operation import Operation


class RefusedError(SettingsError):
    """Settings that the program refuses, too, with the same sentence."""


class PolicySession:
    """The rules of one operation, ready to run.

    everything: all rules.
    alone: the rules that need one resource only.
    together: the rules that need the whole stack.
    mending_alone, mending_together: those of the two whose level is remediate.
    others: what the other stacks of the project claim.
    """

    def __init__(self, given: Mapping[str, Any], operation: Operation, stack_files: Path) -> None:
        """Reads both configurations.

        given: the pack's own configuration.
        operation: the stack and its configuration.
        stack_files: the folder of the project's stack files.

        Raises RefusedError where the program itself refuses the settings, SettingsError for any other mistake.
        """
        self.given = given
        self._today = datetime.now(tz=UTC).date()
        try:
            stack = operation.ours()
            # The stack of another project has no such settings, but may configure the rules.
            own = operation.project == NAMESPACE or bool(set(stack) - {"policy"})
            image = os.environ.get("INGRESS_HOPS_NODE_IMAGE")
            self._settings = settings(operation.stack, stack, image) if own else None
            of_stack = read(stack.get("policy", {}))
        except SettingsError as error:
            if operation.project == NAMESPACE:
                raise RefusedError(str(error)) from None
            raise
        self.others = _others(stack_files, operation.stack) if own else Others()
        configuration = configure(_of_pack(given), of_stack)
        rules = RULES.values()
        # The claims of other stacks are known from the start.
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


def _of_pack(given: Mapping[str, Any]) -> PolicySettings:
    """The pack's own configuration. Raises SettingsError that says where the mistake is."""
    try:
        return read(given, at="")
    except SettingsError as error:
        raise SettingsError(f"the policy pack's configuration: {error}") from None


def _others(folder: Path, stack: str) -> Others:
    files = sorted(folder.glob(STACK_FILES))
    try:
        read = {stack_of(path.name): path.read_bytes() for path in files}
    except OSError as error:
        raise SettingsError(f"the other stacks' files cannot be read: {error}") from None
    return others(read, stack)
