"""The JSON schema of what can be said of the rules."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from hops.model.settings import RuleSettings, Section
from hops.rules import RULES
from hops.rules.rule import Rule


def schema() -> dict[str, Any]:
    """Of a `hops.settings.Policy` as it is written in a file; codes of no rule are left to PK04."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "rules": {
                "type": "object",
                "description": "what is said of each rule, by its code",
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


# Pydantic takes a millisecond for one, and most rules have no parameters.
@cache
def _of(section: type[Section]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _inlined(section.model_json_schema(by_alias=True))
    return found


def _inlined(whole: Mapping[str, Any]) -> Any:
    """Without references: the Pulumi engine puts a schema inside another, where they would lead nowhere."""
    definitions = whole.get("$defs", {})

    def inline(part: Any) -> Any:
        if isinstance(part, dict):
            if "$ref" in part:
                return inline(definitions[part["$ref"].rpartition("/")[2]])
            # A default or a title here would be taken for the user's own words or shown as noise.
            return {
                k: inline(v) for k, v in part.items() if k not in ("$defs", "title", "default", "examples", "bound")
            }
        return [inline(item) for item in part] if isinstance(part, list) else part

    return inline(whole)
