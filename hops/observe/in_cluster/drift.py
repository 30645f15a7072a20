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
from hops.observe.in_cluster.api import API, APIError
from hops.observe.timed_tasks import later

_METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
_KUBECTL = re.compile(r"kubectl\b.*")
_PULUMI = re.compile(r"pulumi")
_RESTARTED = "kubectl.kubernetes.io/restartedAt"
AHEAD = "ingress-hops/ahead"
"""The annotation of a Deployment that `hops dev` rolled out before Pulumi's state knew its image, which it holds."""
_PLURALS = {"Endpoints": "endpoints", "Gateway": "gateways"}
_SHOWN = 3
_SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key of a secret value in a state, which holds its ciphertext only (Pulumi, sdk/go/common/resource/sig)."""
_IDENTITY = {("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace"), ("status",)}
"""Fields that no manager owns."""

Entry = tuple[tuple[str, Any], ...]
Path = tuple[str | Entry, ...]
"""Keys from the root of an object. An Entry stands for the entry of a list that has these keys and values."""


@dataclass(frozen=True)
class DeclaredObject:
    """An object in the state of a stack.

    urn: the URN of the resource.
    version, kind, name: as in the object.
    namespace: as in the object; "" for a cluster-scoped one.
    uid: the uid of the object that Pulumi created.
    inputs: the object as declared.
    manager: the field manager of its server-side applies; "" if unknown.
    """

    urn: str
    version: str
    kind: str
    namespace: str
    name: str
    uid: str
    inputs: Mapping[str, Any]
    manager: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def collection(self) -> str:
        """The API path that lists the objects of this kind."""
        lower = self.kind.lower()
        plural = f"{lower[:-1]}ies" if lower.endswith("y") else f"{lower}{'es' if lower.endswith('s') else 's'}"
        group = f"/apis/{self.version}" if "/" in self.version else f"/api/{self.version}"
        return f"{group}/{_PLURALS.get(self.kind, plural)}"

    @property
    def path(self) -> str:
        """The API path of this object."""
        if not self.namespace:
            return f"{self.collection}/{self.name}"
        group, _, plural = self.collection.rpartition("/")
        return f"{group}/namespaces/{self.namespace}/{plural}/{self.name}"


@dataclass(frozen=True)
class Drift:
    """An object that is not as declared.

    of: the object as declared.
    what: a clause with the object as its subject, such as `is gone`.
    repaired: whether an update of Pulumi repairs it after a refresh.
    added: fields that Pulumi does not declare; an update leaves them as they are.
    going: whether the object is being deleted.
    """

    of: DeclaredObject
    what: str
    repaired: bool = True
    added: tuple[Path, ...] = ()
    going: bool = False

    def __str__(self) -> str:
        return f"{self.of} {self.what}"


def resources(state: Mapping[str, Any]) -> Sequence[Any]:
    """The resources in a state.

    state: as `pulumi stack export` prints it.
    """
    return sequence(at(dict(state), "deployment", "resources"))


def declared(state: Mapping[str, Any]) -> list[DeclaredObject]:
    """The Kubernetes objects in a state, without Jobs that delete themselves.

    state: as `pulumi stack export` prints it.
    """
    found = []
    for resource in resources(state):
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
                manager=str(at(resource, "outputs", "__fieldManager") or ""),
            )
        )
    return found


def drift(api: API, objects: Sequence[DeclaredObject]) -> list[Drift]:
    """The objects that somebody changed or deleted, in the given order.

    An object was changed by somebody other than Pulumi if a manager named kubectl… owns one of its fields, or if
    Pulumi no longer owns a declared field. Sends one request for the metadata of each kind, and one for each object in
    doubt.

    Raises APIError.
    """
    collections = {each.collection: later(partial(_listed, api, each.collection)) for each in objects}
    live = {path: listed.result() for path, listed in collections.items()}
    looks = [
        later(partial(_drifted, api, each, live[each.collection].get((each.namespace, each.name)))) for each in objects
    ]
    return [found for look in looks if (found := look.result())]


def _listed(api: API, path: str) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Metadata by namespace and name; empty if the cluster does not know the kind. Raises APIError."""
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
    if image := mapping(live.get("annotations")).get(AHEAD):
        what = f"runs the image {image}, which `hops dev` rolled out and the state does not know"
        # A refresh takes the image into the state, and no annotation that was not there.
        return Drift(of, what, added=(("metadata", "annotations", AHEAD),))
    managers: dict[str, list[Path]] = {}
    for entry in sequence(live.get("managedFields")):
        if at(entry, "subresource") in (None, "", "scale"):
            managers.setdefault(str(at(entry, "manager")), []).extend(_fields(at(entry, "fieldsV1")))
    kept = {prefix for name, paths in managers.items() if _PULUMI.match(name) for prefix in _prefixes(paths)}
    kept |= {entry for name, paths in managers.items() if _PULUMI.match(name) for entry in _entries(paths)}
    candidates = [
        *((name, path) for name, paths in managers.items() if _KUBECTL.fullmatch(name) for path in paths),
        *((_owner(managers, path), path) for path in _lost(of.inputs, kept)),
    ]
    return _compared(of, candidates, api.json(of.path)) if candidates else None


def _compared(of: DeclaredObject, candidates: Sequence[tuple[str, Path]], whole: Any) -> Drift | None:
    """The drift of an object; None if no field differs.

    candidates: the fields that may differ, each with its manager.
    whole: the live object.
    """
    changed: dict[str, tuple[str, Path]] = {}
    added: dict[str, tuple[str, Path]] = {}
    for manager, path in candidates:
        if _RESTARTED in path:
            continue
        if secret := next((path[:n] for n in range(1, len(path) + 1) if _is_secret(_value(of.inputs, path[:n]))), None):
            # Nobody can compare it, and whoever owns a field of it changed that field.
            changed[_name(secret)] = (manager, secret)
            continue
        if not isinstance(path[-1], str) and _value(whole, path) is None:
            changed[_name(path)] = (manager, path)
            continue
        for place, extra in _differences(_value(of.inputs, path), _value(whole, path), path):
            (added if extra else changed).setdefault(_name(place), (manager, place))
    if not changed and not added:
        return None
    removed = [name for name, (_, path) in changed.items() if _value(whole, path) is None]
    kept = [name for name in changed if name not in removed]
    verbs = {"changed": kept, "removed": removed, "added": list(added)}
    clauses = [f"{_names(names)} {verb}" for verb, names in verbs.items() if names]
    (manager, _) = next(iter((changed or added).values()))
    return Drift(
        of,
        f"has {' and '.join(clauses)} by {manager}",
        repaired=bool(changed),
        added=tuple(path for _, path in added.values()),
    )


def _prefixes(paths: Sequence[Path]) -> Iterator[Path]:
    """Each path and its prefixes, up to the first entry of a list."""
    for path in paths:
        for length in range(1, len(path) + 1):
            if not isinstance(path[length - 1], str):
                break
            yield path[:length]


def _entries(paths: Sequence[Path]) -> Iterator[Path]:
    """The entries of lists that are not within entries of other lists."""
    for path in paths:
        if outer := next((n for n, step in enumerate(path, 1) if not isinstance(step, str)), None):
            yield path[:outer]


def _lost(value: Any, kept: set[Path], path: Path = ()) -> Iterator[Path]:
    """The declared fields, and entries of lists, that Pulumi's manager no longer owns. An entry counts as one field."""
    for key, below in mapping(value).items():
        place = (*path, key)
        if below in (None, {}, []) or place in _IDENTITY:
            continue
        if _is_secret(below):
            if not any(each[: len(place)] == place for each in kept):
                yield place
        elif isinstance(below, list) and place in kept:
            yield from _lost_entries(below, [each[-1] for each in kept if each[:-1] == place], place)
        elif place == ("metadata",) or any(each[:-1] == place for each in kept):
            yield from _lost(below, kept, place)
        elif place not in kept:
            yield place


def _lost_entries(declared: Sequence[Any], kept: Sequence[str | Entry], path: Path) -> Iterator[Path]:
    """The declared entries of a list that Pulumi's manager no longer owns, if entries of the list have keys."""
    known = [entry for entry in kept if not isinstance(entry, str)]
    for each in declared if known else ():
        # The API server may have given a key its default.
        if not any(all(at(each, key) in (None, value) for key, value in entry) for entry in known):
            yield (*path, tuple((key, at(each, key)) for key, _ in known[0] if at(each, key) is not None))


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and _SIGNATURE in value


def _owner(managers: Mapping[str, Sequence[Path]], path: Path) -> str:
    """The manager of a field; "somebody" if none has it, as after `kubectl scale --replicas=0`."""
    return next((name for name, paths in managers.items() if path in set(_prefixes(paths))), "somebody")


def _fields(node: Any, path: Path = ()) -> Iterator[Path]:
    """The leaves of a field set, whose keys are written as `f:name` and `k:{"name":"x"}`."""
    for key, below in mapping(node).items():
        if key.startswith("f:"):
            step: Any = key[2:]
        elif key.startswith("k:"):
            step = tuple(json.loads(key[2:]).items())
        else:
            # "." is the map or entry itself, which its members imply. "v:" is a member of a set of plain values.
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


def _differences(declared: Any, live: Any, path: Path) -> Iterator[tuple[Path, bool]]:
    """The paths at which a live value differs from the declared one, and whether the key is not declared at all.

    The API server adds defaults to objects, but never to a map of strings.
    """
    if declared is None:
        if live is not None:
            yield path, True
    elif isinstance(declared, dict) and (isinstance(live, dict) or (declared and live is None)):
        # With its last key, a map goes, too.
        live = live or {}
        for key, value in declared.items():
            yield from _differences(value, live.get(key), (*path, key))
        if all(isinstance(value, str) for value in (*declared.values(), *live.values())):
            yield from (((*path, key), True) for key in live if key not in declared)
    elif not _same(declared, live):
        yield path, False


def _same(declared: Any, live: Any) -> bool:
    if isinstance(declared, dict) and isinstance(live, dict):
        return all(value is None or _same(value, live.get(key)) for key, value in declared.items())
    if isinstance(declared, list) and isinstance(live, list):
        return len(declared) == len(live) and all(_same(*pair) for pair in zip(declared, live, strict=True))
    return bool(declared == live) or str(declared) == str(live)


def _name(path: Path) -> str:
    return ".".join(step if isinstance(step, str) else _entry(step) for step in path)


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _entry(step: Entry) -> str:
    return "[" + ",".join(f"{key}={value}" for key, value in step) + "]"


def removal(added: Sequence[Path]) -> dict[str, Any] | None:
    """A merge patch (RFC 7396) that removes fields; None if one is in a list, which such a patch cannot change."""
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
