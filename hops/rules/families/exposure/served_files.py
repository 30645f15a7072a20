"""EX01, EX02 and EX03: the files that an exposed pod serves."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from hops.kubernetes.commands import absolute, server
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.pods import Pod, PodContainer
from hops.kubernetes.routing.exposed import Exposed, exposed
from hops.kubernetes.values import (
    JSON,
    Undecidable,
    at,
    flag,
    mapping,
    sequence,
    text,
)
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.settings.setting_types import Section
from hops.rules.rule import Breach, NoParameters, Rule, Scope

_ACCOUNTS = "https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/"

_ROUTED = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: apps}
spec: {selector: {app: web}, ports: [{port: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: apps}
spec:
  rules:
  - host: web.localhost
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 8080}}}}]}
---
"""


def exposed_pod(spec: str, container: str) -> str:
    return (
        _ROUTED
        + f"""apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: apps, labels: {{app: web}}}}
spec:
  {spec or "terminationGracePeriodSeconds: 2"}
  containers:
  - name: web
    image: web:1
    {container}
"""
    )


class Folder(Section):
    """Parameters of EX01.

    folder: the folder that a patch serves instead of the root.
    """

    folder: Annotated[str, Field(pattern="^/.*[^/]$")] = "/srv"


@partial(
    Rule,
    code="EX01",
    title="No exposed pod serves its root file system",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.STACK,
    of=exposed,
    hop=HopName.POD,
    parameters=Folder,
    why="A client that can request / can also request /etc/passwd, mounted secrets and /proc/self/environ. `python -m "
    "http.server` serves its working directory, which is / by default.",
    remedy="Configure the server to serve a folder that contains only public files.",
    references=("https://docs.python.org/3/library/http.server.html#command-line-interface",),
    bad=exposed_pod("", 'command: [python, -m, http.server, "8080"]'),
    good=exposed_pod("", 'command: [python, -m, http.server, "8080", --directory, /srv]'),
)
def root_served(subject: Exposed, inventory: Inventory, parameters: Folder) -> Iterator[Breach]:
    for container in subject.pod.containers:
        if not container.lasting:
            continue
        if server(container).folder == "/":
            key = "args" if container.body.get("args") else "command"
            yield Breach(
                f"{container.pointer}/{key}",
                f"container {container.name} serves its root file system to clients of {subject.by}.",
                _elsewhere(container, parameters.folder),
            )
        elif container.body.get("volumeMounts") and _configured_root(subject.pod, container, inventory):
            yield Breach(
                f"{container.pointer}/volumeMounts",
                f"a mounted ConfigMap makes container {container.name} serve its root file system to clients of "
                f"{subject.by}.",
            )


def _elsewhere(container: PodContainer, folder: str) -> tuple[Mapping[str, Any], ...]:
    """Lets the command name another folder: in the place of the root, or at its end."""
    lists = [key for key in ("command", "args") if isinstance(container.body.get(key), list)]
    for key in lists:
        for index, word in enumerate(container.body[key]):
            if isinstance(word, str) and (word == "/" or (word.startswith("--") and word.endswith("=/"))):
                path = f"{container.pointer}/{key}/{index}"
                return ({"op": "replace", "path": path, "value": word[:-1] + folder},)
    if any("http.server" in container.body[key] for key in lists):
        path = f"{container.pointer}/{[key for key in lists if container.body[key]][-1]}/-"
        return tuple({"op": "add", "path": path, "value": word} for word in ("--directory", folder))
    return ()


# Where the images of nginx and Caddy read their configuration, and how that says /.
_CONFIGURATIONS = {
    "/etc/caddy": re.compile(r"^\s*root\s+(\*\s+)?/\s*$", re.MULTILINE),
    "/etc/nginx": re.compile(r"^[^#\n]*\broot\s+/\s*;", re.MULTILINE),
}


def _configured_root(pod: Pod, container: PodContainer, inventory: Inventory) -> bool:
    """Whether a mounted ConfigMap of a web server names / as what it serves."""
    for mount in _mounts(pod, container):
        says = next((p for folder, p in _CONFIGURATIONS.items() if _below(mount.path, folder)), None)
        name = text(at(mount.volume, "configMap", "name")) if says else None
        found = inventory.find("ConfigMap", pod.resource.namespace, name) if name else None
        if says and found:
            data = mapping(found.body.get("data"))
            if any(says.search(value) for value in data.values() if value and isinstance(value, str)):
                return True
    return False


@dataclass(frozen=True, slots=True, eq=False)
class _Mount:
    """path: absolute. volume: as the pod declares it. pointer: of the mount."""

    path: str
    volume: Mapping[str, JSON]
    pointer: str


def _mounts(pod: Pod, container: PodContainer) -> Iterator[_Mount]:
    declared = sequence(container.body.get("volumeMounts"))
    if not declared:
        return
    volumes = {text(at(volume, "name")): mapping(volume) for volume in sequence(at(pod.spec, "volumes"))}
    for index, mount in enumerate(declared):
        path, volume = text(at(mount, "mountPath")), volumes.get(text(at(mount, "name")))
        if path and volume:
            yield _Mount(absolute(path, "/"), volume, f"{container.pointer}/volumeMounts/{index}")


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


@partial(
    Rule,
    code="EX02",
    title="No exposed pod has a service account token",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=exposed,
    hop=HopName.POD,
    remediable=True,
    why="The token authenticates to the API server as the pod's service account, and an attacker in the pod can use "
    "it. Kubernetes mounts the token unless the pod or its service account sets automountServiceAccountToken to "
    "false; the pod's value takes precedence.",
    remedy="Set automountServiceAccountToken in the pod spec to false.",
    references=(_ACCOUNTS,),
    bad=exposed_pod("serviceAccountName: web", "ports: [{containerPort: 8080}]"),
    good=exposed_pod("automountServiceAccountToken: false", "ports: [{containerPort: 8080}]"),
)
def token(subject: Exposed, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    pod = subject.pod
    if _mounts_token(pod, inventory):
        yield Breach(
            f"{pod.pointer}/automountServiceAccountToken",
            f"{subject.by} exposes the pod, which has a service account token.",
            ({"op": "add", "path": f"{pod.pointer}/automountServiceAccountToken", "value": False},)
            if isinstance(pod.spec, dict) and pod.spec
            else (),
            absence="automountServiceAccountToken" not in pod.spec,
        )
    for index, volume in enumerate(sequence(at(pod.spec, "volumes"))):
        for number_, source in enumerate(sequence(at(volume, "projected", "sources"))):
            if "serviceAccountToken" in mapping(source):
                yield Breach(
                    f"{pod.pointer}/volumes/{index}/projected/sources/{number_}",
                    f"{subject.by} exposes the pod, which mounts a service account token as a volume.",
                    ({"op": "remove", "path": f"{pod.pointer}/volumes/{index}/projected/sources/{number_}"},),
                    remedy="Remove the serviceAccountToken source from the projected volume.",
                )


def _mounts_token(pod: Pod, inventory: Inventory) -> bool:
    own = flag(pod.spec.get("automountServiceAccountToken"))
    if own is None:
        name = text(pod.spec.get("serviceAccountName")) or text(pod.spec.get("serviceAccount")) or "default"
        if pod.resource.nowhere:
            raise Undecidable
        account = inventory.find("ServiceAccount", pod.resource.namespace, name)
        own = flag(account.body.get("automountServiceAccountToken")) if account else None
    return True if own is None else bool(own)


@partial(
    Rule,
    code="EX03",
    title="No secret is mounted below a served folder",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=exposed,
    hop=HopName.POD,
    why="A server also serves the volumes that are mounted below its folder: the secret, the token or the files of "
    "the node are one request away.",
    remedy="Mount the volume outside the served folder, or serve another folder.",
    references=("https://kubernetes.io/docs/concepts/storage/volumes/",),
    bad=exposed_pod(
        "volumes: [{name: key, secret: {secretName: key}}]",
        'command: [python, -m, http.server, "8080", --directory, /srv]\n'
        "    volumeMounts: [{name: key, mountPath: /srv/key}]",
    ),
    good=exposed_pod(
        "volumes: [{name: key, secret: {secretName: key}}]",
        'command: [python, -m, http.server, "8080", --directory, /srv]\n'
        "    volumeMounts: [{name: key, mountPath: /etc/key}]",
    ),
)
def secrets_served(subject: Exposed, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    for container in subject.pod.containers:
        if not container.lasting or not container.body.get("volumeMounts"):
            continue
        folder = server(container).folder
        if not folder:
            continue
        mounts = list(_mounts(subject.pod, container))
        # The folder itself may lie in a volume.
        around = max((m.path for m in mounts if _below(folder, m.path)), key=len, default=folder)
        for mount in mounts:
            what = _secret(mount.volume) if _below(mount.path, folder) or mount.path == around else None
            if what:
                yield Breach(
                    f"{mount.pointer}/mountPath",
                    f"container {container.name} serves {folder} to clients of {subject.by}, including {what}.",
                    evidence=mount.path,
                )


def _secret(volume: Mapping[str, JSON]) -> str | None:
    """What of a volume nobody outside should see."""
    if "secret" in volume:
        return f"the secret {text(at(volume, 'secret', 'secretName')) or ''}".rstrip()
    if "hostPath" in volume:
        return f"the node's {text(at(volume, 'hostPath', 'path')) or 'files'}"
    for source in sequence(at(volume, "projected", "sources")):
        if "secret" in mapping(source):
            return f"the secret {text(at(source, 'secret', 'name')) or ''}".rstrip()
        if "serviceAccountToken" in mapping(source):
            return "a service account token"
    return None
