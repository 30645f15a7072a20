"""What can break: hop 4, Envoy itself and what Contour gives it."""

from collections.abc import Callable, Iterator, Mapping

from hops.kubernetes import objects
from hops.kubernetes.controller.secrets import CERTIFICATES
from hops.kubernetes.resources import deployments
from hops.kubernetes.resources.pods import as_template
from hops.kubernetes.values import JSON
from hops.model.finding import Finding
from hops.model.hop import HopName
from hops.trace.code import Code
from hops.trace.facts.certificates import distrust, misses_secret
from hops.trace.facts.declared_routes import planned_ingress, planned_ingress_missing
from hops.trace.facts.envoy_drift import contour_pods, contour_runs, contour_said, stale
from hops.trace.facts.live_rules import patched
from hops.trace.facts.path_facts import THROUGH_ENVOY, PathFacts, identity
from hops.trace.facts.pod_states import Trouble, events, last_line, trouble
from hops.trace.facts.remedies import kubectl, mend, slug

envoy_down = Code(
    code="T16",
    hop=HopName.ROUTE,
    title="Envoy does not run",
    symptom="`curl` connects to the published port, and the connection is reset or ends without an answer. If the "
    "node's DNAT rule was removed with the pod, the connection is refused.",
    cause="No Envoy runs where the requests arrive: its image cannot be pulled, no node matches its nodeSelector, "
    "or it exits as soon as it starts. Without its pod there is no DNAT rule for the host port and no listener.",
    confirmed_by="The API shows that Envoy's pod does not run or does not exist, and no request was answered through "
    "Envoy. The consequences (no DNAT rule, no listener) are not reported separately. A pod that waits for a free "
    "host port is T15, one on another node T06.",
    remedy="`kubectl --namespace projectcontour describe pods --selector app=envoy` shows the reason; `kubectl "
    "--namespace projectcontour rollout undo daemonset/envoy` reverts the last change.",
    references=("https://projectcontour.io/docs/1.33/troubleshooting/",),
    yields_to=("T15", "T21", "T37", "T49"),
)

not_delivered = Code(
    code="T20",
    hop=HopName.ROUTE,
    title="Envoy does not have the routes and pods that the objects declare",
    symptom="A change of an Ingress or of pods has no effect: the old answer still comes, or 404 or 503 for the new "
    "route.",
    cause="Contour sends routes and endpoints to Envoy over xDS. If Contour does not run, Envoy keeps its last "
    "configuration.",
    confirmed_by="The trace compares the routes and pods that the objects declare with those that Envoy's admin "
    "interface shows, and reads the state of Contour's pods.",
    remedy="`kubectl --namespace projectcontour scale deployment/contour --replicas 1`, or `rollout restart` if it "
    "runs.",
    references=("https://projectcontour.io/docs/1.33/architecture/",),
    yields_to=("T21", "T22", "T37", "T49", "T76", "T77", "RP05"),
)

not_trusted = Code(
    code="T21",
    hop=HopName.ROUTE,
    title="Envoy and Contour do not trust each other",
    symptom="A change of an Ingress has no effect, or Envoy never becomes ready, although all pods run.",
    cause="Envoy and Contour authenticate each other with the certificates of the Secrets `contourcert` and "
    "`envoycert`. A certificate that has expired, is missing or was signed by another authority ends the connection "
    "or prevents a pod from starting.",
    confirmed_by="The trace reads the expiry dates and authorities of the public certificates, the names of the "
    "Secrets, Envoy's stat `control_plane.connected_state` or its readiness, and the logs of both, while Contour "
    "runs.",
    remedy="Delete both Secrets and run Contour's certgen Job again, then restart Contour and Envoy.",
    references=("https://projectcontour.io/docs/1.33/grpc-tls-howto/",),
)


def _envoy_down(view: PathFacts) -> Iterator[Finding]:
    answered = any(view.through_envoy(place) for place in THROUGH_ENVOY)
    if not view.sees("Pod") or answered:
        return
    living = [pod for pod in view.envoy_pods if not trouble(view, pod)]
    here = view.envoys_on(view.publishing) if view.publishing else view.envoy_pods
    if any(pod in living for pod in here) or (living and not here):
        return
    for pod in here or view.envoy_pods:
        problem = trouble(view, pod)
        if problem and problem.reason != "Terminating":
            yield _down(view, pod, problem)
            return
    yield from _no_envoy(view)


def _down(view: PathFacts, pod: Mapping[str, JSON], problem: Trouble) -> Finding:
    who = identity(pod)
    words: tuple[str, ...] = ("describe", "pod", who.name)
    if not problem.image and problem.exit_code is not None:
        words = ("logs", who.name, "--container", str(problem.container), "--previous")
    look = kubectl(view, *words, namespace=who.namespace)
    undo = kubectl(view, "rollout", "undo", slug(view.envoy_workload), namespace=view.home)
    remedy = mend(view, view.envoy_workload, undo)
    evidence = [f"{who}: {problem}", *events(view, pod)[-2:], *last_line(view, pod, problem.container)]
    return envoy_down.finding(who, f"Envoy's pod does not run: {problem}.", remedy, evidence, look=look)


def _no_envoy(view: PathFacts) -> Iterator[Finding]:
    workload = view.get(view.envoy_workload.kind, view.home, view.envoy_workload.name)
    if workload is None:
        known = view.planned or view.installed
        if known and view.sees("DaemonSet") and view.sees("Deployment"):
            remedy = mend(view, view.envoy_workload, _install(view))
            yield envoy_down.finding(view.envoy_workload, "There is no Envoy in the cluster.", remedy)
        return
    who, selector = identity(workload), as_template(workload).node_selector
    shown = ", ".join(f"{key}={value}" for key, value in sorted(selector.items()))
    evidence = [f"{who} needs {deployments.scheduled_nodes(workload)} pods, nodeSelector {shown or 'none'}"]
    if shown:
        removal = {"op": "remove", "path": "/spec/template/spec/nodeSelector"}
        remedy = patched(view, who, removal)
        yield envoy_down.finding(who, f"No node carries {shown}, so Envoy has no pod.", remedy, evidence)
    else:
        remedy = kubectl(view, "rollout", "restart", f"{who.kind.lower()}/{who.name}", namespace=who.namespace)
        yield envoy_down.finding(who, "Envoy has no pod.", remedy, evidence)


def _install(view: PathFacts) -> str:
    return kubectl(view, "apply", "--filename", "https://projectcontour.io/quickstart/contour.yaml")


# What Contour gives


def _not_delivered(view: PathFacts) -> Iterator[Finding]:
    runs = contour_runs(view)
    if runs is None:
        return
    difference = stale(view)
    if runs:
        # It may be about to tell: only a request that suffers shows that it doesn't.
        if difference and view.well is False:
            remedy = kubectl(view, "rollout", "restart", slug(view.contour), namespace=view.home)
            evidence = (difference, *contour_said(view, "level=error"))
            # No restart brings back an Ingress.
            gone = [planned_ingress(view)] if planned_ingress_missing(view) else []
            message = f"Contour runs, but {difference}."
            yield not_delivered.finding(view.contour, message, remedy, evidence, about=filter(None, gone))
        return
    pods = contour_pods(view)
    problems = [(pod, trouble(view, pod)) for pod in pods]
    why = next((f"{identity(pod)}: {problem}" for pod, problem in problems if problem), "") or (
        "its pod is not ready" if pods else "it has no pod"
    )
    replicas = deployments.replicas(view.get("Deployment", view.home, view.contour.name))
    words = (
        ("scale", slug(view.contour), "--replicas", "1") if replicas == 0 else ("rollout", "undo", slug(view.contour))
    )
    remedy = mend(view, view.contour, kubectl(view, *words, namespace=view.home))
    shown = [
        f"{view.contour} declares {replicas if replicas is not None else 'an unknown number of'} replicas: {why}",
        *([difference] if difference else []),
        *(line for pod in pods for line in (*events(view, pod)[-1:], *last_line(view, pod))),
    ]
    suffers = difference is not None or (view.well is False and _waits(view))
    said = f"Contour does not run, and {difference or 'Envoy gets no changes'}."
    yield not_delivered.finding(view.contour, said, remedy, shown, stops=suffers, about=map(identity, pods))


def _waits(view: PathFacts) -> bool:
    """Whether Envoy runs and never received its listeners: it is not ready until then."""
    return any(objects.ready(pod) is False and not trouble(view, pod) for pod in view.envoy_pods)


# Trust


def _not_trusted(view: PathFacts) -> Iterator[Finding]:
    found = distrust(view)
    if found is None:
        return
    who, message, evidence, suffers = found
    delete, read, write, restart = (
        kubectl(view, *words, namespace=view.home)
        for words in (
            ("delete", "secret", *CERTIFICATES, "--ignore-not-found"),
            ("get", "job", "--selector", "app=contour-certgen", "--output", "json"),
            ("replace", "--force", "--filename", "-"),
            ("rollout", "restart", slug(view.contour), slug(view.envoy_workload)),
        )
    )
    remedy = f"{delete} && {read} | {write} && {restart}"
    waiting = [identity(pod) for pod in (*contour_pods(view), *view.envoy_pods) if misses_secret(view, pod)]
    yield not_trusted.finding(who, message, remedy, evidence, stops=suffers, about=[view.contour, *waiting])


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (_envoy_down, _not_delivered, _not_trusted)
