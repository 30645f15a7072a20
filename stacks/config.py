"""The only place that reads Pulumi's configuration."""

import os

import pulumi
from pulumi.runtime.config import get_config_env

from hops.model.settings import Settings, own_values, settings
from hops.rules.configuration import configure


def read() -> Settings:
    """The settings of the current stack. Raises SettingsError."""
    config = get_config_env()
    values = own_values(config, [key for key in config if pulumi.runtime.is_config_secret(key)])
    found = settings(pulumi.get_stack(), values, os.environ.get("INGRESS_HOPS_NODE_IMAGE"))
    # The policy pack reports nothing about a stack that the program refuses. So the program checks the policy, too.
    configure(found.policy)
    return found
