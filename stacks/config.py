"""The only place that reads Pulumi's configuration."""

import json
import os
from typing import Any

import pulumi
from pulumi.runtime.config import get_config_env

from hops.model.settings import NAMESPACE, Settings, SettingsError, settings
from hops.rules.configuration import configure


def read() -> Settings:
    """The settings of the current stack. Raises SettingsError."""
    given: dict[str, Any] = {}
    for key, value in get_config_env().items():
        namespace, _, name = key.partition(":")
        if namespace != NAMESPACE:
            continue
        if pulumi.runtime.is_config_secret(key):
            raise SettingsError(
                f"{key} is a secret, and settings are published in outputs: "
                f"remove it with pulumi config rm {key} and set it without --secret"
            )
        given[name] = _plain(value)
    found = settings(pulumi.get_stack(), given, os.environ.get("INGRESS_HOPS_NODE_IMAGE"))
    # The policy pack says nothing about a stack that the program refuses, so the program checks the policy, too.
    configure(found.policy)
    return found


def _plain(value: str) -> Any:
    """Objects come as JSON, texts as they are."""
    try:
        return json.loads(value)
    except ValueError:
        return value
