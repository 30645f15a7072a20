"""Findings stand on the line of the setting that they come from, or of the call that declares the object."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from hops.cli.reviews.report import sources
from hops.model.finding import Finding, Identity, Level, Patch, Place, Severity
from hops.pull_requests.events import Preview, PreviewedResource, read
from hops.pull_requests.origin import located
from tests.conftest import PROJECT
from tests.recordings.record import recorded, stack_file

FILE = "stacks/Pulumi.ci.yaml"
STACK = """\
config:
  # A remark.
  ingress-hops:cluster:
    httpPort: 8081
    httpsPort: 8443
    podSubnet: 10.4.0.0/16
    alsoPublish:
      - worker: 3
        httpPort: 8082
  ingress-hops:services:
    - name: other
    - name: my-service
      namespace: apps
      pod: example-pod
      ingress: edge
      command: [python, -m, http.server]
      host: a.localhost
      tls: secret
  ingress-hops:policy:
    rules:
      HP01: {level: advisory}
"""
CONFIG = {
    "cluster": {"alsoPublish": [{"worker": 3, "httpPort": 8082}]},
    "services": [{"name": "other"}, {"name": "my-service", "ingress": "edge"}],
}


def finding(kind: str, path: str, urn: str | None, patches: Iterable[str] = ()) -> Finding:
    resource = Identity("v1", kind, "apps", "it")
    operations = tuple({"op": "add", "path": patched, "value": 1} for patched in patches)
    patch = Patch(resource, Place(urn=urn), operations) if operations else None
    return Finding("HP01", Level.MANDATORY, Severity.LOW, None, resource, Place(urn=urn), path, "", "", patch)


def line(
    declares: tuple[str, str, str], path: str, patches: Iterable[str] = (), *, stack: str = STACK
) -> tuple[str, int | None]:
    """File and line. declares: component, its name, kind."""
    component, parent, kind = declares
    declared = PreviewedResource("urn", f"kubernetes:core/v1:{kind}", "it", "create", component, parent, {})
    preview = Preview("ci", CONFIG, {"urn": declared}, (), (finding(kind, path, "urn", patches),), {}, (), None, 0)
    (found,) = located(preview, FILE, {**sources(PROJECT), FILE: stack})
    return found.file, found.line


@pytest.mark.parametrize(
    ("declares", "path", "text"),
    [
        (("KindCluster", "cluster", "Cluster"), "/nodes/1/extraPortMappings/0", "httpPort: 8081"),
        (("KindCluster", "cluster", "Cluster"), "/nodes/1/extraPortMappings/1/hostPort", "httpsPort: 8443"),
        (("KindCluster", "cluster", "Cluster"), "/nodes/3/extraPortMappings/0/hostPort", "httpPort: 8082"),
        (("KindCluster", "cluster", "Cluster"), "/networking/podSubnet", "podSubnet: 10.4.0.0/16"),
        (("Contour", "contour", "DaemonSet"), "/spec/template/spec/containers/1/ports/1/hostPort", "httpsPort: 8443"),
        (("Workload", "my-service", "Pod"), "/metadata/namespace", "namespace: apps"),
        (("Workload", "my-service", "Pod"), "/spec/containers/0/command/2", "command: [python, -m, http.server]"),
        (("Workload", "my-service", "Service"), "/metadata/name", "- name: my-service"),
        (("Ingress", "edge", "Ingress"), "/spec/rules/0/host", "host: a.localhost"),
        (("Ingress", "edge", "Ingress"), "/spec/tls/0/secretName", "tls: secret"),
        # What isn't set stands in the entry that lacks it, or in its section.
        (("Workload", "my-service", "Pod"), "/spec/containers/0/image", "- name: my-service"),
        (("Workload", "other", "Pod"), "/spec/containers/0/command/0", "- name: other"),
        (("KindCluster", "cluster", "Cluster"), "/nodes/1/extraPortMappings/0/listenAddress", "ingress-hops:cluster:"),
    ],
)
def test_a_setting_has_its_line(declares: tuple[str, str, str], path: str, text: str) -> None:
    assert line(declares, path) == (FILE, 1 + [one.strip() for one in STACK.splitlines()].index(text))


@pytest.mark.parametrize(
    ("declares", "path", "file", "text"),
    [
        (("Workload", "my-service", "Pod"), "/spec/hostNetwork", "components/workload.py", "core.Pod("),
        (("Workload", "nobody", "Pod"), "/metadata/name", "components/workload.py", "core.Pod("),
        (("Workload", "my-service", "NetworkPolicy"), "", "components/workload.py", "networking.NetworkPolicy("),
        (("Ingress", "edge", "Ingress"), "/spec/rules", "components/ingress.py", "networking.Ingress("),
        (("Calico", "calico", "DaemonSet"), "/spec", "components/calico.py", "class Calico(pulumi.ComponentResource):"),
        (
            ("Contour", "contour", "DaemonSet"),
            "/spec/template/spec/hostNetwork",
            "components/contour.py",
            "class Contour(",
        ),
        (("", "ingress-hops-ci", "Namespace"), "/metadata/labels", "stacks/build.py", "kubernetes.core.v1.Namespace("),
    ],
)
def test_what_is_no_setting_has_its_components_line(
    declares: tuple[str, str, str], path: str, file: str, text: str
) -> None:
    found, number = line(declares, path)
    assert found == file
    assert number is not None
    assert text in (PROJECT / file).read_text().splitlines()[number - 1]


def test_a_setting_whose_section_is_not_written_is_the_components() -> None:
    path = "/nodes/1/extraPortMappings/0/listenAddress"
    file, number = line(("KindCluster", "cluster", "Cluster"), path, stack="config: {}\n")
    assert file == "components/cluster.py"
    assert number


def test_a_patch_says_better_where_it_is() -> None:
    command = ["/spec/containers/0/command/-", "/spec/containers/0/command/-"]
    assert line(("Workload", "my-service", "Pod"), "", command) == (FILE, 16)
    other = ["/spec/containers/0/command/-", "/spec/hostNetwork"]
    assert line(("Workload", "my-service", "Pod"), "/spec/hostNetwork", other)[0] == "components/workload.py"


def test_a_finding_about_the_policy_stands_in_it() -> None:
    preview = Preview("ci", {}, {}, (), (finding("Policy", "/rules/HP01/level", None),), {}, (), None, 0)
    (found,) = located(preview, FILE, {FILE: STACK})
    assert (found.file, found.line) == (FILE, 21)


@pytest.mark.parametrize(
    "stack", ["", "[", "a: *b", "- 1", "config: 1", "[" * 50_000, "a: &a [*a]", "\0", "config:\n\t- a"]
)
def test_any_stack_file_will_do(stack: str) -> None:
    path = "/nodes/1/extraPortMappings/0/listenAddress"
    assert line(("KindCluster", "cluster", "Cluster"), path, stack=stack)[0] == "components/cluster.py"


def test_without_sources_findings_still_have_a_file() -> None:
    (found,) = located(read(recorded("open")), FILE, {})
    assert (found.file, found.line) == (FILE, None)


def test_a_recorded_finding_is_on_its_line(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / FILE).write_text(stack_file("open"))
    (found,) = located(read(recorded("open")), FILE, sources(tmp_path))
    assert found.line
    assert "listenAddress" in stack_file("open").splitlines()[found.line - 1]
