"""Published examples of other projects, each file checked alone; prints the part of docs/agreement.md about them.

`python -m tests.agreement.published FOLDER`: FOLDER has a folder for each name of COLLECTIONS.
"""

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hops.cli.check import CheckSession
from hops.cli.manifests import read
from hops.rules.catalogue import RULES

COLLECTIONS = {
    "contour": "[Contour](https://github.com/projectcontour/contour) 31c4bb38e, `examples`",
    "gateway-api": "[Gateway API](https://github.com/kubernetes-sigs/gateway-api) 4564255ac, `examples`",
    "kind": "[kind](https://github.com/kubernetes-sigs/kind) fed26882, `site/static/examples`, "
    "`site/content/docs/user`",
    "kubernetes-docs": "[Kubernetes' documentation](https://github.com/kubernetes/website) 2d6d22ddec, "
    "`content/en/examples`",
    "microservices-demo": "[Online Boutique](https://github.com/GoogleCloudPlatform/microservices-demo) 34ffea917, "
    "`release`",
    "voting-app": "[Example Voting App](https://github.com/dockersamples/example-voting-app) 63e9150, "
    "`k8s-specifications`",
    "argo-cd": "[Argo CD](https://github.com/argoproj/argo-cd) 37ee0097cf, `manifests/*.yaml`, `manifests/ha/*.yaml`",
    "cert-manager": "[cert-manager's tutorials](https://github.com/cert-manager/website), `content/docs/tutorials`",
    "kubernetes-examples": "[Kubernetes' examples](https://github.com/kubernetes/examples) 279e8e4f, `AI`, "
    "`databases`, `web`",
}
ABSENT = frozenset({"IN01", "RP04", "SV01", "TL04"})
"""Rules about an object that is not declared. An example often names one that it does not contain."""
POLICY = frozenset(
    {
        *("EX01", "EX02", "EX03", "EX04", "EX05", "EX06", "EX07", "HP01", "HP02", "HP03", "HP04", "HP08", "HP09"),
        *("HP10", "IN03", "IN04", "IN07", "IN11", "IN12", "KN05", "KN08", "PK02", "RP07", "RP08", "SV03", "SV06"),
        *("SV07", "TL02"),
    }
)
"""Rules that require more than the API server, or that Contour is the controller."""


@dataclass(frozen=True)
class Counted:
    """The findings of one collection.

    files, quiet: the number of files, and of those without a finding.
    absent, policy: the findings of the rules ABSENT and POLICY.
    others: the other findings, each with its file.
    """

    files: int
    quiet: int
    absent: int
    policy: Counter[str]
    others: list[str]


def counted(files: Iterable[Path], root: Path) -> Counted:
    """Checks each file alone."""
    number = quiet = absent = 0
    policy: Counter[str] = Counter()
    others: list[str] = []
    for file in sorted(files):
        manifests = read([str(file)])
        findings = CheckSession([], None, manifests, list(RULES.values())).findings(manifests)
        number, quiet = number + 1, quiet + (not findings and not manifests.unread)
        others += [str(unread).replace(f"{root}/", "") for unread in manifests.unread]
        for finding in findings:
            if finding.code in POLICY:
                policy[finding.code] += 1
            elif finding.code in ABSENT or "is not declared in namespace" in finding.message:
                absent += 1
            else:
                others.append(f"{file.relative_to(root)}: {finding.code} {finding.resource}: {finding.message}")
    return Counted(number, quiet, absent, policy, others)


def part(folder: Path) -> str:
    """The part of the page, as Markdown."""
    rows, others = [], []
    for name, source in COLLECTIONS.items():
        root = folder / name
        one = counted([path for path in root.rglob("*") if path.suffix in (".yaml", ".yml")], root)
        policy = ", ".join(f"{code} {count}" for code, count in sorted(one.policy.items()))
        rows.append(f"| {source} | {one.files} | {one.quiet} | {one.absent} | {policy} | {len(one.others)} |")
        others += [f"- {name}/{other}" for other in one.others]
    return "\n".join([*rows, "", *others])


if __name__ == "__main__":
    sys.stdout.write(part(Path(sys.argv[1])) + "\n")
