"""Observes a running path: all parts at the same time, in threads, each with a time limit."""

import platform
import re
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hops.kubernetes import objects
from hops.kubernetes.resources import docker_containers
from hops.kubernetes.resources.docker_containers import API_PORT
from hops.kubernetes.resources.pods import as_template
from hops.kubernetes.values import at
from hops.model.pod_network import POD_NETWORK
from hops.model.preflight import MARK
from hops.model.project_files import generations, kubeconfig_file
from hops.observe.in_cluster.api import API
from hops.observe.in_cluster.cluster import cluster, logs, secrets
from hops.observe.in_cluster.envoy import Admin, envoy
from hops.observe.in_cluster.nodes import node
from hops.observe.local.docker import docker
from hops.observe.local.host import Resolved, environment, host, on_loopback, resolve, with_loopback
from hops.observe.requests import from_client, from_node, over, through_proxy
from hops.observe.timed_tasks import Progress, TimedTasks, later
from hops.trace.facts.client_proxy import client_proxy
from hops.trace.facts.path_facts import PathFacts
from hops.trace.facts.probes import Probe, probes, published
from hops.trace.facts.redirects import MOST_REDIRECTS, next_request
from hops.trace.observed.observation import (
    FollowedRequest,
    Observation,
    ObservedCluster,
    ObservedDocker,
    ObservedEnvoy,
    ObservedNode,
    SentRequest,
    TracedStack,
)

_DOCKER, _CLUSTER, _HOST, _OUTPUTS, _REQUESTS, _OTHERS = 20.0, 12.0, 9.0, 1.5, 14.0, 10.0
"""The most seconds to wait for each part; most parts have tighter limits of their own."""
_ENVOYS = 3


@dataclass(frozen=True)
class Way:
    """How to reach the API of a cluster.

    kubeconfig: the kubeconfig file. Default: that of the stack's running cluster in `folder`; without a folder, the
        user's own.
    context: a context of the file. Default: the current one.
    folder: the folder of the stack's kubeconfig files.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    folder: Path | None = None


class NoWayError(RuntimeError):
    """There is no kubeconfig for the cluster."""


def look(
    asked: FollowedRequest,
    way: Way,
    stack: TracedStack | None = None,
    outputs: Callable[[], Mapping[str, Any]] | None = None,
    progress: Progress = lambda _: None,
) -> Observation:
    """Observes the path that a request takes. Changes nothing and never fails: `unseen` names the missing parts.

    asked: the followed request.
    way: how to reach the cluster's API.
    stack: the stack whose path is followed. Default: none.
    outputs: reads the stack's outputs. Default: they are not read.
    progress: called whenever a part starts or ends.
    """
    seen = [_Look(asked, way, stack, TimedTasks(progress)).observation(outputs)]
    while (target := next_request(seen[-1])) and len(seen) <= MOST_REDIRECTS:
        seen.append(_Look(target, way, stack, TimedTasks(progress)).observation(outputs))
        if target in [one.asked for one in seen[:-1]]:
            break
    whole = seen.pop()
    for one in reversed(seen):
        whole = one.model_copy(update={"then": whole})
    return whole


class _Look:
    """The observation so far, in `seen`, and the steps that add to it."""

    def __init__(self, asked: FollowedRequest, way: Way, stack: TracedStack | None, parts: TimedTasks) -> None:
        self._way, self._parts = way, parts
        kind = stack.settings.cluster.name if stack and not stack.settings.cluster.existing else None
        taken = datetime.now(UTC).isoformat(timespec="seconds")
        self.seen = Observation(taken=taken, asked=asked, stack=stack, cluster_name=kind)

    def _add(self, **found: Any) -> PathFacts:
        self.seen = self.seen.model_copy(update=found)
        return PathFacts(self.seen)

    def observation(self, outputs: Callable[[], Mapping[str, Any]] | None) -> Observation:
        began, parts, asked = time.monotonic(), self._parts, self.seen.asked
        host_seen = parts.start("host", partial(host, asked, parts.unseen), _HOST)
        resolved = later(partial(resolve, asked.host))
        published_outputs = parts.start("outputs", outputs, _OUTPUTS) if outputs else None
        docker_seen = parts.start("docker", partial(docker, self.seen.cluster_name, asked.port), _DOCKER)
        # The import of the client takes as long as the answer of Docker.
        later(partial(import_module, "kubernetes"))
        self._add(docker=docker_seen())

        connecting = parts.start("cluster: kubeconfig", self._connect, _OTHERS)
        if self.seen.stack is None and (api := connecting()):
            self._add(cluster_name=_kind(api, self.seen.docker))
        nodes_seen = self._nodes()
        api = connecting()
        view = self._add(cluster=parts.start("cluster", partial(self._cluster, api), _CLUSTER)() if api else None)
        admins = self._admins(api, view) if api else []
        logs_seen = parts.start("logs", partial(logs, api, view, parts.unseen), _OTHERS) if api else None
        secrets_seen = parts.start("certificates", partial(secrets, api, view, parts.unseen), _OTHERS) if api else None
        opened = [found for admin in admins if (found := admin())]
        view = self._add(
            nodes=tuple(one for seen in nodes_seen if (one := seen())), envoys=tuple(found for _, found in opened)
        )

        self._requests(api, view, resolved)
        self._add(envoys=tuple(self._afterwards(opened)))
        if self.seen.cluster and logs_seen and secrets_seen:
            more: dict[str, Any] = {"logs": logs_seen() or {}, **(secrets_seen() or {})}
            self._add(cluster=self.seen.cluster.model_copy(update=more))
        if api:
            api.close()
        if self.seen.stack and published_outputs:
            self._add(stack=self.seen.stack.model_copy(update={"outputs": published_outputs()}))
        seen = host_seen()
        self._add(host=seen and with_loopback(asked.host, seen, published(view)))
        self._add(
            versions=_versions(self.seen),
            unseen=dict(parts.unseen),
        )
        taken = {what: seconds for what, seconds in parts.seconds.items() if seconds is not None}
        self._add(seconds={what: round(s, 3) for what, s in {**taken, "all": time.monotonic() - began}.items()})
        return self.seen

    def _connect(self) -> API:
        """Opens the API. Raises NoWayError or APIError."""
        return API(self._way.kubeconfig or self._of_stack(), self._way.context)

    def _of_stack(self) -> Path | None:
        """The kubeconfig of the generation in the marks of the stack's nodes, or else of the newest generation."""
        folder, stack = self._way.folder, self.seen.stack
        if folder is None or stack is None or stack.settings.cluster.existing:
            return None
        marks = (
            found[1]
            for item in PathFacts(self.seen).node_containers.values()
            for bind in docker_containers.binds(item)
            if (found := re.search(re.escape(MARK) + r"(\d+)-", bind))
        )
        kept = generations(stack.name, (file.name for file in folder.glob("*.yaml")))
        generation = next(map(int, marks), max(kept, default=None))
        if generation not in kept:
            raise NoWayError(f"{folder} holds no kubeconfig of the stack {stack.name}'s running cluster")
        return folder / kubeconfig_file(stack.name, generation)

    def _cluster(self, api: API) -> ObservedCluster:
        found = cluster(api, self._parts.unseen)
        return found.model_copy(update={"kubeconfig": api.kubeconfig, "context": api.context})

    def _nodes(self) -> list[Callable[[], ObservedNode | None]]:
        started = []
        view = PathFacts(self.seen)
        for name in sorted(view.node_containers):
            if view.running(name):
                started.append(self._parts.start(f"node {name}", partial(node, name, self._parts.unseen), _OTHERS))
            else:
                state = docker_containers.state(view.containers[name])
                self._parts.unseen[f"node {name}"] = f"its container is {state}"
        return started

    def _admins(self, api: API, view: PathFacts) -> list[Callable[[], tuple[Admin, ObservedEnvoy] | None]]:
        """Opens the Envoys that run on running nodes: a port-forward to another one only times out."""
        started = []
        for pod in view.envoy_pods[:_ENVOYS]:
            namespace, name = str(objects.namespace(pod)), objects.name(pod)
            on = str(objects.node_of(pod))
            if objects.phase(pod) != "Running":
                self._parts.unseen[f"envoy {namespace}/{name}"] = f"its pod is {objects.phase(pod)}"
            elif view.down(on):
                self._parts.unseen[f"envoy {namespace}/{name}"] = f"its node {on} does not run"
            else:
                opening = partial(_opened, api, namespace, name)
                started.append(self._parts.start(f"envoy {namespace}/{name}", opening, _OTHERS))
        return started

    def _requests(self, api: API | None, view: PathFacts, resolved: Future[Resolved]) -> None:
        """Sends all requests at once: from this machine, and from each node that can be entered."""
        began, parts, asked = time.monotonic(), self._parts, self.seen.asked
        entry = view.entry.node if view.entry else None
        waiting: list[Callable[[], list[SentRequest] | None]] = []
        entered: list[Callable[[], tuple[list[SentRequest], ObservedNode] | None]] = []
        if not asked.from_node:
            sending = partial(_from_client, asked, resolved, published(view))
            waiting.append(parts.start("requests from here", sending, _REQUESTS))
            if proxy := client_proxy(environment(), asked):
                waiting.append(parts.start("requests by proxy", partial(through_proxy, asked, proxy), _REQUESTS))
        planned = probes(view)
        for name in dict.fromkeys(probe.node for probe in planned):
            of_node = [probe for probe in planned if probe.node == name]
            if within := view.node(name):
                sent = partial(from_node, within, asked, of_node, entry, parts.unseen)
                entered.append(parts.start(f"requests from {name}", sent, _REQUESTS))
            elif api and not view.down(name):
                forwarded = [probe for probe in of_node if probe.pod and probe.where in ("envoy", "pod")]
                waiting.append(
                    parts.start("requests by port-forward", partial(_forwarded, api, forwarded, asked), _REQUESTS)
                )
        answers = [request for seen in waiting for request in seen() or ()]
        nodes = {node.name: node for node in self.seen.nodes}
        for seen in entered:
            if found := seen():
                answers += found[0]
                nodes[found[1].name] = found[1]
        parts.seconds["requests"] = time.monotonic() - began
        self._add(requests=tuple(answers), nodes=tuple(nodes.values()))

    def _afterwards(self, opened: list[tuple[Admin, ObservedEnvoy]]) -> Iterator[ObservedEnvoy]:
        asked = [self._parts.start(f"envoy {admin.pod} afterwards", admin.stats, _OTHERS) for admin, _ in opened]
        for (admin, found), stats in zip(opened, asked, strict=True):
            yield found.model_copy(update={"stats_after": stats() or {}})
            admin.close()


def _opened(api: API, namespace: str, pod: str) -> tuple[Admin, ObservedEnvoy]:
    admin = Admin(api, namespace, pod)
    return admin, envoy(admin)


def _from_client(asked: FollowedRequest, resolved: Future[Resolved], published: tuple[str, ...]) -> list[SentRequest]:
    return from_client(asked, on_loopback(asked.host, resolved.result(), published), published)


def _forwarded(api: API, planned: list[Probe], asked: FollowedRequest) -> list[SentRequest]:
    """Sends requests by port-forward, for a node that cannot be entered. Raises APIError."""
    answers = []
    for probe in planned:
        namespace, _, pod = str(probe.pod).partition("/")
        with closing(api.forward(namespace, pod, probe.port)) as connection:
            answers.append(over(connection, probe, asked, {}))
    return answers


def _kind(api: API, found: ObservedDocker | None) -> str | None:
    """The name of the kind cluster whose control plane publishes the port of the API."""
    port = urlsplit(api.server).port
    for container in found.containers if found else ():
        for binding in docker_containers.declared_ports(container):
            if binding.inside == API_PORT and binding.port == port:
                return docker_containers.cluster(container)
    return None


def _versions(seen: Observation) -> dict[str, str]:
    """The versions of all that was observed, by name."""
    info: Mapping[str, Any] = seen.docker.info if seen.docker else {}
    # COMMIT/VERSION/…
    releases = [str(at(dict(one.server), "version")).split("/") for one in seen.envoys]
    found = {
        "ingress-hops": version("ingress-hops"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "docker": info.get("ServerVersion"),
        "kernel": info.get("KernelVersion"),
        "kubernetes": seen.cluster.version if seen.cluster else None,
        "envoy": next((release[1] for release in releases if len(release) > 1), None),
    }
    for item in seen.cluster.objects if seen.cluster else ():
        for container in as_template(item).lasting if item.get("kind") in ("DaemonSet", "Deployment") else ():
            if container.name in ("contour", POD_NETWORK.agent) and ":" in (container.image or ""):
                found[container.name] = str(container.image).rpartition(":")[2]
    return {name: str(value) for name, value in found.items() if value}
