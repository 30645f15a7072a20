"""Finds what somebody changed in a stack's cluster, and removes what an update would leave or be stopped by."""

import json
import re
import subprocess
import time
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from hops.cli.image_build.builder import lacking
from hops.kubernetes import objects
from hops.kubernetes.resources.services import address_holder
from hops.kubernetes.values import at, sequence
from hops.model.certificates import CertificateFacts, facts
from hops.model.images.image import Build
from hops.model.kind_names import KUBECTL, control_plane
from hops.model.plan import Plan
from hops.observe.in_cluster.api import API, APIError
from hops.observe.in_cluster.drift import Drift, declared, drift, removal, resources
from hops.observe.local import docker
from hops.observe.local.files import write

_PATIENCE = 60.0
_SECONDS = 60
_STACK = "pulumi:pulumi:Stack"
_CLIENT = re.compile(r"^\s*client-certificate-data: (\S+)$", re.MULTILINE)
"""The client certificate in a kubeconfig file of kind, which has one user."""
"""The label of an IPAddress that the API server allocated for a Service (Kubernetes, networking/v1 and ipallocator)."""


def drifted(state: Mapping[str, Any], kubeconfig: Path | None, context: str) -> list[Drift] | None:
    """The objects of a stack that are not as declared; None if its cluster does not answer.

    state: as `pulumi stack export` prints it.
    kubeconfig: the file with the cluster's context; None for the user's own.
    context: of the running cluster.

    Waits up to a minute for objects that are being deleted.
    """
    known = declared(state)
    if not known:
        return None
    try:
        api = API(kubeconfig, context)
    except APIError:
        return None
    deadline = time.monotonic() + _PATIENCE
    try:
        while True:
            found = drift(api, known)
            if not any(each.going for each in found) or time.monotonic() > deadline:
                return found
            time.sleep(1)
    except APIError:
        return None
    finally:
        api.close()


def remove_added(drifts: Sequence[Drift], kubeconfig: Path | None, context: str) -> list[Drift]:
    """Removes the fields that somebody added, which Pulumi leaves. Returns the drifts whose fields are in a list.

    kubeconfig, context: as for `drifted`.
    """
    added = [each for each in drifts if each.added]
    if not added:
        return []
    left = []
    try:
        api = ChangingAPI(kubeconfig, context)
    except APIError:
        return added
    with closing(api):
        for each in added:
            patch = removal(each.added)
            try:
                if patch is None:
                    left.append(each)
                else:
                    api.merge(each.of.path, patch)
            except APIError:
                left.append(each)
    return left


class ChangingAPI(API):
    """The API of a cluster, and the one change that an update makes without Pulumi."""

    def merge(self, path: str, patch: Mapping[str, Any]) -> None:
        """Changes an object by a merge patch (RFC 7396). Raises APIError."""
        headers = {"Accept": "application/json", "Content-Type": "application/merge-patch+json"}
        self.answer("PATCH", f"{path}?fieldManager=ingress-hops", headers, patch)


def free_addresses(intended: Plan) -> list[str]:
    """Frees the addresses that a stack gives to its Services, where the API server keeps them for none.

    intended: the plan of the stack, whose cluster runs.

    Returns the addresses that were freed; none in an existing cluster, in which a stack has no addresses to choose.

    A server-side apply that is cut off between the allocation of the address and the write of the Service leaves the
    address allocated, and the next apply is refused until the API server's repair loop frees it, a minute later
    (Kubernetes 1.34: Update in apiserver/pkg/registry/generic/registry/store.go, syncIPAddress in
    pkg/registry/core/service/ipallocator/controller/repairip.go). A Kubernetes before 1.33 has no such objects.
    """
    if intended.control_plane is None:
        return []
    kubectl = ("exec", intended.control_plane, *KUBECTL)
    fixed = {intended.xds, *(backend.cluster_ip for backend in intended.services)}
    freed = []
    # Where it cannot be asked, an update tells why. The addresses are listed first: one that is used has its Service.
    with suppress(docker.DockerError, ValueError):
        listed = docker.run(*kubectl, "get", "ipaddresses.networking.k8s.io,services", "-A", "--output=json")
        for address in fixed.intersection(unused_addresses(sequence(at(json.loads(listed), "items")))):
            docker.run(*kubectl, "delete", "ipaddresses.networking.k8s.io", str(address))
            freed.append(str(address))
    return sorted(freed)


def unused_addresses(listed: Iterable[Any]) -> Iterator[str]:
    """The addresses that the API server allocated for Services which do not exist.

    listed: IPAddresses and Services, as `kubectl get --output=json` lists them.
    """
    items = list(listed)
    services = {(objects.namespace(item), objects.name(item)) for item in items if at(item, "kind") == "Service"}
    for item in items:
        if at(item, "kind") == "IPAddress" and (holder := address_holder(item)) and holder not in services:
            yield objects.name(item)


def lost_images(state: Mapping[str, Any]) -> list[tuple[Build, str]]:
    """The images that a stack built and that a node of its running cluster lacks, each with the names of these nodes.

    A kubelet whose disk gets full removes images that no container uses.

    state: as `pulumi stack export` prints it.
    """
    found = []
    for resource in resources(state):
        if at(resource, "inputs", "environment", "BUILT_IMAGE") and not at(resource, "delete"):
            with suppress(docker.DockerError, TypeError, ValueError):
                build = Build(**json.loads(str(at(resource, "inputs", "stdin"))))
                if nodes := lacking(build):
                    found.append((build, ", ".join(nodes)))
    return found


def publishes_cluster(state: Mapping[str, Any], context: str) -> bool:
    """Whether a stack published the cluster of a context, as it does when its first update has ended.

    state: as `pulumi stack export` prints it.
    """
    root = next((resource for resource in resources(state) if at(resource, "type") == _STACK), None)
    return bool(at(root, "outputs", "cluster", "context") == context)


def kubeconfig_fault(file: Path, context: str, now: datetime) -> str:
    """What is wrong with the kubeconfig file of a kind cluster, such as "is lost or damaged"; "" if nothing is.

    context: the context that the file has to name.
    now: an aware time, at which its client certificate has to be valid.
    """
    try:
        content = file.read_text()
        if not re.search(rf"^\s*name: {re.escape(context)}$", content, re.MULTILINE):
            return "is lost or damaged"
        client = _client(content)
    except (OSError, ValueError):
        return "is lost or damaged"
    clock = f"and the clock of this machine says {now:%Y-%m-%d}"
    if client and client.ends <= now:
        return f"has a client certificate that expired on {client.ends:%Y-%m-%d}, {clock}"
    if client and client.begins > now:
        return f"has a client certificate that begins on {client.begins:%Y-%m-%d}, {clock}"
    return ""


def write_kubeconfig(file: Path, cluster: str, link: str, now: datetime) -> None:
    """Writes the kubeconfig file of a running kind cluster again, for its owner only, and the link to it.

    cluster: its name.
    link: the link's name, beside the file.
    now: an aware time. kubeadm renews the client certificate in the node if it has expired by then.

    Raises OSError, DockerError if kubeadm fails, and subprocess.SubprocessError if kind fails.
    """
    words = ["kind", "get", "kubeconfig", "--name", cluster]
    content = subprocess.run(words, check=True, capture_output=True, timeout=_SECONDS).stdout
    client = _client(content.decode())
    if client and client.ends <= now:
        docker.run("exec", control_plane(cluster), "kubeadm", "certs", "renew", "admin.conf", seconds=_SECONDS)
        content = subprocess.run(words, check=True, capture_output=True, timeout=_SECONDS).stdout
    write(file, content, private=True)
    beside = file.parent / link
    beside.unlink(missing_ok=True)
    beside.symlink_to(file.name)


def _client(kubeconfig: str) -> CertificateFacts | None:
    """The client certificate of a kubeconfig; None if it has none. Raises ValueError."""
    found = _CLIENT.search(kubeconfig)
    return facts(b64decode(found[1], validate=True).decode()) if found else None
