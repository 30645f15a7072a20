"""The documentation pages of the rules, generated from the rules."""

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from hops.model.settings.problem_text import keys
from hops.model.settings.setting_types import NAMESPACE, Section
from hops.rules.catalogue import RULES
from hops.rules.installed import INSTALLED
from hops.rules.rule import NoParameters, Rule, Scope, example
from hops.rules.schema import types

FAMILIES: Mapping[str, str] = {
    "AP": "what the API server refuses",
    "HP": "host ports of pods",
    "KN": "kind clusters",
    "XS": "clashes with other stacks",
    "IN": "Ingresses, HTTPProxies and Gateway API routes",
    "TL": "TLS",
    "SV": "Services",
    "RP": "the request path from the ingress controller to the process",
    "EX": "exposed pods",
    "PK": "the rules' own limits and configuration",
}
_SEES = {
    Scope.RESOURCE: "one object",
    Scope.STACK: "all objects of the stack",
    Scope.FLEET: "all objects of the stack, and the ports and names that others use",
}


def pages() -> dict[str, str]:
    """All pages as Markdown, by file name; the index is README.md."""
    return {"README.md": index()} | {f"{code}.md": page(rule) for code, rule in RULES.items()}


def page(rule: Rule) -> str:
    """The Markdown page of a rule."""
    return "\n\n".join(_sections(rule)) + "\n"


def _sections(rule: Rule) -> Iterator[str]:
    yield f"# {rule.code}: {rule.title}"
    yield rule.why
    if rule.of_contour:
        yield (
            "The rule does not apply to an Ingress of another controller: its IngressClass names one, or its class has "
            "the name of a well-known one such as nginx, traefik or alb, and no declared Contour handles that class."
        )
    yield f"**Remedy:** {rule.remedy}"
    remedied = "yes, with the level `remediate`" if rule.remediable else "no"
    if rule.remediable and rule.scope is Scope.STACK:
        remedied += (
            ", from the resources declared before this one; if they are not sufficient, the finding is mandatory and "
            "contains the patch"
        )
    facts = {
        "default level": str(rule.level),
        "severity": str(rule.severity),
        "examines": _SEES[rule.scope],
        "hop": rule.hop or "none",
        "applies its patch in a preview": remedied,
    }
    if rule.unsafe:
        facts["applies its patch in `hops check --fix`"] = "only with `--unsafe-fixes` or `--rule`"
    yield "\n".join(["| | |", "|---|---|", *(f"| {name} | {fact} |" for name, fact in facts.items())])
    yield f"## Example that breaks the rule\n\n```yaml\n{rule.bad.strip()}\n```"
    yield f"## Example that follows the rule\n\n```yaml\n{rule.good.strip()}\n```"
    if parameters := _parameters(rule):
        yield f"## Parameters\n\n{parameters}"
        policy = _policy(rule)
        yield f"For example, in the file of `hops check --config`:\n\n```yaml\n{_yaml(policy)}```"
        of_stack = {"config": {f"{NAMESPACE}:policy": policy}}
        yield f"And in a stack's file:\n\n```yaml\n{_yaml(of_stack)}```"
    if excepted := [entry for entry in INSTALLED if entry.code == rule.code]:
        lines = [f"- `{entry.resource}` at `{entry.path}`: {entry.reason}" for entry in excepted]
        yield "## Built-in exceptions\n\n" + "\n".join(lines)
    yield (
        f"## Change the level\n\n```yaml\nrules:\n  {rule.code}:\n    level: advisory\n```\n\n"
        "`rules` is a key of the file of `hops check --config`, of the policy pack's configuration, and of "
        "`ingress-hops:policy` of a stack."
    )
    if rule.references:
        yield "## References\n\n" + "\n".join(f"- <{address}>" for address in rule.references)
    yield "[All rules](README.md)"


def _parameters(rule: Rule) -> str:
    if rule.parameters is NoParameters:
        return ""
    if rule.parameters_of:
        return f"This rule uses the parameters of [{rule.parameters_of}]({rule.parameters_of}.md)."
    defaults = rule.parameters().model_dump(mode="json", by_alias=True)
    meanings = _meanings(rule.parameters)
    named = types(rule.parameters)
    lines = ["| parameter | type | meaning | default |", "|---|---|---|---|"]
    for name, field in rule.parameters.model_fields.items():
        key = field.alias or name
        lines.append(f"| `{key}` | {named[key]} | {meanings[name]} | {_shown(defaults[key])} |")
    return "\n".join(lines)


def _policy(rule: Rule) -> Mapping[str, Any]:
    """A policy that sets every parameter of a rule."""
    owner = RULES[rule.parameters_of] if rule.parameters_of else rule
    values = {key: example(owner.parameters, key) for key in keys(owner.parameters)}
    return {"rules": {owner.code: {"parameters": values}}}


def _yaml(value: Mapping[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False, width=100)


def _meanings(section: type[Section]) -> Mapping[str, str]:
    """The description of each field, by its Python name, from the lines `name: description` of the docstring."""
    _, _, listed = (inspect.getdoc(section) or "").partition("\n\n")
    entries = [entry.split(": ", 1) for entry in re.split(r"\n(?=\w+: )", listed) if entry]
    return {name: " ".join(text.split()) for name, text in entries}


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "none"
    if isinstance(value, dict):
        return "`{" + ", ".join(f"{key}: {item}" for key, item in value.items()) + "}`"
    return "none" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def index() -> str:
    """The index page: a table of rules per family."""
    lines = ["# The rules", "", "Each rule has a page. The pages are generated by `hops rules --write docs/rules`."]
    for family, about in FAMILIES.items():
        lines += ["", f"## {family}: {about}", "", "| code | rule | level | severity |", "|---|---|---|---|"]
        lines += [
            f"| [{code}]({code}.md) | {rule.title} | {rule.level} | {rule.severity} |"
            for code, rule in RULES.items()
            if code.startswith(family)
        ]
    return "\n".join(lines) + "\n"
