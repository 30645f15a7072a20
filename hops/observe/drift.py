"""Finds the objects of a stack that somebody changed or deleted in its cluster. Changes nothing.

Source of managedFields: Kubernetes, "Server-Side Apply", and structured-merge-diff, fieldpath/serialize.go.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hops.kubernetes.values import at, mapping, sequence
from hops.observe.api import API, APIError
from hops.observe.timed_tasks import later

_METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
_KUBECTL = re.compile(r"kubectl\b.*")
_PULUMI = re.compile(r"pulumi")
_RESTARTED = "kubectl.kubernetes.io/restartedAt"
_PLURALS = {"Endpoints": "endpoints"}
_SHOWN = 3
_IDENTITY = {("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace"), ("status",)}
"""What no manager owns."""

Entry = tuple[tuple[str, Any], ...]
Path = tuple[str | Entry, ...]
"""Keys from the object's root; an Entry, keys and values, stands for the list's entry that has these values."""


@dataclass(frozen=True)
class DeclaredObject:
    """An object of the stack's state.

    urn: of the resource. version, kind, namespace, name: the object's own, namespace "" for an object of the cluster.
    uid: of the object that Pulumi knows. inputs: as declared.
    """

    urn: str
    version: str
    kind: str
    namespace: str
    name: str
    uid: str
    inputs: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def collection(self) -> str:
        """The API's path of all objects of this kind."""
        lower = self.kind.lower()
        plural = f"{lower[:-1]}ies" if lower.endswith("y") else f"{lower}{'es' if lower.endswith('s') else 's'}"
        group = f"/apis/{self.version}" if "/" in self.version else f"/api/{self.version}"
        return f"{group}/{_PLURALS.get(self.kind, plural)}"

    @property
    def path(self) -> str:
        """The API's path of this object."""
        if not self.namespace:
            return f"{self.collection}/{self.name}"
        group, _, plural = self.collection.rpartition("/")
        return f"{group}/namespaces/{self.namespace}/{plural}/{self.name}"


@dataclass(frozen=True)
class Drift:
    """An object that is not as declared.

    what: a clause with the object as its subject, such as `is gone`. repaired: whether an update of Pulumi repairs it
    after a refresh. added: fields that Pulumi does not declare, which it would leave as they are. going: whether the
    object is being deleted.
    """

    of: DeclaredObject
    what: str
    repaired: bool = True
    added: tuple[Path, ...] = ()
    going: bool = False

    def __str__(self) -> str:
        return f"{self.of} {self.what}"


def declared(state: Mapping[str, Any]) -> list[DeclaredObject]:
    """The Kubernetes objects of a state.

    state: as `pulumi stack export` prints it. A Job that deletes itself is left out.
    """
    found = []
    for resource in sequence(at(dict(state), "deployment", "resources")):
        inputs, kind = at(resource, "inputs"), str(at(resource, "type"))
        name = at(resource, "outputs", "metadata", "name")
        if not kind.startswith("kubernetes:") or not name or at(resource, "delete"):
            continue
        if at(inputs, "spec", "ttlSecondsAfterFinished") is not None:
            continue
        found.append(
            DeclaredObject(
                urn=str(at(resource, "urn")),
                version=str(at(inputs, "apiVersion") or at(resource, "outputs", "apiVersion")),
                kind=str(at(inputs, "kind") or kind.rpartition(":")[2]),
                namespace=str(at(resource, "outputs", "metadata", "namespace") or ""),
                name=str(name),
                uid=str(at(resource, "outputs", "metadata", "uid")),
                inputs=mapping(inputs),
            )
        )
    return found


def drift(api: API, objects: Sequence[DeclaredObject]) -> list[Drift]:
    """The objects that somebody changed or deleted, in the order given.

    Somebody else than Pulumi changed an object where a manager named kubectl… owns a field of it, or where Pulumi does
    not own a declared field any more. One request for each kind, of metadata only, and one for each object in doubt.
    Raises APIError.
    """
    collections = {each.collection: later(partial(_listed, api, each.collection)) for each in objects}
    live = {path: listed.result() for path, listed in collections.items()}
    looks = [
        later(partial(_drifted, api, each, live[each.collection].get((each.namespace, each.name)))) for each in objects
    ]
    return [found for look in looks if (found := look.result())]


def _listed(api: API, path: str) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Metadata by namespace and name; nothing where the cluster does not know the kind. Raises APIError."""
    try:
        items = sequence(at(api.json(path, _METADATA), "items"))
    except APIError as error:
        if error.status == 404:
            return {}
        raise
    found = [mapping(at(item, "metadata")) for item in items]
    return {(str(each.get("namespace") or ""), str(each.get("name"))): each for each in found}


def _drifted(api: API, of: DeclaredObject, live: Mapping[str, Any] | None) -> Drift | None:
    if live is None:
        return Drift(of, "is gone")
    if live.get("deletionTimestamp"):
        return Drift(of, "is being deleted", going=True)
    if live.get("uid") != of.uid:
        return Drift(of, "was deleted, and somebody created another of that name")
    managers: dict[str, list[Path]] = {}
    for entry in sequence(live.get("managedFields")):
        if at(entry, "subresource") in (None, "", "scale"):
            managers.setdefault(str(at(entry, "manager")), []).extend(_fields(at(entry, "fieldsV1")))
    kept = {prefix for name, paths in managers.items() if _PULUMI.match(name) for prefix in _prefixes(paths)}
    candidates = [
        *((name, path) for name, paths in managers.items() if _KUBECTL.fullmatch(name) for path in paths),
        *((_owner(managers, path), path) for path in _lost(of.inputs, kept)),
    ]
    return _compared(of, candidates, api.json(of.path)) if candidates else None


def _compared(of: DeclaredObject, candidates: Sequence[tuple[str, Path]], whole: Any) -> Drift | None:
    """candidates: fields that may differ, and who set them. whole: the live object."""
    changed: dict[str, tuple[str, Path]] = {}
    added: dict[str, tuple[str, Path]] = {}
    for manager, path in candidates:
        if _RESTARTED in path:
            continue
        for place, extra in _differences(_value(of.inputs, path), _value(whole, path), path):
            (added if extra else changed).setdefault(_name(place), (manager, place))
    if not changed and not added:
        return None
    clauses = [f"{_names(list(kind))} {verb}" for kind, verb in ((changed, "changed"), (added, "added")) if kind]
    (manager, _) = next(iter((changed or added).values()))
    return Drift(
        of,
        f"has {' and '.join(clauses)} by {manager}",
        repaired=bool(changed),
        added=tuple(path for _, path in added.values()),
    )


def _prefixes(paths: Sequence[Path]) -> Iterator[Path]:
    """Each path and all that lead to it, up to the first entry of a list."""
    for path in paths:
        for length in range(1, len(path) + 1):
            if not isinstance(path[length - 1], str):
                break
            yield path[:length]


def _lost(value: Any, kept: set[Path], path: Path = ()) -> Iterator[Path]:
    """The fields that are declared and that Pulumi's manager does not own any more. Lists are looked at as a whole."""
    for key, below in mapping(value).items():
        place = (*path, key)
        if below in (None, {}, []) or place in _IDENTITY:
            continue
        if place == ("metadata",) or any(each[:-1] == place for each in kept):
            yield from _lost(below, kept, place)
        elif place not in kept:
            yield place


def _owner(managers: Mapping[str, Sequence[Path]], path: Path) -> str:
    """Who set a field; somebody where no manager has it, as after `kubectl scale --replicas=0`."""
    return next((name for name, paths in managers.items() if path in set(_prefixes(paths))), "somebody")


def _fields(node: Any, path: Path = ()) -> Iterator[Path]:
    """The leaves of a field set; the keys of maps and lists are in its own notation: `f:name`, `k:{"name":"x"}`."""
    for key, below in mapping(node).items():
        if key.startswith("f:"):
            step: Any = key[2:]
        elif key.startswith("k:"):
            step = tuple(json.loads(key[2:]).items())
        else:
            # "." is the map or entry itself, which its members tell; "v:" is a member of a set of plain values.
            continue
        deeper = [*_fields(below, (*path, step))]
        yield from deeper or [(*path, step)]


def _value(value: Any, path: Path) -> Any:
    for step in path:
        if isinstance(step, str):
            value = at(value, step)
        else:
            entries = [e for e in sequence(value) if all(at(e, k) in (None, v) for k, v in step)]
            value = entries[0] if entries else None
    return value


def _differences(wanted: Any, found: Any, path: Path) -> Iterator[tuple[Path, bool]]:
    """Where a live value is not the declared one, and whether it is a key that is not declared at all.

    The API server adds defaults to objects, but never to a map of texts.
    """
    if wanted is None:
        if found is not None:
            yield path, True
    elif isinstance(wanted, dict) and isinstance(found, dict):
        for key, value in wanted.items():
            yield from _differences(value, found.get(key), (*path, key))
        if all(isinstance(value, str) for value in (*wanted.values(), *found.values())):
            yield from (((*path, key), True) for key in found if key not in wanted)
    elif not _same(wanted, found):
        yield path, False


def _same(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(value is None or _same(value, found.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(_same(*pair) for pair in zip(wanted, found, strict=True))
    return bool(wanted == found) or str(wanted) == str(found)


def _name(path: Path) -> str:
    return ".".join(step if isinstance(step, str) else _entry(step) for step in path)


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _entry(step: Entry) -> str:
    return "[" + ",".join(f"{key}={value}" for key, value in step) + "]"


def removal(added: Sequence[Path]) -> dict[str, Any] | None:
    """A merge patch (RFC 7396) that removes fields; None where one of them is within a list, which it cannot reach."""
    patch: dict[str, Any] = {}
    for path in added:
        place = patch
        for step in path[:-1]:
            if not isinstance(step, str):
                return None
            place = place.setdefault(step, {})
        last = path[-1]
        if not isinstance(last, str):
            return None
        place[last] = None
    return patch
