"""The stack that the engine works on, and its configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime.config import get_config_env, get_config_secret_keys_env
from pulumi_policy import policy as sdk

from hops.model.settings.stack_config import own_values


@dataclass(frozen=True)
class Operation:
    """One preview or update.

    stack: the stack's name.
    project: the name of the stack's project.
    config: the stack's configuration as text, by `namespace:key`.
    secrets: the keys of secret values.
    """

    stack: str = ""
    project: str = ""
    config: Mapping[str, str] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()

    def ours(self) -> dict[str, Any]:
        """The configuration of this project's namespace: JSON values by key. Raises SettingsError for a secret."""
        return own_values(self.config, self.secrets, self.stack)


def from_environment() -> Operation:
    """The operation as older engines describe it, in the environment; empty without a stack."""
    config = get_config_env()
    if not config:
        return Operation()
    return Operation(pulumi.get_stack(), pulumi.get_project(), config, frozenset(get_config_secret_keys_env()))


def listen(hear: Callable[[Operation], None], seen: Callable[[str], bool]) -> None:
    """Intercepts two calls of the engine; the SDK (1.21.0) has no public way to do so.

    hear: receives the operation before the first resource. Newer engines start a pack without PULUMI_CONFIG and send
    the configuration in a call of its own. The SDK keeps only the stack's tags of that call.
    seen: whether the pack knows what a URN declares. The SDK unpacks the outputs of the whole stack for every policy,
    which is half of a stack's time; the pack reads only the outputs that it does not know.
    """
    served = sdk._PolicyAnalyzerServicer  # noqa: SLF001 - see above
    answer_configure = served.ConfigureStack
    answer_stack: Callable[..., Any] = served.AnalyzeStack

    def configure_stack(self: Any, request: Any, context: Any) -> Any:
        keys = frozenset(request.config_secret_keys)
        hear(Operation(request.stack, request.project, dict(request.config), keys))
        return answer_configure(self, request, context)

    def analyze_stack(self: Any, request: Any, context: Any) -> Any:
        for resource in request.resources:
            if seen(resource.urn):
                resource.ClearField("properties")
        return answer_stack(self, request, context)

    served.ConfigureStack = configure_stack  # type: ignore[assignment, method-assign]
    served.AnalyzeStack = analyze_stack  # type: ignore[method-assign]
