"""Other projects' test data with the verdicts that they expect, asked of our rules.

Each check of theirs is held against the rules that ask the same, under a configuration that states its policy. Run as a
module it writes the table of the docs.
"""

import copy
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.values import at
from hops.model.finding import Finding, Place
from hops.rules.catalogue import RULES
from hops.rules.configuration import configure, read
from hops.rules.files.documents import documents
from hops.rules.judge import judge
from hops.rules.patches import patched

FOLDER = Path(os.environ.get("INGRESS_HOPS_CORPORA", "/nonexistent"))
PAGE = Path(__file__).parents[2] / "docs" / "agreement.md"
COMMAND = "INGRESS_HOPS_CORPORA=FOLDER python -m tests.agreement.corpora"

_NO_PORTS: Mapping[str, Any] = {"HP01": {"parameters": {"allowed": []}}}
_ALL_HOSTS: Mapping[str, Any] = {"TL01": {"parameters": {"hosts": ["*"]}}}


def exposed(bodies: list[Any]) -> list[Any]:
    """Every pod with a hostPort: the other tools ask of all pods what our rule asks of those that are reached."""
    found = copy.deepcopy(bodies)
    for body in found:
        for keys in ((), ("spec", "template"), ("spec", "jobTemplate", "spec", "template")):
            containers = at(body, *keys, "spec", "containers")
            if containers:
                containers[0]["ports"] = [{"containerPort": 8080, "hostPort": 8080}]
    return found


def inhabited(bodies: list[Any]) -> list[Any]:
    """Every namespace with a pod: our rule asks nothing of an empty one."""
    names = [body["metadata"]["name"] for body in bodies if at(body, "kind") == "Namespace"]
    pods = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "it", "namespace": name}} for name in names]
    return [*bodies, *pods]


@dataclass(frozen=True)
class Check:
    """A check of theirs and the rules that ask the same.

    rules: what the configuration says. about: where in an object, as a pattern of the path: rules of ours ask more.
    given: what is added to the objects, so that both are asked the same.
    """

    codes: tuple[str, ...]
    rules: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""
    given: Callable[[list[Any]], list[Any]] = list


CORPORA: Mapping[str, tuple[str, str]] = {
    "kube-linter": (
        "[stackrox/kube-linter](https://github.com/stackrox/kube-linter) 35de568, `tests/checks`",
        "a check: the number of reported objects per kind in its file",
    ),
    "polaris": (
        "[FairwindsOps/polaris](https://github.com/FairwindsOps/polaris) c0e23a23, `test/checks`",
        "a file: it passes or fails; `mutated` is a failing file after our patch",
    ),
    "regolibrary": (
        "[kubescape/regolibrary](https://github.com/kubescape/regolibrary) ce7ef32a, `rules/*/test`",
        "a folder: the reported objects",
    ),
}
"""Source of each corpus, and its unit of comparison."""

PROBE = "Probe"
CHECKS: Mapping[str, Mapping[str, Check]] = {
    "kube-linter": {
        "dangling-ingress": Check(("IN01", "IN02")),
        "dangling-service": Check(("SV01",)),
        "exposed-services": Check(("SV03",)),
        "host-network": Check(("HP03",)),
        "invalid-target-ports": Check(("AP04", "SV07"), about="/(name|targetPort)$"),
        "liveness-port": Check(("SV07",), about=PROBE),
        "mismatching-selector": Check(("SV08",)),
        "privileged-ports": Check(("HP10",)),
        "readiness-port": Check(("SV07",), about=PROBE),
        "ssh-port": Check(("HP10",)),
        "startup-port": Check(("SV07",), about=PROBE),
    },
    "polaris": {
        "automountServiceAccountToken": Check(("EX02",), given=exposed),
        "hostNetworkSet": Check(("HP03",)),
        "hostPortSet": Check(("HP01",), _NO_PORTS),
        "tlsSettingsMissing": Check(("TL01",), _ALL_HOSTS),
    },
    "regolibrary": {
        "automount-service-account": Check(("EX02",), given=exposed),
        "container-hostPort": Check(("HP01",), _NO_PORTS),
        "dangling-gateway-backend": Check(("IN01",)),
        "dangling-ingress-backend": Check(("IN01",)),
        "host-network-access": Check(("HP03",)),
        "ingress-in-default-namespace": Check(("EX07",)),
        "ingress-no-tls": Check(("TL01",), _ALL_HOSTS),
        "mismatching-selector": Check(("SV08",)),
        "pod-security-admission-baseline-applied-1": Check(("KN08",), given=inhabited),
        "service-in-default-namespace": Check(("EX07",)),
        "service-with-no-workload": Check(("SV01",)),
    },
}

NOT_ASKED: Mapping[str, Mapping[str, str]] = {
    "kube-linter": {
        "default-service-account": "our rules do not check the service account of a pod, only its token (EX02)",
        "non-existent-service-account": "our rules do not check ServiceAccounts",
        "non-isolated-pod": "their check accepts any NetworkPolicy; EX05 requires admission of the controller only",
        "sensitive-host-mounts": "EX03 checks only mounts below a served folder",
    },
    "polaris": {
        "hostPathSet": "EX03 checks only mounts below a served folder",
        "missingNetworkPolicy": "their check requires ingress and egress rules; EX05 checks only ingress",
    },
    "regolibrary": {
        "exposed-sensitive-interfaces-v1": "their check identifies products by name, EX06 ports by number and name",
        "exposure-to-internet-via-gateway-api": "their check lists exposed workloads; our rules allow exposure",
        "ingress-and-egress-blocked": "their check requires both directions and reads Cilium policies",
        "non-existent-service-account": "our rules do not check ServiceAccounts",
        "psp-deny-hostnetwork": "Kubernetes 1.25 removed PodSecurityPolicy",
        "serviceaccount-token-mount": "their check reads the permissions of the account; EX02 does not read RBAC",
        "unauthenticated-service": "their check reads the results of a network scan",
    },
}

REASONS: Mapping[str, str] = {
    "kube-linter/privileged-ports": "The container may be root, and root can listen on port 80. HP10 applies if "
    "runAsNonRoot or runAsUser exclude root and the runtime lets only root listen on low ports (`lowPorts: root`).",
}
"""Reasons for different verdicts, by corpus/check or corpus/check/case."""


@dataclass(frozen=True)
class Answer:
    """One case. expected, given: what they and we say, in a form that can be compared."""

    corpus: str
    check: str
    case: str
    expected: str
    given: str

    @property
    def agrees(self) -> bool:
        return self.expected == self.given

    @property
    def name(self) -> str:
        return f"{self.corpus}/{self.check}" + (f"/{self.case}" if self.case else "")


def answers() -> list[Answer]:
    """What all corpora and our rules say, in a fixed order."""
    return [*_kube_linter(), *_polaris(), *_regolibrary()]


def _found(check: Check, files: Iterable[Path]) -> list[Finding]:
    bodies = [body for file in sorted(files) for body in documents(file.read_text()) if isinstance(body, dict)]
    return _judged(check, check.given(bodies))


def _judged(check: Check, bodies: list[Any]) -> list[Finding]:
    inventory = Inventory([(body, Place("case", i)) for i, body in enumerate(bodies)], today=date(2026, 6, 1))
    found = judge(inventory, configure(read({"rules": check.rules})), [RULES[code] for code in check.codes])
    return [finding for finding in found if re.search(check.about, finding.path)]


def _counted(kinds: Iterable[str]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in sorted(Counter(kinds).items())) or "nothing"


def _kube_linter() -> Iterator[Answer]:
    """A case is a check: it has one file and says how many findings of which kinds."""
    folder = FOLDER / "kube-linter"
    for name, reported in json.loads((folder / "expected.json").read_text()).items():
        if check := CHECKS["kube-linter"].get(name):
            found = _found(check, [folder / reported["file"]])
            expected, given = reported["messages"], [finding.resource.kind for finding in found]
            if expected:
                yield Answer("kube-linter", name, "", _counted(m.split(":")[0] for m in expected), _counted(given))
            else:
                yield Answer("kube-linter", name, "", str(reported["findings"]), str(len(given)))


def _polaris() -> Iterator[Answer]:
    """A case is a file: it fails or it doesn't, and `mutated` is what mends the failure."""
    for name, check in CHECKS["polaris"].items():
        folder = FOLDER / "polaris" / name
        for file in sorted(folder.iterdir()):
            if file.name.startswith("mutated"):
                (body,) = documents((folder / "failure.yaml").read_text())
                mended = _mended(check, body)
                yield Answer(
                    "polaris",
                    name,
                    file.stem,
                    "mended",
                    "mended" if [mended] == documents(file.read_text()) else "other",
                )
            else:
                expected = "fails" if file.name.startswith("failure") else "passes"
                yield Answer("polaris", name, file.stem, expected, "fails" if _found(check, [file]) else "passes")


def _mended(check: Check, body: Any) -> Any:
    while patch := next((finding.patch for finding in _judged(check, [body]) if finding.patch), None):
        body = patched(body, patch.operations)
    return body


def _regolibrary() -> Iterator[Answer]:
    """A case is a folder: which objects are named."""
    for name, check in CHECKS["regolibrary"].items():
        for case in sorted((FOLDER / "regolibrary" / name).iterdir()):
            alerts = json.loads((case / "expected.json").read_text())
            objects = [o for alert in alerts for o in alert["alertObject"]["k8sApiObjects"]]
            expected = {f"{o['kind']}/{o['metadata']['name']}" for o in objects}
            given = {f"{f.resource.kind}/{f.resource.name}" for f in _found(check, (case / "input").iterdir())}
            said = [", ".join(sorted(names)) or "nothing" for names in (expected, given)]
            yield Answer("regolibrary", name, case.name, *said)


def reason(answer: Answer) -> str | None:
    return REASONS.get(answer.name) or REASONS.get(f"{answer.corpus}/{answer.check}")


_ABOUT = (
    "This page compares the rules with the test data and expected verdicts of other projects. Each check runs under a "
    "configuration that expresses its policy. This repository contains none of their files. The command "
    f"`{COMMAND}` generates this page, and a test compares it."
)
_ADDED = (
    "For EX02, which checks only exposed pods, the comparison adds a hostPort to every pod. For KN08, which skips "
    "empty namespaces, it adds a pod to every namespace."
)


def _score(found: Iterable[Answer]) -> str:
    agreeing = [answer.agrees for answer in found]
    return f"{len(agreeing)} | {sum(agreeing)}"


def page(found: Iterable[Answer]) -> str:
    """The Markdown page of the comparison."""
    all_ = list(found)
    lines = [
        "# Agreement with other tools",
        "",
        _ABOUT,
        "",
        "| corpus | from | a case is | cases | agree |",
        "|---|---|---|---:|---:|",
    ]
    for corpus, (source, case) in CORPORA.items():
        lines.append(f"| {corpus} | {source} | {case} | {_score(a for a in all_ if a.corpus == corpus)} |")
    lines += [
        f"| all | | | {_score(all_)} |",
        "",
        "## By check",
        "",
        "| corpus | check | our rules | cases | agree |",
        "|---|---|---|---:|---:|",
    ]
    for corpus, checks in CHECKS.items():
        for name, check in checks.items():
            score = _score(answer for answer in all_ if (answer.corpus, answer.check) == (corpus, name))
            links = ", ".join(f"[{code}](rules/{code}.md)" for code in check.codes)
            lines.append(f"| {corpus} | {name} | {links} | {score} |")
    lines += ["", "## Different verdicts", "", "| case | expected | ours | reason |", "|---|---|---|---|"]
    lines += [f"| {a.name} | {a.expected} | {a.given} | {reason(a)} |" for a in all_ if not a.agrees]
    lines += ["", "## Checks without a counterpart", "", "| corpus | check | reason |", "|---|---|---|"]
    lines += [f"| {corpus} | {name} | {why} |" for corpus, checks in NOT_ASKED.items() for name, why in checks.items()]
    lines += [
        "",
        _ADDED,
    ]
    return "\n".join(lines) + "\n"


PUBLISHED = "\n## Published examples\n"
"""The beginning of the part of the page that `tests.agreement.published` counts."""

if __name__ == "__main__":
    PAGE.write_text(page(answers()) + "".join(PAGE.read_text().partition(PUBLISHED)[1:]))
