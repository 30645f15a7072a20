"""The published schemas as validators: one for each kind of a version of Kubernetes, compiled when it is first used."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

import jsonschema_rs

from hops.kubernetes.schemas.bounds import BOUNDS, demanded
from hops.kubernetes.values import JSON

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_DEFINED = "#/$defs/"
# Calico's API server takes the same specs as the CustomResourceDefinitions behind it.
_SAME_SPEC = {"projectcalico.org/v3": "crd.projectcalico.org/v1"}


@dataclass(frozen=True)
class Validator:
    """The schema of one kind.

    schema: the schema with the definitions that it refers to.
    compiled: the validator of the library.
    """

    schema: Mapping[str, Any]
    compiled: jsonschema_rs.Validator

    def node(self, path: tuple[str | int, ...]) -> Mapping[str, Any]:
        """The part of the schema at a schema path of an error, which leads through definitions."""
        found: Any = self.schema
        for part in path:
            found = self._resolved(found)
            found = found.get(part, {}) if isinstance(found, dict) else found[int(part)]
        return self._resolved(found) if isinstance(found, dict) else {}

    def _resolved(self, part: Any) -> Any:
        while isinstance(part, dict) and "$ref" in part:
            bounds = {key: value for key, value in part.items() if key != "$ref"}
            part = {**self.schema["$defs"][part["$ref"].removeprefix(_DEFINED)], **bounds}
        return part

    def takes(self, part: Any, value: JSON) -> bool:
        """Whether a part of the schema takes the type of a value, and a list those of its items; null fits any."""
        whole = self._resolved(part)
        if value is not None and "type" in whole and not jsonschema_rs.is_valid({"type": whole["type"]}, value):
            return False
        items = whole.get("items")
        return not isinstance(value, list) or not isinstance(items, dict) or all(self.takes(items, v) for v in value)

    def places(self, name: str, value: JSON) -> Iterator[tuple[str, ...]]:
        """The fields of the kind with a name and the type of a value, as paths; the shortest come first.

        In a path, `*` is a list's item.
        """
        level: list[tuple[tuple[str, ...], Any, frozenset[str]]] = [((), self.schema, frozenset())]
        while level:
            below: list[tuple[tuple[str, ...], Any, frozenset[str]]] = []
            for path, part, above in level:
                reference = part.get("$ref")
                # A definition that contains itself is searched once.
                if reference in above:
                    continue
                inside = above | {reference} if reference else above
                whole = self._resolved(part)
                properties = whole.get("properties", {})
                if name in properties and self.takes(properties[name], value):
                    yield (*path, name)
                below += [((*path, key), value, inside) for key, value in properties.items() if key != "status"]
                if isinstance(whole.get("items"), dict):
                    below.append(((*path, "*"), whole["items"], inside))
            level = below


@dataclass(frozen=True)
class Catalogue:
    """The kinds that the API server of one version of Kubernetes knows.

    version: minor version, such as `1.34`.
    served: definition of each kind, by `apiVersion Kind`.
    definitions: the schemas of this version, by name.
    """

    version: str
    served: Mapping[str, str]
    definitions: Mapping[str, Any]
    _compiled: dict[str, Validator] = field(default_factory=dict)

    def validator(self, api_version: str, kind: str) -> Validator | None:
        """The validator of a kind; None for a kind without a published schema."""
        key = f"{_SAME_SPEC.get(api_version, api_version)} {kind}"
        if key not in self._compiled:
            schema = {"$ref": _DEFINED + self.served[key]} if key in self.served else _custom().get(key)
            if schema is None:
                return None
            self._compiled[key] = self._validator(schema)
        return self._compiled[key]

    def _validator(self, schema: Mapping[str, Any]) -> Validator:
        found: dict[str, Any] = {}
        rest = [schema]
        while rest:
            for name in _references(rest.pop()):
                if name not in found:
                    found[name] = self.definitions[name]
                    rest.append(found[name])
        whole = {"$schema": _DRAFT, **schema, "$defs": found}
        return Validator(whole, jsonschema_rs.validator_for(whole))

    @cached_property
    def versions_of(self) -> Mapping[str, tuple[str, ...]]:
        """The API versions of each kind, Kubernetes' own and those of the custom kinds."""
        found: dict[str, list[str]] = {}
        for key in (*self.served, *_custom()):
            version, _, kind = key.partition(" ")
            found.setdefault(kind, []).append(version)
        # A stable version first.
        return {
            kind: tuple(sorted(all_, key=lambda v: ("beta" in v or "alpha" in v, v))) for kind, all_ in found.items()
        }

    @cached_property
    def groups(self) -> frozenset[str]:
        """Kubernetes' own API groups; "" is the core group."""
        return frozenset(version.rpartition("/")[0] for version, *_ in map(str.split, _data("kubernetes")["kinds"]))


def known_versions() -> tuple[str, ...]:
    """The minor versions of Kubernetes whose schemas are known, such as `1.34`, oldest first."""
    return tuple(_data("kubernetes")["versions"])


def versions_with(api_version: str, kind: str) -> tuple[str, ...]:
    """The known minor versions of Kubernetes that serve a kind, oldest first."""
    data = _data("kubernetes")
    ranges = data["definitions"].get(data["kinds"].get(f"{api_version} {kind}"), {})
    return tuple(version for version in known_versions() if any(_within(range_, version) for range_ in ranges))


@cache
def catalogue(version: str) -> Catalogue:
    """The kinds and schemas of a minor version of Kubernetes, such as `1.34`. Raises KeyError for an unknown one."""
    data = _data("kubernetes")
    if version not in data["versions"]:
        raise KeyError(version)
    found = {
        name: _bounded(name, schema)
        for name, ranges in data["definitions"].items()
        for range_, schema in ranges.items()
        if _within(range_, version)
    }
    served = {key: name for key, name in data["kinds"].items() if name in found}
    return Catalogue(version, served, found)


@cache
def time_zones() -> frozenset[str]:
    """The time zones that the API server knows, such as `Europe/Berlin`."""
    return frozenset(_data("time_zones")["zones"])


def minor_of(version: str) -> int:
    """The minor number of a version such as `1.34`."""
    return int(version.split(".")[1])


@cache
def _within(range_: str, version: str) -> bool:
    """Whether a range of minor versions such as `1.25-1.31` has a version."""
    first, last = map(minor_of, range_.split("-"))
    return first <= minor_of(version) <= last


def _bounded(name: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    short = name.removeprefix("io.k8s.")
    if "required" in schema:
        schema = {**schema, "required": demanded(short, schema["required"])}
    bounds = BOUNDS.get(short)
    if not bounds:
        return schema
    properties = schema["properties"]
    added = {key: _joined(properties[key], bound) for key, bound in bounds.items() if key in properties}
    return {**schema, "properties": {**properties, **added}}


def _joined(schema: Mapping[str, Any], bound: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with bounds added, also to its items and entries."""
    return {**schema} | {
        key: _joined(schema.get(key, {}), value) if isinstance(value, dict) else value for key, value in bound.items()
    }


def _references(schema: JSON) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str):
                yield value.removeprefix(_DEFINED)
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _references(item)


@cache
def _custom() -> Mapping[str, Any]:
    """The schemas of the custom kinds, by `apiVersion Kind`."""
    found: dict[str, Any] = {**_data("custom")["kinds"], **_data("gateway")["kinds"]}
    return found


@cache
def _data(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((files("hops.kubernetes.schemas") / f"{name}.json").read_text(encoding="utf-8"))
    return found
