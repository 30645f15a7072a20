"""The settings of the rules: levels, parameters and exceptions."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from hops.model.settings.setting_types import Section, matching


class RuleException(Section):
    """A resource to which a rule does not apply: why, who answers for it, and until when."""

    resource: Annotated[str, Field(min_length=1)] = Field(
        description="The resource as `Kind/namespace/name`; `*` matches any characters.", examples=["Pod/apps/shop-pod"]
    )
    reason: Annotated[str, Field(min_length=1)] = Field(
        description="Why the rule does not apply to it.", examples=["the vendor's agent needs the port"]
    )
    owner: Annotated[str, Field(min_length=1)] = Field(
        description="Who answers for the exception.", examples=["alice@example.com"]
    )
    expires: date = Field(description="The last day on which the exception holds.", examples=["2027-06-30"])


class RuleSettings(Section):
    """Level, parameters and exceptions of one rule."""

    level: Literal["mandatory", "advisory", "remediate", "disabled"] | None = Field(
        None,
        description="What a broken rule does. `remediate` needs a rule that can mend. Null keeps the rule's own level.",
        examples=["advisory"],
    )
    parameters: Mapping[str, Any] = Field(
        default_factory=dict,
        description="The rule's parameters; the page of each rule lists them.",
        examples=[{"allowed": [{"port": 80}, {"port": "5000-6000"}]}],
    )
    exceptions: tuple[RuleException, ...] = Field((), description="Resources to which the rule does not apply.")


class PolicySettings(Section):
    """Levels, parameters and exceptions of the rules, by code."""

    rules: Mapping[
        Annotated[str, AfterValidator(matching(r"[A-Z]{2}[0-9]{2}", "a rule's code is two letters and two digits"))],
        RuleSettings,
    ] = Field(default_factory=dict, description="What the stack says of each rule, by the rule's code.")
