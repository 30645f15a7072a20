"""Asks each route of a stack once, from this machine."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hops.cli.trace import GRPC_CALL, observation_of_stack
from hops.cli.trace_text import verdict
from hops.kubernetes.existing_cluster import ExistingCluster
from hops.kubernetes.resources.pod_start import migration_failed
from hops.model.hop import Backend, RequestPath, met_by
from hops.model.plan import Plan, plan
from hops.model.settings.stack_settings import Settings
from hops.observe.in_cluster.answers import context_objects, failed_migration, last_lines, rollouts
from hops.observe.in_cluster.api import APIError
from hops.observe.local.authority import authority_file, authority_folder
from hops.observe.local.host import Resolved
from hops.observe.requests import from_client
from hops.observe.timed_tasks import later
from hops.trace.observed.observation import FollowedRequest, SentRequest
from hops.trace.verdict import trace


@dataclass(frozen=True)
class Answer:
    """How a route was answered.

    text: a clause with the route as its subject.
    well: whether its pod answered, or Envoy redirected as the route declares.
    """

    text: str
    well: bool

    def __str__(self) -> str:
        return self.text


def running(settings: Settings) -> Plan:
    """The plan of a stack whose cluster runs. An existing cluster is asked where requests enter. Raises APIError."""
    existing = settings.cluster.existing
    return (
        plan(settings, ExistingCluster(context_objects(existing), settings).addresses) if existing else plan(settings)
    )


def ask(settings: Settings, intended: Plan) -> Sequence[Answer]:
    """The answer of each of the plan's `asked`.

    settings: the stack's settings.
    intended: the plan of `running`.
    """
    address = next(iter(intended.entrypoint.clients), None)
    if address is None:
        unknown = f"cannot be asked: the {intended.entrypoint.by} of Envoy has no address"
        return [Answer(unknown, well=False) for _ in intended.asked]
    authority = str(authority_file(authority_folder()))
    every = (route for service in settings.services for route in service.routes)
    routes = {
        (backend.namespace, backend.service, backend.route): route
        for route, backend in zip(every, intended.backends, strict=True)
    }
    asked = [
        FollowedRequest(
            scheme=backend.scheme,
            host=backend.host,
            path=backend.request_path,
            headers=backend.request_headers,
            port=next(mapping.host for mapping in path.mappings if mapping.scheme == backend.scheme),
            ca_file=authority if route.tls is True else None,
            insecure=route.signed_elsewhere,
            **(GRPC_CALL if backend.grpc else {}),
        )
        for path, backend in intended.asked
        for route in [routes[backend.namespace, backend.service, backend.route]]
    ]
    sent = [later(partial(_first, each, address)) for each in asked]
    return [_answer(look.result(), backend.redirect) for look, (_, backend) in zip(sent, intended.asked, strict=True)]


def unfinished(intended: Plan, kubeconfig: Path | None) -> list[str]:
    """A sentence about each Deployment of a stack of which a pod is not ready.

    kubeconfig: the file with the cluster's context; None for the user's own.
    """
    if not any(backend.deployment for backend in intended.services):
        return []
    try:
        waiting = rollouts(context_objects(intended.context, kubeconfig), intended.services)
    except APIError as error:
        return [f"whether the Deployments are ready is not known: {error}"]
    return [
        f"Deployment {name}: its new version is not ready, and the ready pods continue to serve: "
        + "; ".join(f"{pod}: {start.reason or start.phase}" for pod, start in pods.items())
        for name, pods in waiting.items()
    ]


def failed_migrations(settings: Settings, intended: Plan, kubeconfig: Path | None) -> list[str]:
    """A message about each migration of a stack that did not succeed; empty if the cluster cannot be asked.

    kubeconfig: the file with the cluster's context; None for the user's own.
    """
    found = []
    with suppress(APIError):
        objects = context_objects(intended.context, kubeconfig)
        for number, service in enumerate(settings.services):
            name = f"{service.namespace}/{service.name}"
            if service.migration and (last := failed_migration(objects, name)):
                lines = last_lines(intended.context, kubeconfig, last[0])
                found.append(migration_failed(f"services[{number}]", service.name, *last, lines))
    return found


def _first(asked: FollowedRequest, address: str) -> SentRequest:
    return from_client(asked, Resolved((address,), 0.0), ())[0]


def _answer(request: SentRequest, redirect: str) -> Answer:
    """redirect: where the route sends the client; "" for a route to a pod."""
    if redirect and request.redirected:
        return Answer(f"is redirected to {request.headers.get('location', redirect)}: {request.status}", well=True)
    if request.by_pod:
        return Answer(f"is answered by its pod: {request.status}", well=True)
    reason = f"{request.status} by Envoy" if request.status else f"{request.failure}: {request.error}"
    return Answer(f"is not answered by its pod ({reason})", well=False)


def verdict_of(name: str, settings: Settings, path: RequestPath, backend: Backend) -> str:
    """The verdict of a trace of one of a stack's paths, with the remedy.

    name: the stack's name.
    settings: the stack's settings.
    path: the path; its port is asked.
    backend: where it leads.
    """
    headers = met_by(backend.requires)
    port = next((mapping.host for mapping in path.mappings if mapping.scheme == path.scheme), None)
    return verdict(trace(observation_of_stack(name, settings, backend.host, backend.request_path, headers, port=port)))
