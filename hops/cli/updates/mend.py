"""Finds what somebody changed in a stack's cluster, and removes what an update would leave."""

import json
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hops.kubernetes.values import at
from hops.model.kind_names import KUBECTL, control_plane
from hops.model.settings import Settings
from hops.observe.in_cluster.api import API, APIError
from hops.observe.in_cluster.drift import Drift, declared, drift, removal, resources
from hops.observe.local import docker
from hops.observe.local.files import write

_PATIENCE = 60.0
_SECONDS = 60
_STACK = "pulumi:pulumi:Stack"


def drifted(settings: Settings, state: Mapping[str, Any]) -> list[Drift] | None:
    """The objects of a stack that are not as declared; None if its cluster does not answer.

    settings: the stack's settings.
    state: as `pulumi stack export` prints it.

    Waits up to a minute for objects that are being deleted.
    """
    published, objects = published_kubeconfig(state), declared(state)
    if settings.cluster.existing or not published or not objects or not published[0].exists():
        return None
    try:
        api = API(*published)
    except APIError:
        return None
    deadline = time.monotonic() + _PATIENCE
    try:
        while True:
            found = drift(api, objects)
            if not any(each.going for each in found) or time.monotonic() > deadline:
                return found
            time.sleep(1)
    except APIError:
        return None
    finally:
        api.close()


def remove_added(settings: Settings, drifts: Sequence[Drift]) -> list[Drift]:
    """Removes the fields that somebody added, which Pulumi leaves. Returns the drifts whose fields are in a list."""
    left = []
    for each in drifts:
        if not each.added:
            continue
        patch = removal(each.added)
        if patch is None:
            left.append(each)
            continue
        group, _, version = each.of.version.rpartition("/")
        kind = f"{each.of.kind.lower()}.{version}.{group}" if group else each.of.kind.lower()
        where = ["--namespace", each.of.namespace] if each.of.namespace else []
        words = ["patch", kind, each.of.name, *where, "--type=merge", "--field-manager=ingress-hops"]
        node = control_plane(settings.cluster.name)
        try:
            docker.run("exec", node, *KUBECTL, *words, "--patch", json.dumps(patch))
        except docker.DockerError:
            left.append(each)
    return left


def published_kubeconfig(state: Mapping[str, Any]) -> tuple[Path, str] | None:
    """The kubeconfig file and the context that a stack published; None before its first update has ended.

    state: as `pulumi stack export` prints it.
    """
    root = next((resource for resource in resources(state) if at(resource, "type") == _STACK), None)
    file, context = (at(root, "outputs", "cluster", key) for key in ("kubeconfig", "context"))
    return (Path(str(file)), str(context)) if file and context else None


def damaged_kubeconfig(state: Mapping[str, Any]) -> Path | None:
    """The kubeconfig file that a stack published, if it is missing or does not name the context; else None.

    state: as `pulumi stack export` prints it.
    """
    published = published_kubeconfig(state)
    if not published:
        return None
    file, context = published
    try:
        named = re.search(rf"^\s*name: {re.escape(context)}$", file.read_text(), re.MULTILINE)
    except (OSError, ValueError):
        named = None
    return None if named else file


def write_kubeconfig(file: Path, cluster: str, link: str) -> None:
    """Writes the kubeconfig file of a running kind cluster again, for its owner only, and the link to it.

    link: the link's name, beside the file.

    Raises OSError, and subprocess.SubprocessError if kind fails.
    """
    words = ["kind", "get", "kubeconfig", "--name", cluster]
    write(file, subprocess.run(words, check=True, capture_output=True, timeout=_SECONDS).stdout, private=True)
    beside = file.parent / link
    beside.unlink(missing_ok=True)
    beside.symlink_to(file.name)
