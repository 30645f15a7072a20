"""Every edit of a stack's file: previewed, made and answered by `make`, and nothing replaced in vain.

The edits are made one after the other in one running stack. After each, the objects of the cluster are compared by
uid, so an object that was deleted and created again counts as replaced.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.live.conftest import SHARED as STACK
from tests.live.conftest import SHARED_PORT as PORT
from tests.live.conftest import Shared
from tests.project import Project, answer, run

OTHER_PORT, OTHER_ADDRESS = 8487, "127.0.0.3"
KINDS = (
    "namespaces,pods,services,serviceaccounts,configmaps,deployments,daemonsets,ingresses,networkpolicies,jobs,"
    "roles,rolebindings,clusterroles,clusterrolebindings,customresourcedefinitions"
)
OF_KUBERNETES = ("ServiceAccount/default", "ConfigMap/kube-root-ca.crt")
"""Objects that Kubernetes makes in every namespace."""
SERVE = ["python", "-m", "http.server", "8080", "--directory", "/usr"]

Config = dict[str, Any]
Change = Callable[[Config], None]


@dataclass(frozen=True)
class Running:
    """A stack that is up, and its file."""

    project: Project
    file: Path

    def make(self, target: str, *words: str, fails: bool = False) -> str:
        return self.project.make(target, f"STACK={STACK}", *words, fails=fails)

    def edit(self, change: Change) -> None:
        """Edits the configuration in the stack's file, with the keys as the settings name them."""
        whole = yaml.safe_load(self.file.read_text())
        config = {key.removeprefix("ingress-hops:"): value for key, value in whole["config"].items()}
        change(config)
        whole["config"] = {f"ingress-hops:{key}": value for key, value in config.items()}
        self.file.write_text(yaml.safe_dump(whole, sort_keys=False))

    def objects(self) -> dict[str, str]:
        """The uid of each object that no controller made, by KIND/NAMESPACE/NAME or KIND/NAME."""
        fields = (".kind", ".metadata.namespace", ".metadata.name", ".metadata.uid", ".metadata.ownerReferences")
        columns = ",".join(f"C{number}:{field}" for number, field in enumerate(fields))
        node = f"ingress-hops-{STACK}-control-plane"
        kubectl = ("docker", "exec", node, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf")
        listed = run(*kubectl, "get", KINDS, "--all-namespaces", "--no-headers", f"--output=custom-columns={columns}")
        rows = [line.split(maxsplit=4) for line in listed.splitlines()]
        return {
            "/".join(part for part in (kind, namespace, name) if part != "<none>"): uid
            for kind, namespace, name, uid, owner in rows
            if owner.strip() == "<none>" and f"{kind}/{name}" not in OF_KUBERNETES
        }


@dataclass(frozen=True)
class Edit:
    """An edit of the stack's file and what it does to the cluster. Every object that is not named stays the same.

    requests: host and path of each request that is answered afterwards.
    """

    name: str
    change: Change
    created: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()
    replaced: frozenset[str] = frozenset()
    requests: tuple[str, ...] = ("other.edits.localhost/share/",)


def service(number: int, **values: Any) -> Change:
    def change(config: Config) -> None:
        config["services"][number] |= values

    return change


def section(name: str, **values: Any) -> Change:
    def change(config: Config) -> None:
        config[name] = config.get(name, {}) | values

    return change


def added(**values: Any) -> Change:
    def change(config: Config) -> None:
        config["services"].append(values)

    return change


def last_removed(config: Config) -> None:
    config["services"].pop()


def parts(name: str, pod: str, namespace: str = "apps") -> frozenset[str]:
    """The objects of one service."""
    kinds = {"Pod": pod, "ServiceAccount": pod, "Service": name, "NetworkPolicy": name, "Ingress": f"{name}-ingress"}
    return frozenset(f"{kind}/{namespace}/{of}" for kind, of in kinds.items())


POD = frozenset({"Pod/apps/example-pod"})
MORE_PODS = frozenset({"Pod/shop/example-pod-2", "Pod/shop/example-pod-3"})
FIRST, SECOND = parts("my-service", "example-pod"), parts("second", "pod-b")
SHOP, RENAMED = parts("my-service", "example-pod", "shop"), parts("renamed", "example-pod", "shop")
BOTH = ("other.edits.localhost/share/", "second.edits.localhost/")

FIRST_EDITS = (
    Edit(
        "command",
        service(0, command=["python", "-u", *SERVE[1:]]),
        replaced=POD,
        requests=("my-service.edits.localhost/",),
    ),
    # Kubernetes takes another image in a running pod; Pulumi's provider always replaces the pod.
    Edit(
        "image",
        service(0, image="docker.io/library/python:3.13-slim"),
        replaced=POD,
        requests=("my-service.edits.localhost/",),
    ),
)
EDITS = (
    Edit(
        "port",
        service(0, port=8090, command=[*SERVE[:3], "8090", *SERVE[4:]]),
        replaced=POD,
        requests=("my-service.edits.localhost/",),
    ),
    Edit("host", service(0, host="other.edits.localhost")),
    Edit(
        "service added",
        added(name="second", pod="pod-b", host="second.edits.localhost", command=SERVE),
        created=SECOND,
        requests=BOTH,
    ),
    Edit("service removed", last_removed, deleted=SECOND),
)
LONG_EDITS = (
    Edit(
        "namespace",
        service(0, namespace="shop"),
        created=SHOP | {"Namespace/shop"},
        deleted=FIRST | {"Namespace/apps"},
    ),
    Edit("replicas up", service(0, replicas=3), created=MORE_PODS),
    Edit("replicas down", service(0, replicas=1), deleted=MORE_PODS),
    Edit("path", service(0, path="/share", request="/share/")),
    # Its pod keeps its name, so the pod may not go with the old Service.
    Edit("service renamed", service(0, name="renamed"), created=RENAMED - SHOP, deleted=SHOP - RENAMED),
    Edit("contour", section("contour", replicas=2, envoyLogLevel="warning")),
    Edit("clusterIP", service(0, clusterIP="10.96.77.77"), replaced=frozenset({"Service/shop/renamed"})),
    Edit("policy", section("policy", rules={"EX07": {"level": "disabled"}})),
)
"""Edits that the gate leaves out, like the first ones; all of them run, or none."""


@pytest.fixture(scope="module")
def running(shared: Shared) -> Running:
    first = {"name": "my-service", "pod": "example-pod", "host": "my-service.edits.localhost", "command": SERVE}
    shared.up([first])
    return Running(shared.project, shared.file)


def statuses(requests: tuple[str, ...], port: int = PORT, address: str = "127.0.0.1") -> list[int]:
    """The status of the answer to each request."""
    parted = [request.partition("/") for request in requests]
    return [answer(f"curl --resolve {h}:{port}:{address} http://{h}:{port}/{path}")[0] for h, _, path in parted]


def changes(previewed: str) -> list[str]:
    """The lines of a preview that name what changes."""
    return [line for line in previewed.splitlines() if line.lstrip()[:1] in {"+", "~", "±", "-"}]


@pytest.mark.parametrize(
    "edit",
    [
        *(pytest.param(edit, id=edit.name, marks=pytest.mark.long) for edit in FIRST_EDITS),
        *(pytest.param(edit, id=edit.name) for edit in EDITS),
        *(pytest.param(edit, id=edit.name, marks=pytest.mark.long) for edit in LONG_EDITS),
    ],
)
def test_an_edit_is_previewed_and_made(running: Running, edit: Edit) -> None:
    before = running.objects()
    running.edit(edit.change)
    previewed = running.make("preview")
    assert running.objects() == before, "the preview changed the cluster"
    for sign, names in {"+": edit.created, "-": edit.deleted, "±": edit.replaced}.items():
        lines = [line for line in changes(previewed) if line.lstrip().startswith(sign)]
        for name in names:
            assert any(name.rpartition("/")[2] in line for line in lines), f"{name} is not previewed:\n{previewed}"
        assert names or not lines, f"nothing is expected for {sign}:\n{previewed}"
    made = running.make("up")
    after = running.objects()
    assert after.keys() - before.keys() == edit.created, made
    assert before.keys() - after.keys() == edit.deleted, made
    assert {name for name in before.keys() & after.keys() if before[name] != after[name]} == edit.replaced, made
    assert statuses(edit.requests) == [200] * len(edit.requests)


def test_an_unchanged_stack_stays_as_it_is(running: Running) -> None:
    before = running.objects()
    assert "; no changes, " in running.make("up")
    assert running.objects() == before


@pytest.mark.long
def test_a_saved_plan_is_what_an_update_does(running: Running) -> None:
    """Plain Pulumi constrains the update to the operations of the preview."""
    project = Project(running.project.folder, {**running.project.environment, "PULUMI_EXPERIMENTAL": "true"})
    words = ("--stack", STACK, "--policy-pack", "policy")
    before, file = running.objects(), running.file.read_text()
    running.edit(added(name="planned", host="planned.edits.localhost", command=SERVE))
    planned = running.file.read_text()
    for text, requests in ((planned, ("planned.edits.localhost/",)), (file, EDITS[-1].requests)):
        running.file.write_text(text)
        project.pulumi("preview", *words, "--save-plan", "plan.json")
        project.pulumi("up", "--yes", *words, "--plan", "plan.json")
        assert statuses(requests) == [200]
    assert running.objects() == before


def test_a_broken_mandatory_rule_stops_preview_and_up(running: Running) -> None:
    before, file = running.objects(), running.file.read_text()
    running.edit(service(0, command=["python", "-m", "http.server", "8090", "--directory", "/"]))
    for target in ("preview", "up"):
        said = running.make(target, fails=True)
        assert "mandatory: EX01" in said
        assert "Traceback" not in said
    assert running.objects() == before
    running.file.write_text(file)


@pytest.mark.costly
def test_a_service_that_does_not_listen_ends_the_up(running: Running) -> None:
    before = running.objects()
    running.edit(added(name="deaf", host="deaf.edits.localhost", command=["sleep", "3600"]))
    previews = [changes(running.make("preview")) for _ in range(2)]
    assert previews[0] == previews[1]
    said = running.make("up", fails=True)
    assert "Error 1" in said
    for word in ("services[1]", "deaf-pod", "not ready", "8080", f"stacks/Pulumi.{STACK}.yaml"):
        assert word in said, f"{word}:\n{said}"
    assert statuses(EDITS[-1].requests) == [200]
    running.edit(service(1, command=SERVE))
    running.make("up")
    assert statuses((*EDITS[-1].requests, "deaf.edits.localhost/")) == [200, 200]
    running.edit(last_removed)
    running.make("up")
    assert running.objects() == before


def test_a_rebuild_is_announced_and_refused(running: Running) -> None:
    before = running.objects()
    running.edit(section("cluster", httpPort=OTHER_PORT, listenAddress=OTHER_ADDRESS))
    running.edit(section("calico", blockSize=27))
    for target in ("preview", "up"):
        said = running.make(target, fails=target == "up")
        for key, old, new in (
            ("cluster.httpPort", PORT, OTHER_PORT),
            ("cluster.listenAddress", "127.0.0.1", OTHER_ADDRESS),
            ("calico.blockSize", 26, 27),
        ):
            assert f"ingress-hops:{key}: {old} -> {new}" in said
        assert "REPLACE=1" in said
    assert running.objects() == before


@pytest.mark.costly
def test_a_rebuild_that_is_allowed_happens(running: Running) -> None:
    """The file is the one that the test before has left."""
    running.make("up", "REPLACE=1")
    assert statuses(EDITS[-1].requests, OTHER_PORT, OTHER_ADDRESS) == [200]
