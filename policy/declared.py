"""Converts Pulumi resources to the objects that rules read."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from pulumi_policy import Secret, proxy

from hops.kubernetes.values import JSON, UNKNOWN, at
from hops.model.finding import Patch
from hops.model.kind_names import KIND_API, KIND_GROUPS
from hops.rules.patches import patched

_UNKNOWNS = frozenset(value for name, value in vars(proxy).items() if name.startswith("UNKNOWN_"))
# kubernetes:<group/version>:<Kind>; the helm, kustomize and yaml modules hold components instead.
_OBJECT = re.compile(r"kubernetes:(?!helm\.sh/|yaml/|kustomize/)(?:core/)?((?:[a-z0-9.-]+/)?v[0-9][a-z0-9]*):(\w+)")


def raw(value: Any) -> Any:
    """The values behind the SDK's proxies. A proxy ends the whole policy if it is asked for an unknown value."""
    if isinstance(value, Mapping | Sequence) and not isinstance(value, dict | list | str):
        value = value["__target"]  # type: ignore[call-overload]
    if isinstance(value, dict):
        return {key: raw(item) for key, item in value.items()}
    return [raw(item) for item in value] if isinstance(value, list) else value


def known(value: Any) -> JSON:
    """Raw properties as JSON values: UNKNOWN for a value that exists only after the change, 80 for 80.0."""
    if isinstance(value, str):
        return UNKNOWN if value in _UNKNOWNS else value
    if isinstance(value, dict):
        return {key: known(item) for key, item in value.items()}
    if isinstance(value, list):
        return [known(item) for item in value]
    if isinstance(value, Secret):
        return known(value.value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def bodies(kind: str, name: str, properties: JSON, namespace: JSON = None) -> Iterator[dict[str, JSON]]:
    """The objects that a resource declares.

    kind: the type token.
    name: the resource's name in Pulumi.
    properties: the result of `known`; empty if the provider is not configured yet.
    namespace: the provider's default namespace, None if it has none.
    """
    if found := _OBJECT.fullmatch(kind):
        version, named = found[1], found[2].removesuffix("Patch")
        yield _object(version, named, properties, namespace)
        return
    yield {"apiVersion": "pulumi", "kind": kind, "metadata": {"name": name}, "spec": properties}
    if kind == "command:local:Command":
        cluster = _cluster(properties)
        if cluster is not None:
            yield cluster


def _object(version: str, kind: str, properties: Mapping[str, JSON], namespace: JSON) -> dict[str, JSON]:
    if not properties:
        # No rule can know anything of it.
        unknown = dict.fromkeys(("metadata", "spec", "data", "type", "rules", "template"), UNKNOWN)
        return {"apiVersion": version, "kind": kind, **unknown}
    metadata = properties.get("metadata", {})
    if isinstance(metadata, dict):
        # The provider generates a missing name.
        metadata = {"name": UNKNOWN, **({} if namespace is None else {"namespace": namespace}), **metadata}
    return {"apiVersion": version, "kind": kind, **properties, "metadata": metadata}


def _cluster(properties: Mapping[str, JSON]) -> dict[str, JSON] | None:
    """The kind configuration in a command's standard input or first trigger; None if there is none."""
    if not _makes_cluster(properties):
        return None
    for value in (properties.get("stdin"), at(properties, "triggers", 0)):
        found = _parsed(value)
        if found is not None:
            return found
    unknown = dict.fromkeys(("metadata", "networking", "nodes", "kubeadmConfigPatches"), UNKNOWN)
    return {"apiVersion": KIND_API, "kind": "Cluster", **unknown}


def _makes_cluster(properties: Mapping[str, JSON]) -> bool:
    return any(
        value is UNKNOWN or (isinstance(value, str) and "kind create cluster" in value)
        for value in (properties.get("create"), properties.get("update"))
    )


def _parsed(value: JSON) -> dict[str, JSON] | None:
    """A kind configuration, given as text or as an object; None for anything else."""
    if isinstance(value, str) and KIND_GROUPS[0] in value:
        try:
            value = yaml.safe_load(value)
        except yaml.YAMLError:
            return None
    if isinstance(value, dict) and str(value.get("apiVersion", "")).startswith(KIND_GROUPS[0]):
        return value
    return None


def mended(kind: str, properties: Mapping[str, Any], patch: Patch) -> dict[str, Any]:
    """Raw properties with a patch applied.

    kind: the type token.
    properties: the result of `raw`.
    patch: of one of the objects that the resource declares.

    Raises KeyError, IndexError or TypeError if the properties lack what the patch names.
    """
    operations = [{**operation, "path": patch.place.within + operation["path"]} for operation in patch.operations]
    if patch.resource.kind != "Cluster" or not kind.startswith("command:"):
        return patched(properties, operations)
    changed = dict(properties)
    if isinstance(stdin := _written(changed.get("stdin"), operations), str):
        changed["stdin"] = stdin
    if isinstance(triggers := changed.get("triggers"), list):
        changed["triggers"] = [_written(trigger, operations) for trigger in triggers]
    return changed


def _written(value: Any, operations: Sequence[Mapping[str, Any]]) -> Any:
    """A kind configuration with a patch applied, as text or object as before; any other value unchanged."""
    found = _parsed(value)
    if found is None:
        return value
    changed = patched(found, operations)
    return json.dumps(changed) if isinstance(value, str) else changed
