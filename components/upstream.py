"""The objects of a published file: loaded, patched, and declared as resources of their own."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pulumi

from components.arguments import ArgumentError
from components.children import child
from hops.model.versions import Manifest
from hops.observe.local.published_files import PublishedFileError, manifests_folder, published

MAKE_PODS = frozenset({"DaemonSet", "Deployment", "Job"})
"""Kinds of a published file whose objects make pods."""


class ManifestError(RuntimeError):
    """A published file that lacks what a component patches."""


def objects_of(where: str, given: Sequence[Mapping[str, Any]] | None, manifest: Manifest) -> list[dict[str, Any]]:
    """Objects that a component may change.

    where: the component's class and name, for messages.
    given: the caller's own objects, which stay as they are; None loads the pinned published file.
    manifest: that file.

    Raises ArgumentError for a given entry that is no Kubernetes object, or a published file that cannot be loaded.
    """
    for number, item in enumerate(given or ()):
        if not (item.get("apiVersion") and item.get("kind") and (item.get("metadata") or {}).get("name")):
            raise ArgumentError(
                f"{where}: the argument objects[{number}] is no Kubernetes object: apiVersion, kind or metadata.name "
                f"is missing. Give all objects of {manifest.url}, or leave the argument out"
            )
    if given is not None:
        return copy.deepcopy([dict(item) for item in given])
    try:
        return published(manifest, manifests_folder())
    except PublishedFileError as error:
        raise ArgumentError(f"{where}: {error}. Or give the file's objects as the argument objects") from None


def declare(
    objects: Iterable[Mapping[str, Any]],
    name: str,
    parent: pulumi.ComponentResource,
    opts: pulumi.ResourceOptions | None,
) -> list[pulumi.CustomResource]:
    """Each object as a resource of its own, so that previews and policies see it.

    objects: Kubernetes objects.
    name: the parent's name; a child is named by it and by the object's kind and name.
    parent: the component that the resources belong to.
    opts: the options that the component was given.

    A Namespace is created before what lives in it, and what makes pods last: pods need their accounts and settings.

    Returns the resources in the order of the objects.
    """
    namespaces: list[pulumi.Resource] = []
    others: list[pulumi.Resource] = []
    resources: dict[int, pulumi.CustomResource] = {}
    numbered = list(enumerate(objects))
    for number, item in sorted(numbered, key=lambda pair: _turn(pair[1]["kind"])):
        kind, version = item["kind"], item["apiVersion"]
        makes_pods = kind in MAKE_PODS
        former_name = f"{kind}-{item['metadata']['name']}".lower()
        resources[number] = pulumi.CustomResource(
            f"kubernetes:{version if '/' in version else f'core/{version}'}:{kind}",
            f"{name}-{former_name}",
            # The status is asked for by naming it, as the typed classes do.
            {**item, "status": None},
            child(parent, opts, others if makes_pods else namespaces, former_name=former_name),
        )
        if kind == "Namespace":
            namespaces = [*namespaces, resources[number]]
        if not makes_pods:
            others.append(resources[number])
    return [resources[number] for number, _ in numbered]


def _turn(kind: str) -> int:
    return 0 if kind == "Namespace" else 2 if kind in MAKE_PODS else 1


def find(objects: Iterable[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """The one object of that kind and name, to be patched in place.

    objects: of the published file.
    kind: such as DaemonSet.
    name: of the object.

    Raises ManifestError where the published file has none, as after a change of version.
    """
    for item in objects:
        if item["kind"] == kind and item["metadata"]["name"] == name:
            return item
    raise ManifestError(f"the published file holds no {kind} {name}: adapt the component to this version of the file")


def named(items: Iterable[dict[str, Any]], name: str) -> dict[str, Any]:
    """The entry of a Kubernetes list of named things. Raises ManifestError where there is none."""
    for item in items:
        if item.get("name") == name:
            return item
    raise ManifestError(
        f"the published file has no entry named {name}: adapt the component to this version of the file"
    )


def from_registry(objects: Iterable[dict[str, Any]], registry: str | None) -> None:
    """Takes every image of the objects from another registry, in place; None leaves them as published."""
    for item in objects:
        pod = item.get("spec", {}).get("template", {}).get("spec", {})
        for container in [*pod.get("initContainers", []), *pod.get("containers", [])] if registry else []:
            container["image"] = f"{registry}/{container['image'].split('/', 1)[1]}"


def started_by_readiness(container: dict[str, Any]) -> None:
    """Asks a starting container every second whether it is ready, in place; once it is, as often as published."""
    if "readinessProbe" not in container:
        raise ManifestError(
            f"the published file gives {container['name']} no readinessProbe: adapt the component to this version of it"
        )
    probe = {key: value for key, value in container["readinessProbe"].items() if key != "initialDelaySeconds"}
    container["startupProbe"] = {**probe, "periodSeconds": 1, "failureThreshold": 300}


def without_waiting(item: dict[str, Any]) -> None:
    """Lets the engine go on as soon as the object exists, in place."""
    item["metadata"].setdefault("annotations", {})["pulumi.com/skipAwait"] = "true"
