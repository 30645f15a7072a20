"""Which stack the engine works on, and what that stack is told."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime.config import get_config_env, get_config_secret_keys_env
from pulumi_policy import policy as sdk

from hops.model.settings import NAMESPACE, SettingsError


@dataclass(frozen=True)
class Operation:
    """config: the stack's, by `namespace:key`. secrets: the keys of it that are secret."""

    stack: str = ""
    config: Mapping[str, str] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()

    def ours(self) -> dict[str, Any]:
        """The configuration of our namespace by key, each value as JSON knows it."""
        found: dict[str, Any] = {}
        for key, text in self.config.items():
            namespace, _, name = key.partition(":")
            if namespace != NAMESPACE:
                continue
            if key in self.secrets:
                raise SettingsError(f"{key} is a secret, and findings would show it: set it without --secret")
            try:
                found[name] = json.loads(text)
            except ValueError:
                found[name] = text
        return found


def from_environment() -> Operation:
    """What older engines tell; nothing where there is no stack."""
    config = get_config_env()
    return Operation(pulumi.get_stack(), config, frozenset(get_config_secret_keys_env())) if config else Operation()


def listen(hear: Callable[[Operation], None], seen: Callable[[str], bool]) -> None:
    """Puts the pack between the engine and the SDK (1.21.0), which has no public way to these two.

    hear: takes what the engine says of the stack before it asks anything. Newer engines start a pack without
    PULUMI_CONFIG and say it in a call of its own, of which the SDK keeps only the stack's tags: without this, what a
    stack says of the rules would never reach them.
    seen: whether the pack knows what a URN declares. The SDK unpacks the outputs of the whole stack for every policy,
    half of the time that a stack takes, and the pack reads only those that it doesn't know.
    """
    served = sdk._PolicyAnalyzerServicer  # noqa: SLF001 - see above
    answer_configure = served.ConfigureStack
    answer_stack: Callable[..., Any] = served.AnalyzeStack

    def configure_stack(self: Any, request: Any, context: Any) -> Any:
        hear(Operation(request.stack, dict(request.config), frozenset(request.config_secret_keys)))
        return answer_configure(self, request, context)

    def analyze_stack(self: Any, request: Any, context: Any) -> Any:
        for resource in request.resources:
            if seen(resource.urn):
                resource.ClearField("properties")
        return answer_stack(self, request, context)

    served.ConfigureStack = configure_stack  # type: ignore[assignment, method-assign]
    served.AnalyzeStack = analyze_stack  # type: ignore[method-assign]
