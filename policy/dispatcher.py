"""Three policies of the engine that run all rules.

The SDK unpacks every resource again for every policy. So there is one policy for each thing that the engine can do:
mend or stop a resource, stop a stack, advise. The level of a rule decides which policy reports it.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from hops.kubernetes.values import JSON
from hops.model.finding import Finding, Level, Place
from hops.model.settings.setting_types import NAMESPACE
from hops.model.settings.stack_config import SettingsError
from hops.rules.finding_text import as_message, fault_message
from hops.rules.schema import schema
from policy.declared import bodies, known, mended, raw
from policy.operation import Operation, from_environment
from policy.session import PolicySession, RefusedError

_ROUNDS = 20


class Dispatcher:
    """Runs the rules on the resources of one operation.

    It keeps what each resource declares when the engine shows it first. The outputs in a stack policy are empty if a
    provider is not configured yet, and hold the cluster's own additions later.

    stack_files: the folder of the project's stack files.
    """

    def __init__(self, stack_files: Path) -> None:
        self._stack_files = stack_files
        self._declared: dict[str, list[tuple[JSON, Place]]] = {}
        self._operation: Operation | None = None
        self._asked: PolicySession | None = None
        self._given: Mapping[str, Any] = {}
        self._mistake: str | None = None
        self._reported = False
        self._found_of: tuple[list[str], list[Finding], list[Finding]] | None = None
        self._lock = threading.RLock()

    def hear(self, operation: Operation) -> None:
        """Receives the operation before its first resource."""
        self._operation, self._asked, self._mistake, self._reported = operation, None, None, False

    def seen(self, urn: str) -> bool:
        """Whether it keeps what the resource with this URN declares."""
        return bool(self._declared.get(urn))

    def policies(self) -> list[Policy]:
        return [
            ResourceValidationPolicy(
                NAMESPACE,
                "What a resource declares by itself.",
                _guarded(self._judge_resource),
                # The SDK takes it for mandatory wherever nothing was mended.
                EnforcementLevel.REMEDIATE,
                PolicyConfigSchema(schema()["properties"]),
                self._mend,  # type: ignore[arg-type] # a plain answer is taken too
            ),
            StackValidationPolicy(
                f"{NAMESPACE}-stack",
                "What the resources of the stack declare together.",
                _guarded(self._judge_stack),
                EnforcementLevel.MANDATORY,
            ),
            StackValidationPolicy(
                f"{NAMESPACE}-advisory",
                "A finding that stops nothing.",
                _guarded(self._advise),
                EnforcementLevel.ADVISORY,
            ),
        ]

    def _judge_resource(self, args: ResourceValidationArgs, report: ReportViolation) -> None:
        with self._lock:
            asked = self._ready(args.get_config())
            if asked is None:
                self._report_mistake(report)
                return
            declared = _declared(args, raw(args.props))
            self._declared[args.urn] = declared
            self._found_of = None
            _report(asked.alone.found(asked.inventory(declared)), Level.MANDATORY, report)

    def _mend(self, args: ResourceValidationArgs) -> Mapping[str, Any] | None:
        """The properties with every patch applied, or None if nothing changed."""
        with self._lock:
            asked = self._ready(args.get_config())
            if asked is None or not asked.mends:
                return None
            before = properties = raw(args.props)
            try:
                for _ in range(_ROUNDS):
                    patch = self._patch(asked, args.urn, _declared(args, properties))
                    if patch is None:
                        break
                    properties = mended(args.resource_type, properties, patch)
            except Exception:  # noqa: BLE001, S110 - a rule that is not mended is judged next, as mandatory
                pass
            return properties if properties != before else None

    def _patch(self, asked: PolicySession, urn: str, declared: list[tuple[JSON, Place]]) -> Any:
        """The first patch of a resource, by the rules of one resource and then by those of the whole stack."""
        findings = asked.mending_alone.found(asked.inventory(declared))
        if asked.mends_together:
            others = [item for other, items in self._declared.items() if other != urn for item in items]
            findings += asked.mending_together.found(asked.inventory([*others, *declared]))
        return next((f.patch for f in findings if f.patch and f.place.urn == f.patch.place.urn == urn), None)

    def _judge_stack(self, args: StackValidationArgs, report: ReportViolation) -> None:
        with self._lock:
            asked = self._ready()
            if asked is None:
                self._report_mistake(report)
                return
            together, _ = self._found(asked, args.resources)
            _report([*together, *asked.everything.found_in_policies()], Level.MANDATORY, report)

    def _advise(self, args: StackValidationArgs, report: ReportViolation) -> None:
        with self._lock:
            asked = self._ready()
            if asked is None:
                return
            together, alone = self._found(asked, args.resources)
            _report([*together, *alone, *asked.everything.found_in_policies()], Level.ADVISORY, report)
            for sentence in asked.others.unread:
                report(sentence, None)

    def _found(self, asked: PolicySession, resources: Iterable[PolicyResource]) -> tuple[list[Finding], list[Finding]]:
        """The findings of a stack: of the whole stack, of single resources. Both stack policies share them."""
        urns = [resource.urn for resource in resources]
        if self._found_of is None or self._found_of[0] != urns:
            inventory = asked.inventory(
                item for resource in resources for item in self._declared.get(resource.urn) or _outputs(resource)
            )
            self._found_of = urns, asked.together.found(inventory), asked.alone.found(inventory)
        return self._found_of[1:]

    def _ready(self, given: Mapping[str, Any] | None = None) -> PolicySession | None:
        """The rules, or None where the configuration is wrong.

        given: the pack's configuration, which only the first policy receives.
        """
        changed = given is not None and given != self._given
        if changed or (self._asked is None and self._mistake is None):
            self._given = self._given if given is None else given
            self._asked = self._mistake = None
            try:
                self._asked = PolicySession(self._given, self._operation or from_environment(), self._stack_files)
            except SettingsError as error:
                self._mistake, self._reported = str(error), isinstance(error, RefusedError)
        return self._asked

    def _report_mistake(self, report: ReportViolation) -> None:
        """Reports a wrong configuration once; the program reports one that it refuses itself."""
        if self._mistake and not self._reported:
            report(self._mistake, None)
            self._reported = True


def _declared(args: ResourceValidationArgs, properties: dict[str, Any]) -> list[tuple[JSON, Place]]:
    given = args.provider.props["__target"].get("namespace") if args.provider else None
    namespace = given if isinstance(given, str) and given else None
    place = Place(urn=args.urn)
    return [(body, place) for body in bodies(args.resource_type, args.name, known(properties), known(namespace))]


def _outputs(resource: PolicyResource) -> list[tuple[JSON, Place]]:
    """What a resource declares if it was read and not declared, or if the first policy is disabled."""
    place = Place(urn=resource.urn)
    return [(body, place) for body in bodies(resource.resource_type, resource.name, known(raw(resource.props)))]


def _report(findings: Iterable[Finding], level: Level, report: ReportViolation) -> None:
    for finding in findings:
        if finding.level is level:
            report(as_message(finding), finding.place.urn)


def _guarded(validate: Callable[[Any, ReportViolation], None]) -> Callable[[Any, ReportViolation], None]:
    """Reports a fault of the pack as a finding: an exception would end the preview without naming the place."""

    @wraps(validate)
    def guarded(args: Any, report: ReportViolation) -> None:
        try:
            validate(args, report)
        except Exception as error:  # noqa: BLE001 - see above
            report(
                fault_message(f"cannot be decided: the pack failed with {error!r}. This is a bug of the pack."), None
            )

    return guarded
