"""The only place that reads Pulumi's configuration."""

import json
import os
import re
from pathlib import Path

import pulumi
from pulumi.runtime.config import get_config_env

from hops.kubernetes.values import at
from hops.model.project_files import stack_path
from hops.model.settings.problem_text import set_secret
from hops.model.settings.setting_types import NAMESPACE, SECRETS
from hops.model.settings.stack_config import SettingsError, own_values, secret_names, settings
from hops.model.settings.stack_settings import Settings
from hops.rules.configuration import configure
from hops.rules.files.documents import documents


def secrets() -> dict[str, pulumi.Output[str]]:
    """The values of the stack's secrets by name, each marked as a secret."""
    return {name: pulumi.Output.secret(str(value)) for name, value in _secret_values().items()}


def _secret_values() -> dict[str, object]:
    try:
        values = json.loads(get_config_env().get(f"{NAMESPACE}:{SECRETS}") or "{}")
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def read() -> Settings:
    """The settings of the current stack. Raises SettingsError, which holds no secret."""
    config, stack = get_config_env(), pulumi.get_stack()
    file = Path(stack_path(stack))
    if file.is_file():
        # The engine marks the whole key as secret if one of its values is.
        for document in documents(file.read_text(encoding="utf-8")):
            secret_names(stack, at(document, "config", f"{NAMESPACE}:{SECRETS}") or {})
    values = own_values(config, [key for key in config if pulumi.runtime.is_config_secret(key)], stack)
    found = settings(stack, values, os.environ.get("INGRESS_HOPS_NODE_IMAGE"))
    # The policy pack reports nothing about a stack that the program refuses. So the program checks the policy, too.
    configure(found.policy)
    if secret_values := _secret_values():
        for number, service in enumerate(found.services):
            of = service.pull_secret.secret if service.pull_secret else None
            if of and re.fullmatch("[^:]+:.+", str(secret_values.get(of, "")), re.DOTALL) is None:
                raise SettingsError(
                    f"{NAMESPACE}:services[{number}].pullSecret takes the secret {of}, which is not of the form "
                    f"USER:PASSWORD; {set_secret(stack, of)}"
                )
    return found
