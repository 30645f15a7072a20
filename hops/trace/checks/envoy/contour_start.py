"""What can break: hop 4, Contour's own rights and configuration, without which Envoy gets no configuration."""

import re
from collections.abc import Callable, Iterator

from hops.model.finding import Finding
from hops.model.hop import HopName
from hops.trace.code import Code
from hops.trace.facts.envoy_drift import contour_pods, contour_runs, stale
from hops.trace.facts.path_facts import PathFacts, identity
from hops.trace.facts.pod_states import trouble
from hops.trace.facts.remedies import kubectl, mend

forbidden = Code(
    code="T76",
    hop=HopName.ROUTE,
    title="Contour has no permission to read the objects that it needs",
    symptom="A change of an Ingress has no effect. After a restart of Contour, Envoy never becomes ready.",
    cause="The ClusterRole of Contour, or its binding to Contour's service account, is missing or lacks a kind. A "
    "running Contour notices only when it lists the objects anew.",
    confirmed_by="Contour's log quotes the API: `is forbidden: User … cannot list resource`.",
    remedy="Restore Contour's ClusterRole and ClusterRoleBinding from its published manifest.",
    references=(
        "https://projectcontour.io/docs/1.33/troubleshooting/",
        "https://kubernetes.io/docs/reference/access-authn-authz/rbac/",
    ),
)
misconfigured = Code(
    code="T77",
    hop=HopName.ROUTE,
    title="Contour does not accept its configuration",
    symptom="A change of an Ingress has no effect. Contour's pod crashes as soon as it starts.",
    cause="The ConfigMap `contour`, the ContourConfiguration or a flag of Contour's Deployment has a value that "
    "Contour does not know. A running Contour reads its configuration only when it starts.",
    confirmed_by="Contour's container ended with an error, and its log names the configuration file, a field or a "
    "flag.",
    remedy="Correct the field that the log names, and restart Contour.",
    references=("https://projectcontour.io/docs/1.33/configuration/",),
)

_FORBIDDEN = re.compile(
    r'is forbidden: User \\*"(system:serviceaccount:[^"\\]+)\\*" cannot (\w+) resource \\*"([\w./-]+)\\*"'
)
_CONFIGURATION = re.compile(
    r"parse configuration|parsing config|unmarshal|invalid (?:contour )?config|unknown (?:long|short) flag|yaml: |"
    r"invalid .*configuration",
    re.IGNORECASE,
)


def _lines(view: PathFacts) -> Iterator[str]:
    """The lines of the logs of Contour's pods."""
    logs = view.observation.cluster.logs if view.observation.cluster else {}
    for pod in contour_pods(view):
        who = identity(pod)
        for key, log in sorted(logs.items()):
            if key.startswith(f"{who.namespace}/{who.name}/"):
                yield from log.splitlines()


def _suffers(view: PathFacts) -> bool:
    """Whether Contour does not run, or the request fails since Envoy lacks what the objects want."""
    runs = contour_runs(view)
    return runs is False or (runs is True and view.well is False and stale(view) is not None)


def _forbidden(view: PathFacts) -> Iterator[Finding]:
    if not _suffers(view):
        return
    denials = [(found, line) for line in _lines(view) if (found := _FORBIDDEN.search(line))]
    if not denials:
        return
    user, kinds = denials[-1][0][1], sorted({found[3] for found, _ in denials})
    verbs = sorted({found[2] for found, _ in denials})
    look = kubectl(view, "auth", "can-i", "--list", "--as", user)
    remedy = mend(view, view.contour, "")
    evidence = [f"Contour's log: {denials[-1][1].strip()[:400]}"]
    message = f"The API forbids {user} to {' or '.join(verbs)} {', '.join(kinds)}."
    about = [identity(pod) for pod in contour_pods(view)]
    stops = view.well is False
    yield forbidden.finding(view.contour, message, remedy, evidence, stops=stops, look=look, about=about)


def _misconfigured(view: PathFacts) -> Iterator[Finding]:
    if contour_runs(view) is not False:
        return
    ended = [pod for pod in contour_pods(view) if (why := trouble(view, pod)) and why.exit_code]
    line = next((one for one in reversed(list(_lines(view))) if _CONFIGURATION.search(one)), None)
    if not ended or line is None:
        return
    look = kubectl(view, "get", "configmap", "contour", "--output", "yaml", namespace=view.home)
    edit = kubectl(view, "edit", "configmap", "contour", namespace=view.home)
    if "flag" in line:
        edit = kubectl(view, "edit", "deployment", view.contour.name, namespace=view.home)
    remedy = mend(view, view.contour, edit)
    evidence = [f"{identity(ended[0])}: {trouble(view, ended[0])}", f"Contour's log: {line.strip()[:400]}"]
    message = f"Contour exits while it reads its configuration: {line.strip()[:200]}"
    about = [identity(pod) for pod in contour_pods(view)]
    stops = view.well is False
    yield misconfigured.finding(view.contour, message, remedy, evidence, stops=stops, look=look, about=about)


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (_forbidden, _misconfigured)
