"""`hops plan`: the whole program without engine, cluster or Docker."""

import base64
import html
import json
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from hops.model.finding import label
from hops.observe.local.authority import certificates
from hops.rules.catalogue import RULES
from hops.rules.rule import Scope

Planned = tuple[int, dict[str, Any], str]
"""Status, what it prints as JSON, what it says on stderr."""
PROGRAM = (sys.executable, "-c", "from hops.cli.app import app; app()")
PINNED = {
    "advisory EX01 Pod/default/example-pod",
    "advisory EX07 Pod/default/example-pod",
    "advisory IN14 Ingress/default/example-ingress",
    "advisory KN05 Cluster/sam-test-cluster",
    "advisory TL05 DaemonSet/projectcontour/envoy",
}
"""What the documents do that they should not."""


def named(resource: dict[str, str]) -> str:
    return label(resource["kind"], resource["namespace"], resource["name"])


def hops_plan(stack: str, folder: Path, *more: str, project: Path | None = None, **environment: str) -> Planned:
    """A plan in a process of its own. PATH has no tool at all."""
    words = [*PROGRAM, "plan", stack, "--format", "json"]
    done = subprocess.run(
        [*words, "--manifests", str(folder), *more],
        cwd=project,
        env={"PATH": "/nowhere", "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


@pytest.fixture(scope="module")
def complete(manifests: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Planned]:
    """Plans a stack with the published files, once."""
    return cache(lambda stack: hops_plan(stack, tmp_path_factory.mktemp(stack), INGRESS_HOPS_MANIFESTS=str(manifests)))


@pytest.fixture(scope="module")
def incomplete(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Planned]:
    """Plans a stack without the published files, once; nobody serves that proxy, so no network is needed."""
    return cache(lambda stack: hops_plan(stack, tmp_path_factory.mktemp(stack), HTTPS_PROXY="http://127.0.0.1:9"))


def test_the_documented_stack_is_planned_and_its_findings_are_these(complete: Callable[[str], Planned]) -> None:
    status, plan, said = complete("seed")
    assert (status, said) == (0, "")
    assert len(plan["hops"]) == 12
    reported = {f"{f['level']} {f['code']} {named(f['resource'])}" for f in plan["findings"]}
    assert reported == PINNED


@pytest.mark.parametrize("stack", ["local", "ci"])
def test_the_safe_stacks_have_no_finding(stack: str, complete: Callable[[str], Planned]) -> None:
    status, plan, _ = complete(stack)
    assert status == 0
    assert plan["findings"] == []


def test_the_manifests_are_written_as_kubernetes_reads_them(tmp_path: Path, manifests: Path) -> None:
    (tmp_path / "000-old.yaml").write_text("# Written by hops plan.\n{}")
    (tmp_path / "001-own.yaml").write_text("{}")
    hops_plan("seed", tmp_path, INGRESS_HOPS_MANIFESTS=str(manifests))
    assert not (tmp_path / "000-old.yaml").exists()
    assert (tmp_path / "001-own.yaml").exists()
    (tmp_path / "001-own.yaml").unlink()
    objects = [yaml.load(path.read_text(), yaml.CSafeLoader) for path in sorted(tmp_path.glob("*.yaml"))]
    assert [item["kind"] for item in objects].count("CustomResourceDefinition") == 29
    service = next(item for item in objects if item["kind"] == "Service" and item["metadata"]["name"] == "my-service")
    assert service["spec"]["ports"] == [{"name": "http", "port": 8080, "targetPort": 8080}]
    assert "annotations" not in service["metadata"]
    assert objects[0]["kind"] == "Cluster"


def test_without_upstream_files_the_rest_is_planned_and_the_lack_is_reported(tmp_path: Path) -> None:
    """The proxy is one that nobody serves, so that the test is the same with a network and without."""
    status, plan, said = hops_plan("local", tmp_path, HTTPS_PROXY="http://127.0.0.1:9")
    assert status == 1
    assert len(plan["hops"]) == 12
    assert [sentence.split(":")[0] for sentence in plan["leftOut"]] == [
        "all objects of calico",
        "all objects of contour",
    ]
    assert "left out: all objects of calico" in said
    assert list(tmp_path.glob("*-pod-example-pod.yaml"))


@pytest.mark.parametrize(("name", "nearest"), [("sed", "; did you mean seed?"), ("nobody", ".")])
def test_an_unknown_stack_is_named_with_the_nearest_and_all_others(tmp_path: Path, name: str, nearest: str) -> None:
    status, plan, said = hops_plan(name, tmp_path)
    assert (status, plan) == (2, {})
    assert said == (
        f"hops: there is no stack {name}{nearest} The stacks here are: ci, local, seed. "
        f"Make one with: .venv/bin/hops stack new {name}\n"
    )


def test_an_incomplete_plan_says_so_and_concludes_nothing_from_absence(
    tmp_path: Path, complete: Callable[[str], Planned], incomplete: Callable[[str], Planned]
) -> None:
    """Without Calico's files the kind configuration that switches off kind's own network would break KN07."""
    status, plan, said = incomplete("local")
    assert (status, plan["complete"], plan["findings"]) == (1, False, [])
    sentence = "incomplete: published files are missing from this plan, so the rules that look at the whole stack did"
    assert f"hops: {sentence} not run\n" in said
    text = subprocess.run(
        [*PROGRAM, "plan", "local", "--manifests", str(tmp_path)],
        env={"PATH": "/nowhere", "HOME": str(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert text.stdout.splitlines()[0] == f"{sentence} not run"
    assert not re.search(r"^(mandatory|advisory): ", text.stdout, re.MULTILINE)
    status, plan, said = complete("local")
    assert (status, plan["complete"], "incomplete" in said) == (0, True, False)


def test_only_a_complete_plan_is_judged_as_a_whole(
    complete: Callable[[str], Planned], incomplete: Callable[[str], Planned]
) -> None:
    def whole(plan: dict[str, Any]) -> set[str]:
        codes = {finding["code"] for finding in plan["findings"]}
        return {code for code in codes if RULES[code].scope is Scope.STACK}

    _, without, _ = incomplete("seed")
    assert (without["complete"], whole(without)) == (False, set())
    _, plan, _ = complete("seed")
    assert (plan["complete"], whole(plan)) == (True, {"EX01", "EX07", "TL05"})


@pytest.mark.parametrize(
    ("bob", "reported"),
    [
        ("cluster: {name: bob, httpPort: 8091, httpsPort: null}, services: [{host: b.localhost}]", set()),
        ("cluster: {name: bob, httpPort: 8090, httpsPort: null}, services: [{host: b.localhost}]", {"XS01"}),
        ("cluster: {name: bob, httpPort: 8091, httpsPort: null}, services: [{host: a.localhost}]", {"XS02"}),
        ("cluster: {name: alice, httpPort: 8091, httpsPort: null}, services: [{host: b.localhost}]", {"XS03"}),
    ],
)
def test_a_plan_is_held_against_what_other_stacks_hold(tmp_path: Path, bob: str, reported: set[str]) -> None:
    (tmp_path / "Pulumi.yaml").touch()
    (tmp_path / "stacks").mkdir()
    alice = "cluster: {name: alice, httpPort: 8090, httpsPort: null}, services: [{host: a.localhost}]"
    for name, text in (("alice", alice), ("bob", bob), ("broken", "cluster: 1")):
        text_ = text.replace("cluster:", "ingress-hops:cluster:").replace("services:", "ingress-hops:services:")
        (tmp_path / "stacks" / f"Pulumi.{name}.yaml").write_text(f"config: {{{text_}}}")
    _, plan, said = hops_plan("bob", tmp_path / "plan", project=tmp_path, HTTPS_PROXY="http://127.0.0.1:9")
    held = [finding for finding in plan["findings"] if finding["code"].startswith("XS")]
    assert {finding["code"] for finding in held} == reported
    assert all(finding["level"] == "mandatory" and "the stack alice" in finding["message"] for finding in held)
    assert "hops: the ports and names of the stack broken are unknown" in said


def test_the_path_is_drawn_as_a_page_with_all_that_was_said(tmp_path: Path) -> None:
    """Without the published files, so that there is something of each kind to say."""
    page = tmp_path / "plan.html"
    status, plan, _ = hops_plan("seed", tmp_path, "--html", str(page), HTTPS_PROXY="http://127.0.0.1:9")
    assert status == 1
    text = html.unescape(page.read_text(encoding="utf-8"))
    assert plan["curl"] in text
    assert all(hop["component"] in text for hop in plan["hops"])
    assert all(sentence in text for sentence in plan["leftOut"])
    assert {finding["code"] for finding in plan["findings"]} <= set(re.findall(r"<b>([A-Z]{2}[0-9]{2})</b>", text))


def test_a_page_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    page = tmp_path / "nowhere" / "plan.html"
    status, _, said = hops_plan("seed", tmp_path, "--html", str(page), HTTPS_PROXY="http://127.0.0.1:9")
    assert status == 2
    assert str(page) in said


def test_a_service_that_is_built_is_planned_with_the_name_of_its_image(tmp_path: Path) -> None:
    for folder in ("stacks", "web"):
        (tmp_path / folder).mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: ingress-hops\n")
    (tmp_path / "web" / "Dockerfile").write_text("FROM python:3.13-slim\n")
    file = tmp_path / "stacks" / "Pulumi.alice.yaml"
    file.write_text("config: {ingress-hops:services: [{name: web, build: {context: web}}]}\n")
    status, plan, _ = hops_plan("alice", tmp_path / "plan", project=tmp_path, HTTPS_PROXY="http://127.0.0.1:9")
    assert (status, plan["leftOut"] != []) == (1, True)
    (pod,) = (yaml.safe_load(path.read_text()) for path in (tmp_path / "plan").glob("*-deployment-web.yaml"))
    (container,) = pod["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith("ingress-hops.invalid/ingress-hops-alice/apps/web:")
    assert "command" not in container, "the image's own runs"
    kinds = [path.name.split("-")[1] for path in (tmp_path / "plan").glob("*.yaml")]
    assert kinds.count("cluster") == 1, "the build of an image is no object"
    file.write_text("config: {ingress-hops:services: [{name: web, build: {context: wob}}]}\n")
    status, _, said = hops_plan("alice", tmp_path / "plan", project=tmp_path, HTTPS_PROXY="http://127.0.0.1:9")
    assert status == 2
    assert "ingress-hops:services[0].build.context is wob: there is no folder" in said


@pytest.mark.parametrize("kept", [False, True])
def test_a_stack_with_tls_that_was_never_up_breaks_no_rule_of_certificates(
    kept: bool,  # noqa: FBT001
    manifests: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "Pulumi.yaml").touch()
    service = "{name: web, namespace: apps, host: web.localhost, tls: true}"
    (tmp_path / "stacks").mkdir()
    cluster = "ingress-hops:cluster: {name: alice}"
    (tmp_path / "stacks" / "Pulumi.alice.yaml").write_text(f"config: {{{cluster}, ingress-hops:services: [{service}]}}")
    folder = tmp_path / "ca"
    key = certificates(folder, ["web.localhost"], keep=True)["web.localhost"].key if kept else "PRIVATE KEY"
    _, plan, said = hops_plan(
        "alice", tmp_path / "out", project=tmp_path, INGRESS_HOPS_CA=str(folder), INGRESS_HOPS_MANIFESTS=str(manifests)
    )
    assert plan["complete"], said
    assert {finding["code"] for finding in plan["findings"] if finding["code"].startswith("TL")} == set()
    (written,) = [file for file in (tmp_path / "out").iterdir() if "kubernetes.io/tls" in file.read_text()]
    encoded = base64.b64encode(key.encode()).decode()
    assert all(text not in written.read_text() for text in (encoded, "PRIVATE KEY", "LS0tLS1CRUdJTiBQUklWQVRF"))
    assert folder.exists() is kept
