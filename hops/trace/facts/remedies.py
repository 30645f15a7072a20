"""Commands that mend a path or look at it. Each works as it stands in a fresh shell in the project's folder."""

import shlex
from collections.abc import Callable

from hops.model.commands import HOPS, of_stack
from hops.model.finding import Identity
from hops.model.path import CONTOUR_NAMESPACE, GATEWAY, USUAL_PORTS
from hops.model.pod_network import POD_NETWORK
from hops.model.project_files import stack_path
from hops.model.settings.route_settings import RouteSettings
from hops.model.settings.service_settings import ServiceSettings
from hops.trace.facts.path_facts import PathFacts

ENVOY = Identity("apps/v1", "DaemonSet", CONTOUR_NAMESPACE, "envoy")
CONTOUR = Identity("apps/v1", "Deployment", CONTOUR_NAMESPACE, "contour")
NETWORK_AGENT = Identity("apps/v1", "DaemonSet", POD_NETWORK.agent_namespace, POD_NETWORK.agent)
_INSTALLED = (ENVOY, CONTOUR, NETWORK_AGENT)
"""The workloads that a stack installs beside its own services."""


def command(*words: object) -> str:
    """One command for a shell, each word quoted where it has to be."""
    return shlex.join(map(str, words))


def slug(who: Identity) -> str:
    """An object as a word for kubectl, such as deployment/contour."""
    return f"{who.kind.lower()}/{who.name}"


def kubectl(view: PathFacts, *words: object, namespace: str | None = None) -> str:
    """A kubectl command for the path's cluster.

    A stack's cluster is reached by the stack's name; another one by the kubeconfig and context of the trace.
    """
    inside = ("--namespace", namespace) if namespace else ()
    if view.observation.stack:
        return command(HOPS, "kubectl", view.observation.stack.name, *inside, *words)
    cluster = view.observation.cluster
    given = (("--kubeconfig", cluster.kubeconfig), ("--context", cluster.context)) if cluster else ()
    options = (word for name, value in given if value for word in (name, value))
    return command("kubectl", *options, *inside, *words)


def make(view: PathFacts, target: str = "up") -> str:
    """The command for the trace's stack: `up`, or another target of the Makefile."""
    stack = view.observation.stack
    return of_stack(target, stack.name if stack else "", makefile=stack is None or stack.makefile)


def rebuild(view: PathFacts) -> str:
    """The command that makes the stack's cluster again."""
    return f"{make(view, 'down')} && {make(view)}"


def mend(view: PathFacts, who: Identity, otherwise: str) -> str:
    """The command that puts an object right: the stack's own where the stack owns it.

    otherwise: the command for an object that no stack owns.
    """
    return make(view) if owns(view, who) else otherwise


def setting(view: PathFacts, key: str) -> str:
    """The stack's file and a key of the traced service; empty where the path has no stack."""
    stack, backend = view.observation.stack, view.backend
    if stack is None or backend is None:
        return ""
    names = [(service.namespace, service.name) for service in stack.settings.services]
    return setting_of(view, f"services[{names.index((backend.namespace, backend.service))}].{key}")


def service_settings(view: PathFacts) -> ServiceSettings | None:
    """The stack's settings of the traced service; None where the path has no stack."""
    stack, backend = view.observation.stack, view.backend
    if stack is None or backend is None:
        return None
    name = (backend.namespace, backend.service)
    return next(one for one in stack.settings.services if (one.namespace, one.name) == name)


def route_setting(view: PathFacts, key: str, wrong: Callable[[RouteSettings], bool]) -> str:
    """The stack's file and a key of the traced route; empty where the path has no stack or the route's value is right.

    wrong: whether the route's settings are what is to be corrected.
    """
    backend = view.backend
    if backend is None:
        return ""
    own = (backend.ingress, backend.host, backend.path, backend.path_type, backend.requires)
    service = service_settings(view)
    for index, route in enumerate(service.routes if service else ()):
        if (route.name, route.host, route.path, route.path_type, route.conditions) == own and wrong(route):
            return setting(view, f"routes[{index}].{key}")
    return ""


def over_https(view: PathFacts) -> str:
    """The command that asks for the same path by https; empty where the traced route has no TLS in the stack's file.

    The stack then means what it does with plain HTTP, and no update changes it.
    """
    secure = next((m for m in view.entrypoint.mappings if m.scheme == "https"), None) if view.entrypoint else None
    if secure is None or not route_setting(view, "tls", lambda route: route.tls is True):
        return ""
    port = "" if secure.host == USUAL_PORTS["https"] else f":{secure.host}"
    export = command(HOPS, "ca", "export", "ca.pem")
    asked = command("curl", "--cacert", "ca.pem", f"https://{view.asked.host}{port}{view.asked.path}")
    return f"{export} && {asked}"


def setting_of(view: PathFacts, key: str) -> str:
    """The stack's file and a key of it; empty where the path has no stack."""
    stack = view.observation.stack
    return f"{stack_path(stack.name)}: {key}" if stack else ""


def owns(view: PathFacts, who: Identity) -> bool:
    """Whether the stack declares an object in a cluster of its own, so that the remedy is its next update.

    In an existing cluster the remedy is kubectl's.
    """
    stack, plan = view.observation.stack, view.planned
    if stack is None or plan is None or stack.settings.cluster.existing:
        return False
    own = {(one.kind, one.namespace, one.name) for one in _INSTALLED}
    if stack.settings.gateway_hosts is not None:
        own.add(("Gateway", CONTOUR_NAMESPACE, GATEWAY))
    for backend in (*plan.services, *plan.backends):
        own |= {("Pod", backend.namespace, pod) for pod in backend.pods}
        own |= {("Deployment", backend.namespace, backend.service)} if backend.deployment else set()
        own |= {(backend.kind, backend.namespace, backend.ingress)}
        own |= set() if backend.foreign else {("Service", backend.namespace, backend.service)}
    for service in stack.settings.services:
        own |= {("Secret", service.namespace, route.host) for route in service.routes if route.tls is True}
    return (who.kind, who.namespace, who.name) in own
