"""The published files of Calico and Contour: fetched once, checked against their sums, read as plain objects."""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi
import yaml

from components.children import child
from hops.model.versions import Manifest

_SECONDS = 30
_MAKE_PODS = frozenset({"DaemonSet", "Deployment", "Job"})


class ManifestError(RuntimeError):
    """A published file that cannot be had or is not the pinned one."""


def manifests_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the files are kept: `$INGRESS_HOPS_MANIFESTS`, else the user's cache folder."""
    if named := environment.get("INGRESS_HOPS_MANIFESTS"):
        return Path(named)
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache", "ingress-hops")


def published(manifest: Manifest, folder: Path) -> list[dict[str, Any]]:
    """The objects of a published file, downloaded into `folder` where it is missing.

    Raises ManifestError where the file cannot be fetched or read, or its sha256 is not the pinned one.
    """
    path = folder / manifest.file_name
    try:
        text = path.read_bytes() if path.exists() else _download(manifest, path)
    except (OSError, http.client.HTTPException) as error:
        raise ManifestError(
            f"{path}: {error}. Fetch {manifest.url} on a machine with network, put it there under the name "
            f"{manifest.file_name}, or name its folder in INGRESS_HOPS_MANIFESTS"
        ) from None
    _check(manifest, text, str(path))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [document for document in yaml.load_all(text, Loader=loader) if document]


def _download(manifest: Manifest, path: Path) -> bytes:
    try:
        with urllib.request.urlopen(manifest.url, timeout=_SECONDS) as answer:  # noqa: S310 - a constant https URL
            text: bytes = answer.read()
    except urllib.error.URLError as error:
        raise OSError(f"not there, and {manifest.url} cannot be fetched ({error.reason})") from None
    _check(manifest, text, manifest.url)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Renamed into place: two stacks that start at once must never read half a file.
    part = path.with_suffix(f".{os.getpid()}")
    part.write_bytes(text)
    part.replace(path)
    return text


def _check(manifest: Manifest, text: bytes, where: str) -> None:
    found = hashlib.sha256(text).hexdigest()
    if found != manifest.sha256:
        raise ManifestError(
            f"{where} is not {manifest.name} {manifest.version} as published: its sha256 is {found}, pinned is "
            f"{manifest.sha256}. Delete the file to have it fetched again, or change the pin in hops/model/versions.py"
        )


def declare(
    objects: Iterable[Mapping[str, Any]],
    parent: pulumi.ComponentResource,
    opts: pulumi.ResourceOptions | None,
    before_pods: Sequence[pulumi.Resource] = (),
) -> list[pulumi.CustomResource]:
    """Each object as a resource of its own, named by kind and name, so that previews and policies see it.

    A Namespace stands before what lives in it, and what makes pods comes last: their accounts and settings have to be
    there, and all of `before_pods` has to be ready.
    """
    namespaces: list[pulumi.Resource] = []
    others: list[pulumi.Resource] = []
    resources: dict[int, pulumi.CustomResource] = {}
    numbered = list(enumerate(objects))
    for number, item in sorted(numbered, key=lambda pair: _turn(pair[1]["kind"])):
        kind, version = item["kind"], item["apiVersion"]
        makes_pods = kind in _MAKE_PODS
        resources[number] = pulumi.CustomResource(
            f"kubernetes:{version if '/' in version else f'core/{version}'}:{kind}",
            f"{kind}-{item['metadata']['name']}".lower(),
            # The status is asked for by naming it, as the typed classes do.
            {**item, "status": None},
            child(parent, opts, [*others, *before_pods] if makes_pods else namespaces),
        )
        if kind == "Namespace":
            namespaces = [*namespaces, resources[number]]
        if not makes_pods:
            others.append(resources[number])
    return [resources[number] for number, _ in numbered]


def _turn(kind: str) -> int:
    return 0 if kind == "Namespace" else 2 if kind in _MAKE_PODS else 1


def find(objects: Iterable[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """The one object of that kind and name, to be patched in place.

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
