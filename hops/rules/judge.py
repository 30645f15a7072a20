"""Runs the rules over an inventory of declared objects."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

from hops.kubernetes.controller.classes import of_another_controller
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.values import Undecidable, matches, unknown_paths
from hops.model.finding import Finding, Identity, Level, Patch, Place
from hops.rules.catalogue import RULES
from hops.rules.configuration import Configuration
from hops.rules.corrected_objects import corrected
from hops.rules.families.api_server import REFUSED
from hops.rules.families.exceptions import declared_once, holds, undecidable
from hops.rules.families.ingress.backends_and_classes import Classes, class_served
from hops.rules.installed import INSTALLED
from hops.rules.rule import Breach, Rule, Scope


def judge(inventory: Inventory, configuration: Configuration, rules: Iterable[Rule] = RULES.values()) -> list[Finding]:
    """Runs rules once and returns their findings, sorted independently of the order of documents and keys.

    inventory: the declared objects.
    configuration: levels, parameters and exceptions.
    rules: the rules to run. Default: all.

    A rule that cannot be decided yields a finding of PK01, whose level is at most the level of that rule.
    """
    ready = Judge(configuration, inventory.today, rules)
    return sorted([*ready.found(inventory), *ready.found_in_policies()], key=_order)


class Judge:
    """Runs rules under one configuration over any number of inventories.

    configuration: levels, parameters and exceptions.
    today: the day on which exceptions must be in force.
    rules: the rules to run. Default: all.
    """

    def __init__(self, configuration: Configuration, today: date, rules: Iterable[Rule] = RULES.values()) -> None:
        self._policies = Inventory(configuration.declared(), today=today)
        self._runs = [
            _Run(rule, configuration, today) for rule in rules if configuration.levels[rule.code] is not Level.DISABLED
        ]

    def found(self, inventory: Inventory) -> list[Finding]:
        """The sorted findings of an inventory."""
        declared = [finding for run in self._runs if run.of_declared for finding in run.findings(inventory)]
        findings = list(_reported_once(declared))
        refusals = [f for f in findings if f.code.startswith(_REFUSALS) and f.level is Level.MANDATORY]
        judged = corrected(inventory, refusals) if refusals else inventory
        findings += [
            finding for run in self._runs if not run.of_declared for finding in run.findings(judged, refusals=refusals)
        ]
        places = {(finding.code, finding.place, finding.path): finding.level for finding in findings}
        left = _without_effects([finding for finding in findings if not _replaced(finding, places)])
        return sorted(_declared_twice(left), key=_order)

    def found_in_policies(self) -> list[Finding]:
        """The sorted findings of the configuration itself."""
        return self.found(self._policies)


class _Run:
    """One rule with its level, parameters and exceptions."""

    def __init__(self, rule: Rule, configuration: Configuration, today: date) -> None:
        self.rule = rule
        self.of_declared = rule.code.startswith(_OF_DECLARED)
        self.level = configuration.levels[rule.code]
        self.parameters = configuration.parameters[rule.code]
        handled = configuration.parameters[class_served.code]
        self.classes = handled.classes if isinstance(handled, Classes) else ()
        self.undecided_level = min(
            self.level, configuration.levels[undecidable.code], key=lambda level: level.strictness
        )
        self.installed = {(entry.resource, entry.path) for entry in INSTALLED if entry.code == rule.code}
        self.excepted = _excepted(configuration, today, rule.code)
        self.excepted_undecided = _excepted(configuration, today, rule.code, undecidable.code)

    def findings(self, inventory: Inventory, refusals: Sequence[Finding] = ()) -> Iterator[Finding]:
        """The findings of the rule. refusals: why values of the inventory may be unknown, which is reported already."""
        for subject in self.rule.of(inventory):
            try:
                if self.rule.of_contour and self._of_another_controller(subject.resource, inventory):
                    continue
                for breach in self.rule.check(subject, inventory, self.parameters):
                    resource = subject.resource
                    if breach.absence and not inventory.whole:
                        continue
                    if not (self.excepted(resource) or (str(resource), breach.path) in self.installed):
                        yield _finding(self.rule, self.level, resource, breach)
            except Undecidable:
                if not refusals:
                    yield from self._undecided(subject.resource)
            except Exception as error:  # noqa: BLE001 - a rule that fails on an object must not let it pass
                yield from self._undecided(subject.resource, error)

    def _of_another_controller(self, resource: Resource, inventory: Inventory) -> bool:
        return resource.kind == "Ingress" and of_another_controller(
            inventory.ingress(resource), inventory, self.classes
        )

    def _undecided(self, resource: Resource, error: Exception | None = None) -> Iterator[Finding]:
        if self.undecided_level is Level.DISABLED or self.excepted_undecided(resource):
            return
        paths = resource.unknown
        shown = ", ".join(path or "the whole object" for path in paths[:3]) + (" and more" if len(paths) > 3 else "")
        verb = "are" if len(paths) > 1 else "is"
        because = f"{shown} {verb} not known yet" if paths else "a value of another object is not known yet"
        message = f"{self.rule.code} ({self.rule.title}) cannot be decided: {because}."
        if error:
            message = (
                f"{self.rule.code} ({self.rule.title}) failed with {type(error).__name__}: this is a bug of the rule."
            )
        breach = Breach(paths[0] if paths else "", message, evidence=repr(error) if error else "")
        yield _finding(undecidable, self.undecided_level, resource, breach)


# Rules that report values which the API server refuses, among others.
_OF_THE_API_TOO = ("IN07", "IN08", "IN15", "SV07")
_REFUSALS = (REFUSED, "KN09")
_OF_DECLARED = (*_REFUSALS, *_OF_THE_API_TOO, "PK")
"""The beginnings of the codes of rules that judge the objects as they are declared."""


def _excepted(configuration: Configuration, today: date, *codes: str) -> Callable[[Resource], bool]:
    exceptions = [e for code in codes for e in configuration.exceptions[code]]
    patterns = [e.resource for e in exceptions if holds(e.reason, e.owner, e.expires, today)]
    return lambda resource: any(matches(pattern, str(resource)) for pattern in patterns)


def _finding(rule: Rule, level: Level, resource: Resource, breach: Breach) -> Finding:
    changed = breach.patches or resource
    # A finding that a remediation did not remove blocks like a mandatory one.
    level = Level.MANDATORY if level is Level.REMEDIATE else level
    safe = level is Level.MANDATORY and not rule.unsafe
    # A refused value that nobody can correct is unknown to the other rules (corrected).
    known = not any(unknown_paths(operation.get("value")) for operation in breach.patch)
    return Finding(
        code=rule.code,
        level=level,
        severity=rule.severity,
        hop=rule.hop,
        resource=resource.identity,
        place=resource.place,
        path=breach.path,
        message=breach.message,
        remedy=breach.remedy or rule.remedy,
        patch=Patch(changed.identity, changed.place, breach.patch, safe) if breach.patch and known else None,
        evidence=breach.evidence,
        causes=tuple((cause.place, path) for cause, path in breach.causes),
        names=(breach.names[0].place, breach.names[1]) if breach.names else None,
    )


def _replaced(finding: Finding, places: Mapping[tuple[str, Place, str], Level]) -> bool:
    """Whether a rule that this one yields to has a finding at the same place that is at least as strict."""
    levels = (places.get((code, finding.place, finding.path)) for code in RULES[finding.code].yields_to)
    return any(level is not None and level.strictness >= finding.level.strictness for level in levels)


def _without_effects(findings: list[Finding]) -> list[Finding]:
    """The findings without those whose causes are all reported, and without weaker ones that an effect names."""
    effects = [finding for finding in findings if finding.causes]
    if not effects:
        return findings
    at: dict[tuple[Place, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        at[finding.place, finding.path].append(finding)
    gone = {
        id(finding)
        for finding in effects
        if all(any(_tells(other, finding) for other in at.get(cause, ())) for cause in finding.causes)
    }
    kept = {}
    for finding in effects:
        named = at.get(finding.names, ()) if finding.names and id(finding) not in gone else ()
        weaker = [other for other in named if _strictness(other.level) < _strictness(finding.level)]
        gone |= {id(other) for other in weaker}
        if len(finding.causes) == 1:
            mended = next((other for other in weaker if other.patch), finding)
            kept[id(finding)] = replace(finding, patch=mended.patch, remedy=mended.remedy)
    return [kept.get(id(finding), finding) for finding in findings if id(finding) not in gone]


def _tells(cause: Finding, effect: Finding) -> bool:
    return cause.code != effect.code and _strictness(cause.level) >= _strictness(effect.level)


def _reported_once(findings: list[Finding]) -> Iterator[Finding]:
    """The findings without those about a value that the API server refuses: that is one mistake.

    The refusal takes over the patch, which it may not have itself.
    """
    refused = {_value(finding) for finding in findings if finding.code.startswith(REFUSED)}
    others: dict[tuple[object, ...], Finding] = {}
    for finding in findings if refused else ():
        if finding.code in _OF_THE_API_TOO and _value(finding) in refused:
            others.setdefault(_value(finding), finding)
    for finding in findings:
        other = others.get(_value(finding)) if others else None
        if other is None:
            yield finding
        elif finding.code.startswith(REFUSED):
            yield replace(finding, patch=finding.patch or other.patch)
        elif finding.code not in _OF_THE_API_TOO:
            yield finding


def _declared_twice(findings: list[Finding]) -> list[Finding]:
    """The findings without those that come from a second declaration of an object: that is one mistake.

    PK05 takes over their level. A finding that every declaration has is no consequence of the second one.
    """
    second: dict[Identity, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.code == declared_once.code:
            second[finding.resource].append(finding)
    if not second:
        return findings
    places: dict[tuple[str, Identity], set[Place]] = defaultdict(set)
    for finding in findings:
        places[finding.code, finding.resource].add(finding.place)
    dropped = [
        finding
        for finding in findings
        if finding.resource in second
        and finding.code != declared_once.code
        and RULES[finding.code].scope is Scope.STACK
        and len(places[finding.code, finding.resource]) <= len(second[finding.resource])
    ]
    levels = {finding.resource: finding.level for finding in sorted(dropped, key=lambda f: _strictness(f.level))}
    gone = set(map(id, dropped))
    return [
        replace(finding, level=max(finding.level, levels.get(finding.resource, finding.level), key=_strictness))
        if finding.code == declared_once.code
        else finding
        for finding in findings
        if id(finding) not in gone
    ]


def _strictness(level: Level) -> int:
    return level.strictness


def _value(finding: Finding) -> tuple[object, ...]:
    return finding.resource, finding.place, finding.path


def _order(finding: Finding) -> tuple[str, ...]:
    resource, place = finding.resource, finding.place
    return (
        finding.code,
        resource.kind,
        resource.namespace or "",
        resource.name,
        finding.path,
        finding.message,
        place.file or "",
        f"{place.document or 0:09}",
        place.within,
        place.urn or "",
    )
