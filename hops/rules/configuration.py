"""Merges the rule settings of the policy pack and of the stack into one configuration."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from hops.model.finding import Level, Place
from hops.model.settings.policy_settings import PolicySettings, RuleException, RuleSettings
from hops.model.settings.problem_text import keys, nearest
from hops.model.settings.setting_types import NAMESPACE, Section
from hops.model.settings.stack_config import SettingsError
from hops.rules.catalogue import RULES
from hops.rules.rule import Rule, example


@dataclass(frozen=True)
class Configuration:
    """The merged configuration of all rules.

    levels: level of each rule, by code.
    parameters: parameters of each rule, by code; rules with `parameters_of` share one object.
    exceptions: exceptions from each rule, by code.
    policies: the policies that were merged.
    """

    levels: Mapping[str, Level]
    parameters: Mapping[str, Section]
    exceptions: Mapping[str, Sequence[RuleException]]
    policies: Sequence[PolicySettings]

    def declared(self) -> list[tuple[dict[str, Any], Place]]:
        """The policies as objects of kind `Policy`, so that PK03 and PK04 can check them."""
        return [
            (
                {
                    "apiVersion": "ingress-hops/v1",
                    "kind": "Policy",
                    "metadata": {"name": f"policy-{number}"},
                    **policy.model_dump(mode="json", by_alias=True),
                },
                Place(),
            )
            for number, policy in enumerate(self.policies, 1)
        ]


OF_STACK = f"{NAMESPACE}:policy."
"""The beginning of every key of a policy in a stack's configuration."""


def read(given: Any, at: str = OF_STACK) -> PolicySettings:
    """Validates a policy, with the levels and parameters of its rules.

    given: the policy as read from JSON or YAML.
    at: the beginning of its keys; empty for a file that holds only a policy.

    Raises SettingsError with one line per problem; each line names the key.
    """
    try:
        # YAML knows dates, JSON takes them as text.
        policy = PolicySettings.model_validate_json(json.dumps(given, default=str))
    except ValidationError as error:
        raise SettingsError("\n".join(_wrong(dict(problem), at) for problem in error.errors())) from None
    configure(policy, at=at)
    return policy


def _wrong(problem: Mapping[str, Any], at: str) -> str:
    key = at + ".".join(str(part) for part in problem["loc"] if part != "[key]")
    if problem["type"] == "extra_forbidden":
        sections: dict[int, type[Section]] = {1: PolicySettings, 3: RuleSettings, 5: RuleException}
        section = sections.get(len(problem["loc"]), RuleSettings)
        return f"{key}: there is no such key; {nearest(problem['loc'][-1], keys(section), 'keys')}"
    if problem["type"] == "missing":
        return f"{key} is missing"
    if not problem["loc"]:
        return f"{at.removesuffix('.') or 'the policy'} is {problem['input']!r}: a mapping with the key rules"
    form = _FORMS.get((len(problem["loc"]), problem["loc"][-1])) or _FORMS.get((len(problem["loc"]), None))
    return f"{key} is {problem['input']!r}: {_said(problem)}" + (f"; for example {form}" if form else "")


_FORMS: Mapping[tuple[int, Any], str] = {
    (1, "rules"): "rules: {HP01: {level: advisory}}",
    (2, None): "HP01: {level: advisory}",
    (3, "level"): "level: advisory",
    (3, "parameters"): "parameters: {allowed: [{port: 80}]}",
    (3, "exceptions"): "exceptions: [{resource: Pod/apps/web, reason: why, owner: me, expires: 2027-06-30}]",
    (5, "expires"): "expires: 2027-06-30",
}
"""The right form of a part of a policy, by the number of its keys and the last key; None for any."""
_TYPES: Mapping[str, str] = {
    "model_type": "a mapping",
    "mapping_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
}


def _said(problem: Mapping[str, Any]) -> str:
    """What a value must be, in words of a configuration."""
    if problem["type"] == "literal_error":
        return f"one of {problem['ctx']['expected']}"
    return _TYPES.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")


def configure(*policies: PolicySettings, at: str = OF_STACK) -> Configuration:
    """Merges policies into one configuration.

    policies: the policies in order of precedence, the pack's before the stack's. The strictest level applies, the
        first value of a parameter applies, and all exceptions apply. PK04 reports unknown codes.
    at: the beginning of their keys, for errors.

    Raises SettingsError with one line per problem; each line names the key.
    """
    problems: list[str] = []
    levels: dict[str, Level] = {}
    parameters: dict[str, Section] = {}
    for code, rule in RULES.items():
        said = [policy.rules[code] for policy in policies if code in policy.rules]
        named = [Level(settings.level) for settings in said if settings.level]
        levels[code] = max(named, key=lambda level: level.strictness, default=rule.level)
        if Level.REMEDIATE in named and not rule.remediable:
            problems.append(f"{at}rules.{code}.level is remediate, which {code} does not support; set mandatory")
        given: dict[str, Any] = {}
        for settings in reversed(said):
            given |= settings.parameters
        try:
            # The defaults need no validation, for which pydantic would first build a schema of each model.
            parameters[code] = (
                rule.parameters.model_validate(_whole(given)) if given else rule.parameters.model_construct()
            )
        except ValidationError as error:
            problems += [_sentence(rule, dict(problem), at) for problem in error.errors()]
    if problems:
        raise SettingsError("\n".join(problems))
    return Configuration(
        levels,
        {code: parameters[RULES[code].parameters_of or code] for code in RULES},
        {
            code: [e for policy in policies if code in policy.rules for e in policy.rules[code].exceptions]
            for code in RULES
        },
        policies,
    )


def _whole(value: Any) -> Any:
    """The value with lists as tuples and whole floats as integers: the Pulumi engine passes 80 as 80.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    return tuple(map(_whole, value)) if isinstance(value, list | tuple) else value


def _sentence(rule: Rule, problem: Mapping[str, Any], at: str) -> str:
    key = at + ".".join(["rules", rule.code, "parameters", *map(str, problem["loc"])])
    if problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1:
        return f"{key}: there is no such parameter; {nearest(problem['loc'][0], keys(rule.parameters), 'parameters')}"
    if not problem["loc"]:
        return f"{key} is {problem['input']!r}: a mapping of parameters"
    name = problem["loc"][0]
    form = json.dumps({name: example(rule.parameters, name)}) if name in keys(rule.parameters) else ""
    return f"{key} is {problem['input']!r}: {_said(problem)}" + (f"; for example {form}" if form else "")
