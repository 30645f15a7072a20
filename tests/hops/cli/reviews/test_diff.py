"""`hops diff`: stacks, plans and folders."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hops.model.plan import plan
from hops.model.settings.stack_config import settings
from tests.conftest import PROJECT
from tests.engine.conftest import DOCKER

POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: apps}}
spec:
  automountServiceAccountToken: false
  containers: [{{name: web, image: web, ports: [{{containerPort: 81{more}}}]}}]
"""


def run(*words: object) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the SDK leaves its stack and its loops behind in the one that plans."""
    program = [sys.executable, "-c", "from hops.cli.app import app; app()", *map(str, words)]
    return subprocess.run(program, capture_output=True, text=True, check=False)


def hops(*words: object) -> subprocess.CompletedProcess[str]:
    return run("diff", *words)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name, more in (("healthy", ""), ("broken", ", hostPort: 81")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pod.yaml").write_text(POD.format(more=more))
    return tmp_path / "healthy", tmp_path / "broken"


@pytest.fixture
def stacks(manifests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The committed stacks, on a machine whose Docker publishes nothing."""
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(docker.parent), prepend=os.pathsep)
    monkeypatch.setenv("INGRESS_HOPS_MANIFESTS", str(manifests))
    monkeypatch.chdir(PROJECT)


def test_findings_that_appear_and_that_go(folders: tuple[Path, Path]) -> None:
    healthy, broken = folders
    more, gone, same = hops(healthy, broken), hops(broken, healthy), hops(broken, broken)
    assert (more.returncode, gone.returncode, same.returncode) == (1, 1, 0)
    assert "+ mandatory: HP01 Pod/apps/web: container web uses hostPort 81/TCP" in more.stdout
    assert "- mandatory: HP01 Pod/apps/web: container web uses hostPort 81/TCP" in gone.stdout
    assert more.stdout.endswith("Hops that change: 0. Findings that appear: 3, that go: 0, on both sides: 0.\n")
    assert same.stdout == "Hops that change: 0. Findings that appear: 0, that go: 0, on both sides: 3.\n"


@pytest.mark.usefixtures("stacks")
def test_hops_of_two_stacks(tmp_path: Path) -> None:
    result = hops("local", "ci")
    assert result.returncode == 1
    assert "apps/my-service 2 port-mapping" in result.stdout
    assert "  - docker ingress-hops-local-worker, 127.0.0.1:8080 → ingress-hops-local-worker:80" in result.stdout
    assert "  + docker ingress-hops-ci-worker, 127.0.0.1:8081 → ingress-hops-ci-worker:80" in result.stdout
    assert hops("ci", PROJECT / "stacks" / "Pulumi.ci.yaml").returncode == 0
    changed = tmp_path / "stacks" / "Pulumi.ci.yaml"
    changed.parent.mkdir()
    text = (PROJECT / "stacks" / "Pulumi.ci.yaml").read_text()
    changed.write_text(text.replace("httpPort: 8081", "httpPort: 8081\n    listenAddress: 0.0.0.0"))
    found = json.loads(hops("ci", changed, "--format", "json").stdout)
    assert [(one["after"]["number"], one["after"]["address"]) for one in found["hops"]] == [
        (2, "0.0.0.0"),
        (11, "0.0.0.0"),
    ]
    assert [finding["code"] for finding in found["findings"]["adds"]] == ["KN05"]
    markdown = hops("ci", changed, "--format", "markdown").stdout
    assert "- **mandatory** **KN05**" in markdown
    assert "| 2 | `port-mapping` | `docker ingress-hops-ci-worker, 127.0.0.1:8081" in markdown


def test_a_service_that_one_side_lacks_is_one_line(tmp_path: Path) -> None:
    for name, services in (("one", [{}]), ("two", [{}, {"name": "web"}])):
        paths = plan(settings("alice", {"services": services})).paths
        hops_ = [dataclasses.asdict(hop) for path in paths for hop in path.hops]
        (tmp_path / f"{name}.json").write_text(json.dumps({"hops": hops_, "findings": []}, default=str))
    reported = [
        hops(tmp_path / f"{a}.json", tmp_path / f"{b}.json").stdout.splitlines()
        for a, b in (("one", "two"), ("two", "one"))
    ]
    ends = "web.localhost:80 → 127.0.0.1:80 to pod apps/web-pod, address not known yet:8080"
    assert reported[0][:-1] == [f"+ apps/web: all 12 hops, from resolver of the host machine, {ends}"]
    assert reported[1][:-1] == [f"- {reported[0][0][2:]}"]
    file = tmp_path / "two.json"
    whole = json.loads(file.read_text())
    # As of a redirect: the path itself is on both sides.
    whole["hops"] = [hop for hop in whole["hops"] if (hop["service"], hop["number"]) != ("apps/web", 6)]
    (tmp_path / "less.json").write_text(json.dumps(whole))
    lost = hops(file, tmp_path / "less.json").stdout.splitlines()
    assert (lost[0], lost[1].startswith("  - calico "), len(lost)) == ("apps/web 6 endpoint", True, 3)


@pytest.mark.usefixtures("stacks")
def test_a_plan_is_the_same_as_its_stack_and_its_manifests(tmp_path: Path) -> None:
    folder, plan = tmp_path / "manifests", tmp_path / "plan.json"
    words = ["plan", "local", "--manifests", str(folder), "--format", "json"]
    plan.write_text(run(*words).stdout)
    assert hops("local", plan).returncode == 0
    assert hops(plan, folder).returncode == 0
    open_ = tmp_path / "seed.json"
    open_.write_text(run("plan", "seed", *words[2:]).stdout)
    found = json.loads(hops(plan, open_, "--format", "json").stdout)
    assert {finding["code"] for finding in found["findings"]["adds"]} == {"EX01", "EX07", "IN14", "KN05", "TL05"}
    assert hops("seed", open_).returncode == 0


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("plan.json", "[]", "it is no plan; write one with: hops plan STACK --format json"),
        ("plan.json", "{", "Expecting property name"),
        ("plan.json", '{"hops": [], "findings": [{"code": "HP01"}]}', "it contains a finding that hops did not write"),
        ("plan.json", '{"hops": [], "findings": [1]}', "it contains a finding that hops did not write"),
        (
            "plan.json",
            '{"hops": [], "findings": [], "leftOut": ["all objects of calico: no network"]}',
            "it is an incomplete plan: all objects of calico: no network",
        ),
        ("pod.txt", "", "it is neither a stack, a plan nor manifests; name a stack, a stack file Pulumi.NAME.yaml, "),
        ("pod.yaml", "[", "pod.yaml:2:1: "),
        ("Pulumi.it.yaml", "config: {ingress-hops:cluster: {httpPort: 0}}", "ingress-hops:cluster.httpPort is 0"),
    ],
)
def test_a_side_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    (tmp_path / "sound.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\n")
    result = hops(tmp_path / "sound.yaml", tmp_path / name)
    assert result.returncode == 2
    assert said in result.stderr
    assert result.stderr.startswith(f"hops: {tmp_path / name}: ")


@pytest.mark.usefixtures("stacks")
def test_a_stack_that_nobody_has_is_named() -> None:
    result = hops("local", "loca")
    assert (result.returncode, result.stderr) == (
        2,
        (
            "hops: loca: there is no stack loca; did you mean local? The stacks here are: ci, local, seed. "
            "Make one with: .venv/bin/hops stack new loca\n"
        ),
    )


def test_a_stack_that_is_planned_in_part_is_no_side(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("INGRESS_HOPS_MANIFESTS", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    result = hops("local", "ci")
    assert result.returncode == 2
    assert "hops: local: its plan is incomplete: all objects of calico" in result.stderr
