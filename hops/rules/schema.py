"""The JSON schema of the policy configuration."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from hops.model.settings.policy_settings import RuleSettings
from hops.model.settings.setting_types import Section
from hops.rules.catalogue import RULES
from hops.rules.rule import Rule


def schema() -> dict[str, Any]:
    """The JSON schema of `PolicySettings`. It allows unknown codes, which PK04 reports."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "rules": {
                "type": "object",
                "description": "settings of the rules, by code",
                "properties": {code: _settings(rule) for code, rule in RULES.items()},
                "additionalProperties": _settings(None),
            }
        },
    }


def _settings(rule: Rule | None) -> dict[str, Any]:
    common = {key: value for key, value in _of(RuleSettings).items() if key != "description"}
    if rule is None:
        return common
    levels = ["mandatory", "advisory", "disabled", *(["remediate"] if rule.remediable else [])]
    own = {"level": {"enum": levels}, "parameters": _of(rule.parameters)}
    return {**common, "description": rule.title, "properties": {**common["properties"], **own}}


# Pydantic needs a millisecond per schema, and most rules share the empty one.
@cache
def _of(section: type[Section]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _inlined(section.model_json_schema(by_alias=True))
    return found


def _inlined(whole: Mapping[str, Any]) -> Any:
    """The schema without `$ref`: the Pulumi engine nests it in another schema, which breaks references."""
    definitions = whole.get("$defs", {})

    def inline(part: Any) -> Any:
        if isinstance(part, dict):
            if "$ref" in part:
                return inline(definitions[part["$ref"].rpartition("/")[2]])
            # The engine would treat a default as the user's own value and print a title as noise.
            left = ("$defs", "title", "default", "examples", "bound")
            return {key: inline(value) for key, value in part.items() if key not in left}
        return [inline(item) for item in part] if isinstance(part, list) else part

    return inline(whole)


def types(section: type[Section]) -> Mapping[str, str]:
    """The type of each parameter in words, by its key.

    section: the parameters of a rule.
    """
    return {key: _type(part) for key, part in _of(section).get("properties", {}).items()}


_TYPES = {"boolean": "true or false", "integer": "number", "null": "nothing", "object": "mapping", "string": "text"}


def _type(part: Mapping[str, Any]) -> str:
    if "anyOf" in part:
        return " or ".join(dict.fromkeys(map(_type, part["anyOf"])))
    if "enum" in part:
        return " or ".join(f"`{value}`" for value in part["enum"])
    if part["type"] == "array":
        return f"list of {_type(part['items'])}"
    if part["type"] == "object":
        return "{" + ", ".join(f"`{key}`: {_type(value)}" for key, value in part["properties"].items()) + "}"
    if part["type"] == "integer" and "maximum" in part:
        return f"number from {part['minimum']} to {part['maximum']}"
    return _TYPES[part["type"]]
