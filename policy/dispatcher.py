"""Few policies for the engine, many rules behind them.

The SDK unpacks every resource anew for every policy, so there is one for each thing that the engine can do: mend or
stop a resource, stop a stack, advise. Which rule speaks through which follows from the rules' own configuration.
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
from hops.model.settings import NAMESPACE, SettingsError
from hops.rules.finding_text import told, told_fault
from hops.rules.schema import schema
from policy.asked import Asked
from policy.declared import bodies, known, mended, raw
from policy.operation import Operation, from_environment

_ROUNDS = 20


class Dispatcher:
    """The rules under the configuration of one operation of the engine.

    What the program declares is kept as the engine shows it before each resource is made: the outputs that a stack
    policy is shown are empty where a provider isn't configured yet, and hold the cluster's own additions afterwards.
    stack_files: the folder with those of the project.
    """

    def __init__(self, stack_files: Path) -> None:
        self._stack_files = stack_files
        self._declared: dict[str, list[tuple[JSON, Place]]] = {}
        self._operation: Operation | None = None
        self._asked: Asked | None = None
        self._found_of: tuple[list[str], list[Finding], list[Finding]] | None = None
        self._lock = threading.RLock()

    def hear(self, operation: Operation) -> None:
        """Takes what the engine says of the stack."""
        self._operation, self._asked = operation, None

    def seen(self, urn: str) -> bool:
        """Whether it knows what a resource declares."""
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
                f"{NAMESPACE}-advisory", "What can be better.", _guarded(self._advise), EnforcementLevel.ADVISORY
            ),
        ]

    def _judge_resource(self, args: ResourceValidationArgs, report: ReportViolation) -> None:
        with self._lock:
            asked = self._ready(args.get_config())
            declared = _declared(args, raw(args.props))
            self._declared[args.urn] = declared
            self._found_of = None
            _report(asked.alone.found(asked.inventory(declared)), Level.MANDATORY, report)

    def _mend(self, args: ResourceValidationArgs) -> Mapping[str, Any] | None:
        """The properties with every patch written in, or None where nothing changed."""
        with self._lock:
            asked = self._ready(args.get_config())
            if not asked.mends:
                return None
            before = properties = raw(args.props)
            try:
                for _ in range(_ROUNDS):
                    patch = self._patch(asked, args.urn, _declared(args, properties))
                    if patch is None:
                        break
                    properties = mended(args.resource_type, properties, patch)
            except Exception:  # noqa: BLE001, S110 - what isn't mended is judged next, as mandatory
                pass
            return properties if properties != before else None

    def _patch(self, asked: Asked, urn: str, declared: list[tuple[JSON, Place]]) -> Any:
        """The first change that mends a resource: by itself, or in the light of what was declared before it."""
        findings = asked.mending_alone.found(asked.inventory(declared))
        if asked.mends_together:
            others = [item for other, items in self._declared.items() if other != urn for item in items]
            findings += asked.mending_together.found(asked.inventory([*others, *declared]))
        return next((f.patch for f in findings if f.patch and f.place.urn == f.patch.place.urn == urn), None)

    def _judge_stack(self, args: StackValidationArgs, report: ReportViolation) -> None:
        with self._lock:
            asked = self._ready()
            together, _ = self._found(asked, args.resources)
            _report([*together, *asked.everything.found_in_policies()], Level.MANDATORY, report)

    def _advise(self, args: StackValidationArgs, report: ReportViolation) -> None:
        with self._lock:
            asked = self._ready()
            together, alone = self._found(asked, args.resources)
            _report([*together, *alone, *asked.everything.found_in_policies()], Level.ADVISORY, report)
            for sentence in asked.others.unread:
                report(sentence, None)

    def _found(self, asked: Asked, resources: Iterable[PolicyResource]) -> tuple[list[Finding], list[Finding]]:
        """What the rules say of a stack, found once for the policies that tell it."""
        urns = [resource.urn for resource in resources]
        if self._found_of is None or self._found_of[0] != urns:
            inventory = asked.inventory(
                item for resource in resources for item in self._declared.get(resource.urn) or _outputs(resource)
            )
            self._found_of = urns, asked.together.found(inventory), asked.alone.found(inventory)
        return self._found_of[1:]

    def _ready(self, given: Mapping[str, Any] | None = None) -> Asked:
        """The rules, made ready on first use. given: the pack's configuration, which the first policy alone is told."""
        if self._asked is None or (given is not None and given != self._asked.given):
            self._asked = Asked(given or {}, self._operation or from_environment(), self._stack_files)
        return self._asked


def _declared(args: ResourceValidationArgs, properties: dict[str, Any]) -> list[tuple[JSON, Place]]:
    given = args.provider.props["__target"].get("namespace") if args.provider else None
    namespace = given if isinstance(given, str) and given else None
    place = Place(urn=args.urn)
    return [(body, place) for body in bodies(args.resource_type, args.name, known(properties), known(namespace))]


def _outputs(resource: PolicyResource) -> list[tuple[JSON, Place]]:
    """Of a resource that was read and not declared, or where the first policy is switched off."""
    place = Place(urn=resource.urn)
    return [(body, place) for body in bodies(resource.resource_type, resource.name, known(raw(resource.props)))]


def _report(findings: Iterable[Finding], level: Level, report: ReportViolation) -> None:
    for finding in findings:
        if finding.level is level:
            report(told(finding), finding.place.urn)


def _guarded(validate: Callable[[Any, ReportViolation], None]) -> Callable[[Any, ReportViolation], None]:
    """A fault of the pack is a finding: as an exception it would end the preview without a word of where it was."""

    @wraps(validate)
    def guarded(args: Any, report: ReportViolation) -> None:
        try:
            validate(args, report)
        except SettingsError:
            raise
        except Exception as error:  # noqa: BLE001 - see above
            report(told_fault(f"cannot be decided: the pack failed with {error!r}. This is a bug of the pack."), None)

    return guarded
