"""Reads a running cluster for an update: its objects, and whether pods answer its routes."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hops.kubernetes import objects as fields
from hops.kubernetes.objects import full_name
from hops.kubernetes.resources.deployments import rollout
from hops.kubernetes.resources.pod_start import LOG_LINES, MIGRATION, Patience, PodStart, pod_start
from hops.kubernetes.values import at
from hops.model.hop import Backend, Entrypoint
from hops.model.kind_names import KUBECTL
from hops.observe.in_cluster.api import API, APIError
from hops.observe.local import docker
from hops.observe.local.docker import DockerError
from hops.observe.timed_tasks import later

_KUBECTL = (*KUBECTL, "--request-timeout", "10s")
_KINDS = "nodes,pods,services,deployments"
_COLLECTIONS = {
    "Namespace": "/api/v1/namespaces",
    "Node": "/api/v1/nodes",
    "Pod": "/api/v1/pods",
    "Service": "/api/v1/services",
    "DaemonSet": "/apis/apps/v1/daemonsets",
    "Deployment": "/apis/apps/v1/deployments",
    "IngressClass": "/apis/networking.k8s.io/v1/ingressclasses",
    "ContourConfiguration": "/apis/projectcontour.io/v1alpha1/contourconfigurations",
}
"""What the API is asked for: paths by kind."""
_SECONDS = 15
_PAUSE = 0.3
# An answer that a pod gave carries Envoy's upstream time; Envoy's own 404 and 503 do not.
_FROM_A_POD = "x-envoy-upstream-service-time:"
_REDIRECTED = "location:"


@dataclass(frozen=True)
class RouteAnswer:
    """How one service answers.

    answered: whether a pod answered the service's documented request.
    pods: the state of each pod, by namespace/name.
    logs: the last lines of the pods that are not ready, by namespace/name.
    """

    answered: bool
    pods: Mapping[str, PodStart]
    logs: Mapping[str, Sequence[str]]


def cluster_objects(control_plane: str) -> list[dict[str, Any]]:
    """The nodes, pods, Services and Deployments of a kind cluster, as its API gives them; empty if it does not answer.

    control_plane: name of the control plane's container.
    """
    printed = _in_node(control_plane, *_KUBECTL, "get", _KINDS, "--all-namespaces", "--output", "json")
    try:
        items = at(json.loads(printed), "items")
    except ValueError:
        return []
    return [item for item in items or () if isinstance(item, dict)]


def context_objects(context: str, kubeconfig: Path | None = None) -> list[dict[str, Any]]:
    """The objects of a cluster that a stack is concerned with, as its API gives them.

    context: of the kubeconfig.
    kubeconfig: the file. Default: None, the user's own.

    A kind that may not be listed is left out. Raises APIError if the API does not answer.
    """
    with closing(API(kubeconfig, context)) as api:
        asked = {kind: later(partial(_listed, api, path)) for kind, path in _COLLECTIONS.items()}
        return [
            # A list does not say what its items are.
            {"apiVersion": _version(_COLLECTIONS[kind]), "kind": kind, **item}
            for kind, answer in asked.items()
            for item in answer.result()
        ]


def last_lines(context: str, kubeconfig: Path | None, pod: str) -> list[str]:
    """The last lines of a pod's log; empty if they cannot be read.

    context, kubeconfig: as for `context_objects`.
    pod: NAMESPACE/NAME.
    """
    namespace, _, name = pod.partition("/")
    with suppress(APIError), closing(API(kubeconfig, context)) as api:
        return api.text(f"/api/v1/namespaces/{namespace}/pods/{name}/log?tailLines={LOG_LINES}").splitlines()
    return []


def _listed(api: API, path: str) -> list[dict[str, Any]]:
    """The objects of a kind; empty if the cluster has no such kind, or nobody may list it. Raises APIError."""
    try:
        items = at(api.json(path), "items")
    except APIError as error:
        if error.status is None:
            raise
        return []
    return [item for item in items or () if isinstance(item, dict)]


def _version(path: str) -> str:
    return path.removeprefix("/apis/").removeprefix("/api/").rpartition("/")[0]


async def answers(
    control_plane: str,
    entrypoint: Entrypoint,
    backends: Sequence[Backend],
    clock: Callable[[], float] = time.monotonic,
) -> tuple[list[dict[str, Any]], list[RouteAnswer]]:
    """Waits until a pod of each backend has answered and all pods are ready, as long as `Patience` allows.

    control_plane: name of the control plane's container.
    entrypoint: the entrypoint. Requests go from its node to the node's own ports.
    backends: the backends to ask.
    clock: gives the current time in seconds. Default: a monotonic clock.

    Returns the cluster's objects, and an answer for each backend in order.
    """
    patience = [Patience(clock()) for _ in backends]
    # Nobody asks a service without a route.
    answered, open_ = [not backend.host for backend in backends], set(range(len(backends)))
    while True:
        unasked = [number for number in sorted(open_) if not answered[number]]
        asked = (asyncio.to_thread(_answers, entrypoint, backends[number]) for number in unasked)
        for number, answer in zip(unasked, await asyncio.gather(*asked), strict=True):
            answered[number] = answer
        objects = await asyncio.to_thread(cluster_objects, control_plane)
        states = [_states(objects, backend) for backend in backends]
        for number in sorted(open_):
            pods = list(states[number].values())
            done = answered[number] and all(pod.ready for pod in pods)
            if done or patience[number].spent(clock(), pods):
                open_.remove(number)
        if not open_:
            break
        await asyncio.sleep(_PAUSE)
    results = []
    for answer, starts in zip(answered, states, strict=True):
        unready = [name for name, start in starts.items() if not start.ready]
        logs = {name: await asyncio.to_thread(_log, control_plane, name) for name in unready}
        results.append(RouteAnswer(answer, starts, logs))
    return objects, results


def rollouts(objects: Sequence[Mapping[str, Any]], backends: Sequence[Backend]) -> dict[str, dict[str, PodStart]]:
    """The pods of each Deployment that are not ready, by the Deployment's NAMESPACE/NAME and by their own.

    objects: of the cluster, as its API gives them.
    backends: the services of a stack.
    """
    states = {
        f"{backend.namespace}/{backend.service}": _states(objects, backend)
        for backend in backends
        if backend.deployment
    }
    waiting = {name: {pod: s for pod, s in of.items() if not s.ready} for name, of in states.items()}
    return {name: of for name, of in waiting.items() if of}


def failed_migration(objects: Sequence[Mapping[str, Any]], service: str) -> tuple[str, PodStart] | None:
    """The last pod of a service's migration: its NAMESPACE/NAME and its state.

    objects: of the cluster, as its API gives them.
    service: NAMESPACE/NAME of the service.

    Returns None if there is no such pod, or if it succeeded.
    """
    namespace, _, name = service.partition("/")
    own = [
        pod
        for pod in objects
        if pod.get("kind") == "Pod"
        and fields.namespace(pod) == namespace
        and fields.labels(pod).get(MIGRATION) == name
        and not fields.deleting(pod)
    ]
    last = max(own, key=fields.created, default=None)
    if last is None or fields.phase(last) == "Succeeded":
        return None
    return full_name(last), pod_start(last)


def _states(objects: Sequence[Mapping[str, Any]], backend: Backend) -> dict[str, PodStart]:
    pods = {full_name(o): o for o in objects if o.get("kind") == "Pod"}
    if backend.deployment:
        name = f"{backend.namespace}/{backend.service}"
        found = (o for o in objects if o.get("kind") == "Deployment" and full_name(o) == name)
        return rollout(name, next(found, None), pods.values())
    names = [f"{backend.namespace}/{name}" for name in backend.pods]
    return {name: pod_start(pods.get(name)) for name in names}


def _answers(entrypoint: Entrypoint, backend: Backend) -> bool:
    node = str(entrypoint.node)
    port = next(mapping.node for mapping in entrypoint.mappings if mapping.scheme == backend.scheme)
    # The node has no copy of the authority's certificate. The question is whether a pod answers.
    curl = ("curl", "--silent", "--insecure", "--max-time", "5", "--output", "/dev/null", "--dump-header", "-")
    url = f"{backend.scheme}://{backend.host}{backend.request_path}"
    fields = (word for name, value in backend.request_headers.items() for word in ("--header", f"{name}: {value}"))
    call = (*(("--request", "POST") if backend.grpc else ()), *fields)
    headers = _in_node(node, *curl, *call, "--connect-to", f"::{node}:{port}", url)
    sign = _REDIRECTED if backend.redirect else _FROM_A_POD
    return any(line.lower().startswith(sign) for line in headers.splitlines())


def _log(control_plane: str, pod: str) -> list[str]:
    namespace, _, name = pod.partition("/")
    return _in_node(
        control_plane, *_KUBECTL, "logs", "--namespace", namespace, name, f"--tail={LOG_LINES}"
    ).splitlines()


def _in_node(node: str, *words: str) -> str:
    """What a command in a node's container prints, even if it fails; "" if it cannot run."""
    try:
        return docker.run("exec", node, *words, seconds=_SECONDS)
    except DockerError as error:
        return error.output
