"""The configuration of a stack, as the engine and the stack's file give it, turned into Settings."""

import json
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from hops.model.settings.defaults import entrance_ports, ipv6, with_derived
from hops.model.settings.problem_text import problem_lines, set_secret
from hops.model.settings.setting_types import NAMESPACE, SECRETS
from hops.model.settings.stack_settings import Settings


class SettingsError(ValueError):
    """Settings that cannot work. The text has one line per problem: key, value, bound and remedy."""


def own_values(
    config: Mapping[str, Any], secrets: Container[str] | None = None, stack: str = "STACK"
) -> dict[str, Any]:
    """The values of this project in Pulumi's configuration, by key without the namespace.

    config: texts by `namespace:key`, as the engine gives them. Objects are JSON.
    secrets: the keys of secret values. Default: None, not known.
    stack: the stack's name, which messages contain. Default: STACK.

    The values under `secrets` are left out, and only their names stay. Raises SettingsError for any other secret, and
    for secrets in clear.
    """
    values: dict[str, Any] = {}
    for key, value in config.items():
        namespace, _, name = key.partition(":")
        if namespace != NAMESPACE:
            continue
        if name == SECRETS:
            if secrets is not None and key not in secrets and value not in ("", "{}", "null"):
                raise SettingsError(f"{key} is in clear; {_remove_and_set(stack, 'NAME')}")
            values[name] = {each: {"secure": ""} for each in _names(value)}
            continue
        if secrets is not None and key in secrets:
            raise SettingsError(
                f"{key} is a secret, and settings are published in outputs: "
                "write it in the stack's file without `secure`"
            )
        try:
            values[name] = json.loads(value)
        except (ValueError, RecursionError, TypeError):
            values[name] = value
    return values


def _names(value: Any) -> list[str]:
    """The keys of a JSON object; none for any other text, which is never shown, because it may hold a secret."""
    try:
        whole = json.loads(value)
    except (ValueError, RecursionError, TypeError):
        return []
    return list(whole) if isinstance(whole, dict) else []


def _remove_and_set(stack: str, name: str) -> str:
    return f"remove it from the stack's file, and {set_secret(stack, name)}"


def secret_names(stack: str, given: Any) -> list[str]:
    """The names of secrets as a stack's file has them. Raises SettingsError, which never holds a value."""
    if not isinstance(given, Mapping):
        remedy = _remove_and_set(stack, "NAME")
        raise SettingsError(f"{NAMESPACE}:{SECRETS} is no mapping of names to secrets; {remedy}")
    clear = [
        str(name)
        for name, value in given.items()
        if not (isinstance(value, Mapping) and set(value) == {"secure"} and isinstance(value["secure"], str))
    ]
    if clear:
        raise SettingsError(
            "\n".join(f"{NAMESPACE}:{SECRETS}.{name} is in clear; {_remove_and_set(stack, name)}" for name in clear)
        )
    return [str(name) for name in given]


def settings(stack: str, config: Mapping[str, Any], node_image: str | None = None) -> Settings:
    """The settings of a stack.

    stack: the stack's name; the default name of the cluster contains it.
    config: JSON values by key, without the namespace; a missing key gets its default.
    node_image: the default of `cluster.nodeImage`, from `$INGRESS_HOPS_NODE_IMAGE`.

    Raises SettingsError with one line per problem.
    """
    cluster_name = re.sub(r"[^a-z0-9-]", "-", f"ingress-hops-{stack}".lower())
    derived: dict[str, Any] = {"name": cluster_name} | ({"nodeImage": node_image} if node_image else {})
    cluster, services = config.get("cluster", {}), config.get("services", [{}])
    if isinstance(cluster, Mapping) and cluster.get("existing"):
        derived |= {"listenAddress": None} | entrance_ports(config.get("contour"))
    # On `::`, Python's server takes IPv4 as well.
    listening = ("--bind", "::") if ipv6(cluster) else ()
    secrets = {SECRETS: secret_names(stack, config[SECRETS])} if config.get(SECRETS) is not None else {}
    whole = {
        **config,
        **secrets,
        "cluster": {**derived, **cluster} if isinstance(cluster, Mapping) else cluster,
        "services": [with_derived(s, listening=listening) for s in services]
        if isinstance(services, list)
        else services,
    }
    try:
        return Settings.model_validate_json(json.dumps(whole), context={"stack": stack})
    except ValidationError as error:
        found = sorted(error.errors(), key=lambda problem: list(_order(problem["loc"], config)))
        problems = problem_lines(found, whole, services, Settings, NAMESPACE)
        raise SettingsError("\n".join(problems)) from None


def _order(location: Iterable[int | str], declared: Any) -> Iterator[int]:
    """Where a place stands in the file: the index of each of its parts; a part that is not there comes last."""
    for part in location:
        parts = list(declared) if isinstance(declared, Mapping) else []
        if isinstance(declared, list) and isinstance(part, int):
            yield part
            declared = declared[part] if part < len(declared) else None
        elif part in parts:
            yield parts.index(part)
            declared = declared[part]
        else:
            yield len(parts)
            return
