"""`hops up`, `preview` and `down` with a Pulumi that answers from files."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import hops
from hops.cli.app import app
from hops.cli.stacks.stack_file import read, stack_file
from hops.cli.updates import engine, pulumi_run, routes
from hops.cli.updates.changes import sentence
from hops.kubernetes.resources.pod_start import PodStart
from hops.model.certificates import LEAF_DAYS, make_authority, make_leaf
from hops.model.finding import Finding, Identity, Level, Place, Severity
from hops.model.images.image import Build
from hops.model.plan import plan
from hops.model.preflight import mark
from hops.observe.contexts import BuildError
from hops.observe.in_cluster.api import APIError
from hops.observe.in_cluster.drift import DeclaredObject, Drift
from hops.rules.finding_text import as_message
from tests.hops.cli.conftest import Docker, node

Event = dict[str, Any]
SCRIPT = "set -eu\nnodes=$(docker ps)\nkind create cluster"
PULUMI = """#!/bin/sh
cd "{folder}"
echo "$* REPLACE=$INGRESS_HOPS_REPLACE" >>calls
case "$1 $2" in
  version*) echo v3.259.0 ;;
  "stack export") /bin/cat state.json 2>/dev/null || {{ echo "error: no stack named 'x' found" >&2; exit 6; }} ;;
  "stack import") /bin/cat >imported.json ;;
  stack*) ;;
  *) /bin/cat "$1.jsonl"; exit "$(/bin/cat "$1.status")" ;;
esac
"""


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:local::ingress-hops::{kind}::{name}"


def resource(
    op: str, kind: str, name: str, inputs: Event, before: Event | None = None, *, component: str = ""
) -> Event:
    parent = urn(f"ingress-hops:index:{component}", "it") if component else urn("pulumi:pulumi:Stack", "local")
    new = {"parent": parent, "inputs": inputs}
    old = {"parent": parent, "inputs": before} if before is not None else None
    metadata = {"op": op, "urn": urn(kind, name), "type": kind, "new": new, "old": old}
    return {"resourcePreEvent": {"metadata": metadata}}


def said(severity: str, message: str, **more: Any) -> Event:
    return {"diagnosticEvent": {"severity": severity, "message": message, **more}}


def finding(level: str) -> Event:
    found = Finding(
        code="SV01",
        level=Level(level),
        severity=Severity.HIGH,
        hop=None,
        resource=Identity("v1", "Service", "apps", "web"),
        place=Place(),
        path="",
        message="no pod has its labels.",
        remedy="give the pod the label.",
    )
    message = as_message(found)
    return {"policyEvent": {"enforcementLevel": level, "message": message, "policyName": "SV01", "resourceUrn": ""}}


SAME = resource("same", "kubernetes:core/v1:Pod", "p", {"metadata": {"name": "p"}}, {"metadata": {"name": "p"}})
CREATED = resource("create", "kubernetes:core/v1:Pod", "p", {"metadata": {"name": "p", "namespace": "apps"}})
DONE = {"summaryEvent": {"result": "succeeded"}}
FAILED = {"summaryEvent": {"result": "failed"}}


class Stack:
    """The project with a stack `local`, and what Pulumi says of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin" / "pulumi").write_text(PULUMI.format(folder=folder))
        (folder / "bin" / "kind").write_text("#!/bin/sh\necho kind v0.32.0\n")
        for name in ("pulumi", "kind"):
            (folder / "bin" / name).chmod(0o755)
        (folder / "state.json").write_text('{"deployment": {"resources": []}}\n')
        for command in ("preview", "up", "destroy"):
            self.says(command, SAME, DONE)

    def says(self, command: str, *events: Event, status: int = 0) -> None:
        lines = [json.dumps({"sequence": number, **event}) for number, event in enumerate(events)]
        (self.folder / f"{command}.jsonl").write_text("\n".join(lines) + "\n")
        (self.folder / f"{command}.status").write_text(f"{status}\n")

    @property
    def ran(self) -> list[str]:
        """Pulumi's commands, the first word of each; looks at versions are left out."""
        lines = (self.folder / "calls").read_text().splitlines()
        return [line for line in lines if not line.startswith("version")]

    def hops(self, *words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, [*words])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.output


@pytest.fixture
def stack(alone: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setattr(engine, "_PATIENCE", 0.0)
    monkeypatch.setattr(engine, "_STARTED_PATIENCE", 0.0)
    monkeypatch.setattr(
        routes, "ask", lambda settings, _: [routes.Answer("is answered", well=True)] * len(settings.services)
    )
    return Stack(alone)


def test_an_up_previews_then_updates_and_says_how_to_go_on(stack: Stack) -> None:
    for command in ("preview", "up"):
        stack.says(command, CREATED, DONE)
    status, out = stack.hops("up", "local")
    assert status == 0, out
    assert [line.split()[0] for line in stack.ran] == ["stack", "preview", "up"]
    assert "--policy-pack policy" in stack.ran[1]
    assert "--yes --skip-preview --json --stack local --policy-pack policy" in stack.ran[2]
    assert "1 created, 0 unchanged\n  + stack: Pod apps/p\n" in out
    assert "http://my-service.localhost:8080/  is answered\n" in out
    for line in (
        "follow it:  .venv/bin/hops trace local",
        "change it:  edit stacks/Pulumi.local.yaml, then .venv/bin/hops up local",
        "remove it:  .venv/bin/hops down local",
    ):
        assert line in out
    assert len(out.splitlines()) <= 24


def test_a_new_stack_is_created_in_the_backend(stack: Stack) -> None:
    (stack.folder / "state.json").unlink()
    assert stack.hops("preview", "local")[0] == 0
    assert "stack init local --no-select" in stack.ran[1]


@pytest.mark.parametrize("command", ["up", "preview", "down"])
def test_a_full_disk_of_the_state_stops_a_command_before_pulumi(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    free = 16 * 1024 * 1024
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - free, free))
    assert stack.hops(command, "local")[0] == 0
    ran, free = stack.ran, free - 1
    status, out = stack.hops(command, "local")
    assert status == 2
    assert f"cannot be kept in {stack.folder}" in out
    assert "has 16383 KiB free, and 16384 KiB are needed; correct that; nothing was changed" in out
    assert stack.ran == ran


@pytest.mark.parametrize(("before", "mend"), [('{"version": 3}', "mv {file}.bak {file}"), ("", "rm {file}")])
def test_a_state_file_that_a_full_disk_damaged_is_mended_by_the_printed_command(
    stack: Stack, before: str, mend: str
) -> None:
    pulumi = stack.folder / "bin" / "pulumi"
    answer = "/bin/cat state.json 2>/dev/null"
    failure = 'echo "error: failed to load checkpoint: place 1: unexpected end of JSON input" >&2; exit 255'
    whole = pulumi.read_text()
    assert answer in whole
    pulumi.write_text(whole.replace(answer, f"{{ {failure}; }}"))
    file = stack.folder / ".ingress-hops" / "state" / ".pulumi" / "stacks" / "ingress-hops" / "local.json"
    file.parent.mkdir(parents=True)
    file.with_name("local.json.bak").write_text(before)
    for content, said in (("", mend.format(file=file)), ('{"version": 3}', "cannot be read from file://")):
        file.write_text(content)
        status, out = stack.hops("up", "local")
        assert status == 2
        assert said in out
        assert ("is damaged, as a full disk leaves it" in out) == (not content)


def test_only_the_option_lets_a_cluster_be_rebuilt(stack: Stack) -> None:
    stack.hops("up", "local")
    assert all(line.endswith("REPLACE=") for line in stack.ran)
    stack.hops("up", "local", "--replace")
    assert stack.ran[-1].endswith("REPLACE=1")


UNREACHABLE = (
    "configured Kubernetes cluster is unreachable: failed to parse kubeconfig data in `x`- couldn't get version"
)


@pytest.mark.parametrize(("op", "warned"), [("replace", False), ("same", True)])
def test_a_rebuild_goes_on_after_a_kill_without_the_warnings_of_the_old_cluster(
    stack: Stack, op: str, *, warned: bool
) -> None:
    """The same words of a cluster that is still there are a warning."""
    cluster = resource(op, "command:local:Command", "cluster-kind", {"triggers": [1]}, {"triggers": [0]})
    stack.says("preview", cluster, said("warning", UNREACHABLE), DONE)
    _, shown = stack.hops("preview", "local")
    assert ("unreachable" in shown) is warned


CLUSTER = "urn:pulumi:local::ingress-hops::ingress-hops:index:KindCluster$command:local:Command::cluster-kind"
POD = "urn:pulumi:local::ingress-hops::ingress-hops:index:Workload$kubernetes:core/v1:Pod::apps/example-pod"
BUCKET = "urn:pulumi:local::ingress-hops::aws:s3/bucket:Bucket::files"


@pytest.mark.parametrize("command", ["up", "down"])
def test_steps_that_a_killed_update_left_open_are_forgotten_but_a_users_own(stack: Stack, command: str) -> None:
    """A bucket may exist in the cloud and be known to nobody."""
    steps = [{"type": "creating", "resource": {"urn": urn}} for urn in (CLUSTER, POD, BUCKET)]
    (stack.folder / "state.json").write_text(json.dumps({"version": 3, "deployment": {"pending_operations": steps}}))
    assert "an earlier update was interrupted; this one continues from there" in stack.hops(command, "local")[1]
    kept = json.loads((stack.folder / "imported.json").read_text())
    assert kept == {"version": 3, "deployment": {"pending_operations": steps[2:]}}
    (stack.folder / "state.json").write_text(json.dumps(kept))
    assert "interrupted" not in stack.hops(command, "local")[1]


@pytest.fixture
def running(stack: Stack, docker: Docker) -> Stack:
    """The stack, whose second cluster runs, after an update that made it and was interrupted."""
    folder = stack.folder / ".ingress-hops" / "kubeconfig"
    folder.mkdir(parents=True)
    (folder / "local-2.yaml").write_text("contexts:\n- context: {}\n  name: kind-ingress-hops-local\n")
    fingerprint = plan(read(stack_file(stack.folder, "local"))).fingerprint
    bind = f"{folder}/local.owner:{mark(2, fingerprint)}"
    cluster = "ingress-hops-local"
    docker(*(node(f"{cluster}-{role}", cluster, bind) for role in ("control-plane", "worker")))
    published = {"kubeconfig": str(folder / "local-1.yaml"), "context": f"kind-{cluster}"}
    root = {"type": "pulumi:pulumi:Stack", "outputs": {"cluster": published}}
    (stack.folder / "state.json").write_text(json.dumps({"deployment": {"resources": [root]}}))
    return stack


@pytest.mark.parametrize("command", ["up", "preview"])
def test_the_kubeconfig_is_that_of_the_running_cluster_after_an_interrupted_rebuild(
    running: Stack, command: str
) -> None:
    """The state still names the file of the cluster before, which went with that cluster."""
    status, shown = running.hops(command, "local")
    assert status == 0, shown
    assert "kubeconfig" not in shown
    folder = running.folder / ".ingress-hops" / "kubeconfig"
    assert [file.name for file in folder.iterdir()] == ["local-2.yaml"]
    (folder / "local-2.yaml").unlink()
    assert f"{folder}/local-2.yaml is lost or damaged (an up writes it again)" in running.hops("preview", "local")[1]


@pytest.mark.parametrize("days", [LEAF_DAYS - 1, -1])
def test_an_expired_client_certificate_is_renewed_unless_the_clock_is_wrong(running: Stack, days: int) -> None:
    """The certificate is renewed by the clock of the node, and judged by the clock of this machine."""
    now = datetime.now(UTC)
    authority = make_authority("kubernetes", now)
    kubeconfigs = {}
    for name, ends in (("old", -1), ("new", days)):
        made = make_leaf(authority, "kubernetes-admin", now + timedelta(days=ends - LEAF_DAYS)).certificate
        data = base64.b64encode(made.encode()).decode()
        kubeconfigs[name] = f"  name: kind-ingress-hops-local\n  client-certificate-data: {data}\n"
        (running.folder / name).write_text(kubeconfigs[name])
    file = running.folder / ".ingress-hops" / "kubeconfig" / "local-2.yaml"
    file.write_text(kubeconfigs["old"])
    (running.folder / "bin" / "kind").write_text(
        f'#!/bin/sh\n[ "$1" != get ] && echo kind v0.32.0 || /bin/cat {running.folder}/new\n'
    )
    clock = f"and the clock of this machine says {now:%Y-%m-%d}"
    expired = f"{file} has a client certificate that expired on {now - timedelta(days=1):%Y-%m-%d}, {clock}"
    status, shown = running.hops("preview", "local")
    assert (status, file.read_text()) == (0, kubeconfigs["old"])
    assert f"{expired} (an up writes it again)" in shown
    status, shown = running.hops("up", "local")
    if days > 0:
        assert (status, file.read_text()) == (0, kubeconfigs["new"])
        assert f"{expired}; it is written again" in shown
        assert "client certificate" not in running.hops("preview", "local")[1]
    else:
        assert status == 2
        assert f"{clock}; set the clock, or rebuild the cluster: .venv/bin/hops down" in shown


@pytest.mark.parametrize("verbose", [False, True])
def test_an_address_that_an_interrupted_update_left_allocated_is_freed_before_an_update(
    running: Stack, monkeypatch: pytest.MonkeyPatch, *, verbose: bool
) -> None:
    def free(_: object) -> list[str]:
        freed.append(running.ran[-1].split()[0])
        return ["10.96.0.8"]

    freed: list[str] = []
    monkeypatch.setattr(engine, "free_addresses", free)
    line = "an interrupted update left the address 10.96.0.8 of a Service allocated; it is free again\n"
    words = ["--verbose"] if verbose else []
    for command in ("preview", "up"):
        running.says(command, CREATED, DONE)
    assert line not in running.hops("preview", "local", *words)[1]
    assert line in running.hops("up", "local", *words)[1]
    assert freed == ["stack" if verbose else "preview"], "after the preview, and before the update"
    if not verbose:
        running.says("preview", SAME, DONE)
        assert line not in running.hops("up", "local")[1], "nothing is updated"


def test_an_image_that_a_node_has_lost_is_loaded_again(running: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(build: Build) -> str:
        if build.service == "apps/changed":
            raise BuildError("the image of apps/changed was not built: its folder has changed")
        return "loaded in 1.0 s"

    builds = [Build(f"apps/{name}", "shop", "/w", "/w/Dockerfile", None, {}, "0" * 16) for name in ("web", "changed")]
    monkeypatch.setattr(engine, "lost_images", lambda _: [(build, "shop-worker") for build in builds])
    monkeypatch.setattr(engine, "make", make)
    web, changed = (f"the image {build.image} is gone from shop-worker" for build in builds)
    assert f"{web} (an up loads it again)\n" in running.hops("preview", "local")[1]
    status, shown = running.hops("up", "local")
    assert status == 0, shown
    assert f"{web}; it is loaded again: loaded in 1.0 s\n" in shown
    assert f"{changed}: the image of apps/changed was not built" in shown


@pytest.mark.parametrize("command", ["preview", "up"])
def test_the_cluster_is_looked_at_while_pulumi_previews(
    running: Stack, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The look ends only when the preview has begun. What it finds is previewed once more, and so repaired."""

    def look(*_: object) -> list[Drift]:
        deadline = time.monotonic() + 60
        while not [call for call in running.ran if call.startswith("preview")]:
            assert time.monotonic() < deadline, "the preview waits for the look"
            time.sleep(0.01)
        return found

    pod = DeclaredObject(POD, "v1", "Pod", "apps", "web", "1", {})
    found: list[Drift] = []
    monkeypatch.setattr(engine, "drifted", look)
    _, shown = running.hops(command, "local")
    assert "changed in the cluster" not in shown
    assert [call.split()[0] for call in running.ran if not call.startswith("stack")] == ["preview"]
    found.append(Drift(pod, "is gone"))
    (running.folder / "calls").unlink()
    _, shown = running.hops(command, "local")
    assert "changed in the cluster: Pod apps/web is gone\n" in shown
    first, *others = [call for call in running.ran if not call.startswith("stack")]
    assert first.startswith("preview")
    assert "--refresh" not in first
    assert [call.split()[0] for call in others] == ["preview", *(["up"] if command == "up" else [])]
    assert all("--refresh" in call for call in others)


@pytest.mark.parametrize(("context", "looked"), [("mine", True), ("another", False)])
def test_an_existing_cluster_is_looked_at_and_its_routes_are_asked(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, context: str, *, looked: bool
) -> None:
    """In the cluster of another context, all objects of the state would be gone."""
    config = "config:\n  ingress-hops:cluster: {existing: mine}\n  ingress-hops:services: [{name: web, kind: Pod}]\n"
    (stack.folder / "stacks" / "Pulumi.local.yaml").write_text(config)
    root = {"type": "pulumi:pulumi:Stack", "outputs": {"cluster": {"context": context}}}
    (stack.folder / "state.json").write_text(json.dumps({"deployment": {"resources": [root]}}))
    asked: list[tuple[Any, str]] = []

    def look(_: object, kubeconfig: Path | None, of: str) -> list[Drift]:
        asked.append((kubeconfig, of))
        return [Drift(DeclaredObject(POD, "v1", "Pod", "apps", "web", "1", {}), "is gone")]

    monkeypatch.setattr(engine, "drifted", look)
    monkeypatch.setattr(routes, "context_objects", lambda *_: [])
    status, shown = stack.hops("up", "local")
    assert status == 0, shown
    assert ("changed in the cluster: Pod apps/web is gone\n" in shown) is looked
    assert asked == ([(None, "mine")] if looked else [])
    assert any("--refresh" in call for call in stack.ran) is looked
    assert "is answered\n" in shown


def test_an_existing_cluster_that_does_not_answer_is_told(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> list[Any]:
        raise APIError("https://192.0.2.1 does not answer: timed out")

    config = "config:\n  ingress-hops:cluster: {existing: mine}\n"
    (stack.folder / "stacks" / "Pulumi.local.yaml").write_text(config)
    monkeypatch.setattr(routes, "context_objects", silent)
    status, shown = stack.hops("up", "local")
    assert status == 1
    assert "the routes are not asked: https://192.0.2.1 does not answer: timed out\n" in shown


def test_a_preview_leaves_the_state_as_it_is(stack: Stack) -> None:
    steps = [{"type": "creating", "resource": {"urn": POD}}]
    (stack.folder / "state.json").write_text(json.dumps({"deployment": {"pending_operations": steps}}))
    engines = "Attempting to deploy or update resources with 1 pending operations from previous deployment.\n  * urn:x"
    stack.says("preview", SAME, said("warning", engines), DONE)
    _, shown = stack.hops("preview", "local")
    assert "note: an earlier update was interrupted; the next one continues from there\n" in shown
    assert "pending operations" not in shown
    assert not (stack.folder / "imported.json").exists()


@pytest.mark.parametrize("there", [False, True])
def test_a_preview_advises_to_trace_and_remove_what_is_there(stack: Stack, *, there: bool) -> None:
    state = {"resources": [{"urn": POD, "type": "kubernetes:core/v1:Pod"}]} if there else {}
    (stack.folder / "state.json").write_text(json.dumps({"deployment": state}))
    stack.says("preview", CREATED, DONE)
    _, out = stack.hops("preview", "local")
    assert "do it:      .venv/bin/hops up local" in out
    assert ("follow it:" in out, "remove it:" in out) == (there, there)


def test_a_preview_tells_what_changes_and_each_warning_once(stack: Stack) -> None:
    before = {"spec": {"replicas": 1, "x": [1]}, "metadata": {"name": "web"}}
    after = {"spec": {"replicas": 2, "x": [2]}, "metadata": {"name": "web"}}
    stack.says(
        "preview",
        resource("update", "kubernetes:apps/v1:Deployment", "web", after, before, component="Contour"),
        *(
            resource("delete", "kubernetes:core/v1:Pod", name, {"metadata": {"name": name}}, {}, component="Workload")
            for name in ("old", "older")
        ),
        *(resource("create", "kubernetes:core/v1:Pod", f"p{n}", {}, component="Calico") for n in range(30)),
        resource("create", "ingress-hops:index:Calico", "calico", {}),
        said("warning", "watch out"),
        said("warning", "watch out"),
        said("warning", "not ready yet", ephemeral=True),
        finding("advisory"),
        DONE,
    )
    status, out = stack.hops("preview", "local")
    assert status == 0
    assert "30 to create, 1 to update, 2 to delete, 0 unchanged" in out
    assert "  + Calico: 30 objects\n  ~ Contour: Deployment web: spec.replicas, spec.x[]\n" in out
    assert "\n  - workload it: Pod old, Pod older\n" in out
    assert out.count("watch out") == 1
    assert "not ready yet" not in out
    assert "advisory: SV01 Service/apps/web: no pod has its labels.\n  remedy: give the pod the label.\n" in out
    assert "do it:      .venv/bin/hops up local" in out


def test_a_broken_rule_stops_an_up_before_anything_is_made(stack: Stack) -> None:
    stack.says("preview", CREATED, finding("mandatory"), said("error", "preview failed"), FAILED, status=1)
    status, out = stack.hops("up", "local")
    assert status == 1
    assert "mandatory: SV01" in out
    assert "error:" not in out
    assert not any(line.startswith("up ") for line in stack.ran)


def test_a_program_that_cannot_start_ends_with_its_sentence_and_2(stack: Stack) -> None:
    error = "ingress-hops:cluster.workers is 0\nan unhandled error occurred: the program exited with status 1"
    stack.says("preview", said("error", error), FAILED, status=1)
    for command in ("preview", "up"):
        status, out = stack.hops(command, "local")
        assert status == 2
        assert "error: ingress-hops:cluster.workers is 0\n" in out
        assert "unhandled" not in out


def test_a_command_that_fails_does_not_print_its_script(stack: Stack) -> None:
    stack.says("preview", CREATED, DONE)
    failure = f"exit status 1: running {json.dumps(SCRIPT)}:\nERROR: no space left\n"
    stack.says("up", CREATED, said("error", failure), FAILED, status=1)
    status, out = stack.hops("up", "local")
    assert status == 1
    assert "ERROR: no space left" in out
    assert "docker ps" not in out


@pytest.mark.parametrize("quoted", [json.dumps(SCRIPT), repr(SCRIPT), SCRIPT])
def test_a_script_is_cut_however_it_is_quoted(quoted: str) -> None:
    assert sentence(f"exit status 1: running {quoted}:\nsad") == "exit status 1: sad"
    assert sentence("nothing is running here") == "nothing is running here"


def test_a_command_that_the_program_runs_fails_without_the_program_s_traceback() -> None:
    said = (
        "Program failed with an unhandled exception:\nTraceback (most recent call last):\n  File x\nException: invoke "
        "of command:local:run failed: invocation of command:local:run returned an error: exit status 1: no API"
    )
    assert sentence(said) == "exit status 1: no API"


def test_a_long_message_is_cut_in_the_middle() -> None:
    lines = sentence("\n".join(f"line {number}" for number in range(50))).splitlines()
    assert len(lines) <= 9
    assert (lines[0], lines[-1]) == ("line 0", "line 49")


def test_a_route_that_is_not_answered_is_a_failure_with_the_verdict(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "ask", lambda *_: [routes.Answer("is not answered by its pod", well=False)])
    monkeypatch.setattr(routes, "verdict_of", lambda *_: "hop 7 (pod) is broken: T31\n  mend: do")
    status, out = stack.hops("up", "local")
    assert status == 1
    assert "is not answered by its pod" in out
    assert "hop 7 (pod) is broken: T31\n  mend: do\nevery hop of it: .venv/bin/hops trace local\n" in out


def test_a_version_that_is_not_ready_is_a_failure_although_the_old_one_answers(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = stack.folder / "stacks" / "Pulumi.local.yaml"
    file.write_text(file.read_text().replace("pod: example-pod", "image: web:1"))
    waiting = {"apps/my-service": {"apps/my-service-1-a": PodStart("Running", reason="CrashLoopBackOff")}}
    monkeypatch.setattr(routes, "context_objects", lambda *_: [])
    monkeypatch.setattr(routes, "rollouts", lambda *_: waiting)
    status, out = stack.hops("up", "local")
    assert status == 1
    assert "is answered\n" in out
    assert "Deployment apps/my-service: its new version is not ready, and the ready pods continue to serve: " in out
    assert "apps/my-service-1-a: CrashLoopBackOff\n" in out
    monkeypatch.setattr(routes, "rollouts", lambda *_: {})
    assert stack.hops("up", "local")[0] == 0


def test_a_stack_that_is_not_there_needs_no_removal(stack: Stack) -> None:
    (stack.folder / "state.json").unlink()
    status, out = stack.hops("down", "nope")
    assert status == 0
    assert "there is no stack nope" in out
    assert stack.hops("down", "local")[0] == 0


def test_down_says_how_to_build_it_again(stack: Stack) -> None:
    status, out = stack.hops("down", "local")
    assert status == 0
    assert ".venv/bin/hops up local" in out
    assert stack.ran[-1].startswith("destroy --yes --skip-preview --stack local --non-interactive")
    assert "policy pack" not in out, "Pulumi starts neither it nor the program"


def test_pulumi_that_says_nothing_is_reported_by_its_error(stack: Stack) -> None:
    (stack.folder / "preview.jsonl").write_text("")
    (stack.folder / "preview.status").write_text("255\n")
    status, out = stack.hops("preview", "local")
    assert status == 2
    assert "hops: pulumi preview ended with 255 and said nothing" in out


def test_a_stack_without_a_file_is_named(stack: Stack) -> None:
    status, out = stack.hops("up", "nope")
    assert status == 2
    assert "there is no stack nope. The stacks here are: ci, local, seed." in out


def test_an_up_that_is_stopped_before_its_first_event_leaves_no_lock(
    stack: Stack, wait_for: Callable[[Path], None]
) -> None:
    lock = stack.folder / ".ingress-hops/state/.pulumi/locks/organization/ingress-hops/local/one.json"
    lock.parent.mkdir(parents=True)
    held = json.dumps({"username": "bob", "hostname": socket.gethostname(), "timestamp": "2026-11-28T17:03:53Z"})
    events = "\n".join(json.dumps({"sequence": number, **event}) for number, event in enumerate((CREATED, DONE)))
    (stack.folder / "events").write_text(events)
    (stack.folder / "bin" / "pulumi").write_text(f"""#!/bin/sh
case "$1" in
  version) echo v3.259.0 ;;
  stack) echo '{{"deployment": {{}}}}' ;;
  preview) /bin/cat "{stack.folder}/events" ;;
  cancel) /bin/rm "{lock}" ;;
  *)
    trap 'exit 130' INT
    echo '{held[:-1]}, "pid": '$$'}}' >"{lock}"
    : >"{stack.folder}/started"
    while :; do /bin/sleep 0.1; done ;;
esac
""")
    program = [sys.executable, "-c", "from hops.cli.app import app; app()", "up", "local"]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(program, cwd=stack.folder, env=dict(os.environ), **streams) as up:
        wait_for(stack.folder / "started")
        up.send_signal(signal.SIGINT)
        out, _ = up.communicate(timeout=60)
    assert up.returncode == 2, out
    assert ".venv/bin/hops up local continues from there" in out
    assert "said nothing" not in out
    assert not lock.exists(), out


def test_ctrl_c_is_passed_on_once_and_waited_for(stack: Stack, wait_for: Callable[[Path], None]) -> None:
    """Twice pressed, Pulumi gets one signal, and its orderly end is what counts."""
    ending = json.dumps({"sequence": 1, "summaryEvent": {"result": "failed"}})
    begun = json.dumps({"sequence": 0, **CREATED})
    (stack.folder / "bin" / "pulumi").write_text(f"""#!/bin/sh
case "$1" in
  version) echo v3.259.0 ;;
  stack) echo '{{"deployment": {{}}}}' ;;
  *)
    trap 'echo interrupted >>"{stack.folder}/interrupts"' INT
    echo '{begun}'
    : >"{stack.folder}/started"
    until test -e "{stack.folder}/go"; do /bin/sleep 0.1; done
    echo '{ending}'; exit 1 ;;
esac
""")
    program = [sys.executable, "-c", "from hops.cli.app import app; app()", "up", "local"]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(program, cwd=stack.folder, env=dict(os.environ), **streams) as up:
        wait_for(stack.folder / "started")
        for _ in range(2):
            up.send_signal(signal.SIGINT)
            wait_for(stack.folder / "interrupts")
        (stack.folder / "go").touch()
        out, _ = up.communicate(timeout=60)
    assert (stack.folder / "interrupts").read_text() == "interrupted\n"
    assert up.returncode == 2, out
    assert "stopping: pulumi finishes the steps that it is in" in out
    assert "Traceback" not in out


def test_an_image_is_named_in_a_preview_and_is_no_cluster(stack: Stack) -> None:
    """An old cluster's warning is still a warning while only an image is made."""
    old, new = ({"environment": {"BUILT_IMAGE": f"x.invalid/web:{number}"}} for number in (1, 2))
    image = resource("replace", "command:local:Command", "apps/web-image", new, old, component="Image")
    stack.says("preview", image, said("warning", UNREACHABLE), DONE)
    _, shown = stack.hops("preview", "local")
    assert "± build it: image x.invalid/web:2" in shown
    assert "unreachable" in shown


def test_a_stack_that_is_gone_leaves_none_of_its_images(stack: Stack) -> None:
    """Docker keeps the others."""
    (stack.folder / "bin" / "docker").write_text(f'#!/bin/sh\necho "$*" >>{stack.folder}/docker-calls\n')
    (stack.folder / "bin" / "docker").chmod(0o755)
    built = {"inputs": {"environment": {"BUILT_IMAGE": "x.invalid/web:1"}}}
    cluster = {"inputs": {"environment": {"IMAGE": "kindest/node:1"}}}
    (stack.folder / "state.json").write_text(json.dumps({"deployment": {"resources": [built, cluster]}}))
    status, _ = stack.hops("down", "local")
    assert status == 0
    assert (stack.folder / "docker-calls").read_text() == "image rm x.invalid/web:1\n"


def test_a_build_that_fails_is_reported_in_the_builders_words() -> None:
    command = "/p/.venv/bin/python -I -m hops.cli.image_build make"
    lines = ["the image of apps/web cannot be built. The last lines of docker build:", "#5 RUN false", "exit code: 1"]
    text = f"exit status 1: running {json.dumps(command)}:\n" + "\n".join(lines)
    assert sentence(text) == "exit status 1: " + "\n".join(lines)


def test_a_repository_of_ones_own_is_judged_by_this_projects_pack(stack: Stack) -> None:
    """It has no Makefile and no pack."""
    (stack.folder / "policy").rmdir()
    status, out = stack.hops("up", "local")
    assert status == 0, out
    assert f"--policy-pack {Path(hops.__file__).parents[1]}/policy " in stack.ran[1]
    assert "hops trace local" in out
    assert "make" not in out


def test_a_pack_without_an_environment_is_named_before_pulumi_runs(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (stack.folder / "policy").rmdir()
    monkeypatch.setattr(hops, "__file__", str(tmp_path / "their checkout" / "hops" / "__init__.py"))
    status, out = stack.hops("up", "local")
    assert status == 2
    assert f"has no .venv to run in; make it with: make -C '{tmp_path}/their checkout' tools\n" in out
    assert "preview" not in " ".join(stack.ran)


def test_an_engine_that_ends_early_is_told_by_its_error(stack: Stack) -> None:
    stack.says("preview", SAME, status=1)
    pulumi = stack.folder / "bin" / "pulumi"
    pulumi.write_text(f"#!/bin/sh\necho error: the pack failed to start >&2\n{pulumi.read_text()}")
    status, out = stack.hops("preview", "local")
    assert status == 2
    assert "the pack failed to start" in out
    assert "the events end" not in out


def test_an_update_in_the_background_prints_nothing_and_tells_what_went_wrong(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    with engine.opened("local") as of:
        assert engine.BackgroundUpdate(of).problem() == ""
        stack.says("up", said("error", "the API server is gone"), FAILED, status=1)
        assert engine.BackgroundUpdate(of).problem() == "the API server is gone"
        (stack.folder / "up.jsonl").write_text("")
        assert "said nothing" in engine.BackgroundUpdate(of).problem()
    assert capsys.readouterr() == ("", "")
    assert "--policy-pack" not in stack.ran[-1]


def test_a_stopped_update_in_the_background_is_waited_for(
    stack: Stack, wait_for: Callable[[Path], None], request: pytest.FixtureRequest
) -> None:
    # A shell's background job begins with SIGINT ignored, and so would the Pulumi here.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    begun = json.dumps({"sequence": 0, **CREATED})
    (stack.folder / "bin" / "pulumi").write_text(f"""#!/bin/sh
case "$1" in
  version) echo v3.259.0 ;;
  stack) echo '{{"deployment": {{}}}}' ;;
  *)
    trap 'exit 255' INT
    echo '{begun}'
    : >"{stack.folder}/started"
    while :; do /bin/sleep 0.1; done ;;
esac
""")
    with engine.opened("local") as of:
        update = engine.BackgroundUpdate(of)
        wait_for(stack.folder / "started")
        assert not update.done
        update.stop()
        assert update.problem() != ""
        assert update.done


def test_a_migration_that_failed_is_reported_with_its_log(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    file = stack.folder / "stacks" / "Pulumi.local.yaml"
    file.write_text("config:\n  ingress-hops:services:\n    - {name: api, migration: {command: [migrate]}}\n")
    asked: list[str] = []

    def failed(_: object, service: str) -> tuple[str, PodStart]:
        asked.append(service)
        return "apps/api-m", PodStart("Failed", exit_code=3)

    monkeypatch.setattr(routes, "context_objects", lambda *_: [])
    monkeypatch.setattr(routes, "last_lines", lambda *_: ["no such table"])
    monkeypatch.setattr(routes, "failed_migration", failed)
    stack.says("preview", CREATED, DONE)
    stack.says("up", CREATED, FAILED, status=1)
    status, out = stack.hops("up", "local")
    assert (status, asked) == (1, ["apps/api"])
    assert "ingress-hops:services[0] (api): its migration did not succeed, so its pods stay as they were" in out
    assert "log: no such table" in out


def test_what_runs_is_reported_in_a_pipe_while_it_lasts() -> None:
    progress = pulumi_run.Progress("up: the stack local", 3)
    began = time.monotonic()
    assert progress.due(began + 1) == "Pulumi starts the program and the policy pack"
    script = {"environment": {"CLUSTER": "alice"}}
    cluster = resource("create", "command:local:Command", "cluster", script)
    progress.event(cluster)
    assert progress.due(began + 2) == "", "a line was just printed"
    assert progress.due(began + 7) == "0 of 3 done; kind cluster alice 7 s"
    assert progress.due(began + 15) == "", "it says the same"
    assert progress.due(began + 23) == "0 of 3 done; kind cluster alice 23 s"
    at = cluster["resourcePreEvent"]["metadata"]["urn"]
    progress.event(said("info", " • Starting control-plane 🕹️ ...\n", ephemeral=True, urn=at))
    assert progress.due(began + 29) == "0 of 3 done; kind cluster alice 29 s (• Starting control-plane 🕹️ ...)"
    progress.event({"resOutputsEvent": {"metadata": cluster["resourcePreEvent"]["metadata"]}})
    assert progress.due(began + 35) == "1 of 3 done"
    progress.event(resource("same", "command:local:Command", "images", script))
    assert progress.due(began + 37) == ""
