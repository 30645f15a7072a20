"""What can break: beside the path, the names that pods look up."""

from collections.abc import Callable, Iterator

from hops.kubernetes.resources.deployments import replicas
from hops.model.finding import Finding, Identity, Level, Severity
from hops.trace.code import Code
from hops.trace.facts.path_facts import PathFacts, identity
from hops.trace.facts.pod_states import events, last_line, stranded, trouble
from hops.trace.facts.remedies import kubectl

no_dns = Code(
    code="T81",
    hop=None,
    title="The cluster's DNS does not answer",
    symptom="The request itself may be answered, because Envoy connects to pods by address. An app that looks up "
    "another service fails or answers 500, and Envoy does not find a Service of type ExternalName.",
    cause="CoreDNS has no ready pod: its Deployment is scaled to 0, its pods crash, often because of their "
    "Corefile, or no node can run them.",
    confirmed_by="The Service kube-dns has no ready endpoint. The finding is advisory, because no hop of the path "
    "uses DNS.",
    remedy="Scale the Deployment up, or correct what the log of its pods names.",
    level=Level.ADVISORY,
    severity=Severity.MEDIUM,
    references=("https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/",),
)
_NAMESPACE, _LABEL = "kube-system", {"k8s-app": "kube-dns"}


def _no_dns(view: PathFacts) -> Iterator[Finding]:
    service = view.get("Service", _NAMESPACE, "kube-dns")
    if service is None or not view.sees("EndpointSlice") or not view.sees("Pod"):
        return
    pods = list(view.labelled("Pod", _NAMESPACE, **_LABEL))
    if any(one.reached for one in view.endpoints(_NAMESPACE, "kube-dns")) or any(stranded(view, pod) for pod in pods):
        return
    who = next((identity(item) for item in view.labelled("Deployment", _NAMESPACE, **_LABEL)), None)
    who = who or Identity("apps/v1", "Deployment", _NAMESPACE, "coredns")
    declared = replicas(view.get("Deployment", _NAMESPACE, who.name))
    problems = [f"{identity(pod)}: {problem}" for pod in pods if (problem := trouble(view, pod))]
    evidence = ["Service kube-system/kube-dns has no ready endpoint", *problems]
    evidence += [line for pod in pods for line in (*events(view, pod)[-1:], *last_line(view, pod))]
    look = kubectl(view, "describe", "deployment", who.name, namespace=_NAMESPACE)
    words = ["scale", f"deployment/{who.name}", "--replicas", "2"]
    if declared:
        words = ["rollout", "restart", f"deployment/{who.name}"]
    why = "its Deployment has 0 replicas" if declared == 0 else next(iter(problems), "none of its pods is ready")
    message = f"No pod of {who.name} answers the cluster's look-ups: {why}."
    remedy = "" if problems else kubectl(view, *words, namespace=_NAMESPACE)
    yield no_dns.finding(who, message, remedy, evidence, look=look if not remedy else "")


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (_no_dns,)
