"""The pack in previews of the real engine, and over a state by itself."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hops.pull_requests.events import read
from tests.engine.conftest import POLICY, Clone, Preview, clone_of

PROGRAM = """
import pulumi
import pulumi_command as command
import pulumi_kubernetes as kubernetes

made = command.local.Command("made", create="cat kubeconfig")
port = made.stdout.apply(int)
later = pulumi.ResourceOptions(provider=kubernetes.Provider("later", kubeconfig=made.stdout))
now = pulumi.ResourceOptions(provider=kubernetes.Provider("now", kubeconfig="/nowhere/config"))
for name, host_port, opts in (("known", 81, later), ("unknown", port, now), ("healthy", None, later)):
    kubernetes.core.v1.Pod(
        name,
        metadata={"name": name, "namespace": "apps"},
        spec={
            "automountServiceAccountToken": False,
            "containers": [{"name": "web", "image": "web", "ports": [{"containerPort": 81, "hostPort": host_port}]}],
        },
        opts=opts,
    )
"""


@pytest.fixture(scope="module")
def foreign(clone: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A project that isn't this one, with the pack beside it."""
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "Pulumi.yaml").write_text("{name: shop, runtime: {name: python, options: {virtualenv: .venv}}}")
    (folder / "__main__.py").write_text(PROGRAM)
    (folder / ".venv").symlink_to(clone.folder / ".venv")
    (folder / "policy").symlink_to(clone.folder / "policy")
    there = Clone(folder, clone.environment)
    there.pulumi("stack", "init", "dev")
    return there


def preview(clone: Clone, stack: str, folder: Path, rules: Mapping[str, Any]) -> Preview:
    config = folder / "config.json"
    config.write_text(json.dumps({"ingress-hops": {"rules": rules}}))
    return clone.preview(stack, *POLICY, *(("--policy-pack-config", str(config)) if rules else ()))


def claiming(name: str, port: int, host: str) -> dict[str, Any]:
    cluster = {"name": name, "httpPort": port, "httpsPort": None}
    return {"cluster": cluster, "services": [{"name": "shop", "host": host}]}


BOB: dict[str, Any] = {"name": "bob", "port": 8091, "host": "bob.localhost"}
CLAIMS: dict[str, tuple[dict[str, Any], set[tuple[str, str]]]] = {
    "nothing is shared": ({}, set()),
    "the port": ({"port": 8090}, {("XS01", "Cluster/bob")}),
    "the host name": ({"host": "alice.localhost"}, {("XS02", "Ingress/apps/shop-ingress")}),
    "the cluster's name": (
        {"name": "alice"},
        {("XS03", "Cluster/alice"), ("XS03", "pulumi:providers:kubernetes/default/cluster-kubernetes")},
    ),
}


@pytest.mark.parametrize(("shared", "expected"), CLAIMS.values(), ids=list(CLAIMS))
def test_what_two_developers_claim_is_reported_before_anything_is_made(
    origin: Path, manifests: Path, tmp_path: Path, shared: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    clone = clone_of(origin, tmp_path, manifests)
    clone.write_config("alice", claiming("alice", 8090, "alice.localhost"))
    clone.write_config("bob", claiming(**{**BOB, **shared}))
    clone.pulumi("stack", "init", "bob")
    found = preview(clone, "bob", tmp_path, {})
    assert found.reported == {("mandatory", *one) for one in expected}
    assert (found.returncode != 0) == bool(expected), found.text
    assert all("is already used by the stack alice" in event["message"] for event in found.of("policyEvent"))


def test_two_stacks_on_one_existing_cluster_are_reported(origin: Path, manifests: Path, tmp_path: Path) -> None:
    clone = clone_of(origin, tmp_path, manifests)
    for name in ("alice", "bob"):
        services = [{"name": "shop", "host": f"{name}.localhost"}]
        clone.write_config(name, {"cluster": {"existing": "office"}, "services": services})
    clone.pulumi("stack", "init", "bob")
    found = preview(clone, "bob", tmp_path, {})
    assert found.returncode != 0
    assert ("mandatory", "XS03", "pulumi:providers:kubernetes/default/existing") in found.reported, found.text
    clone.write_config("alice", {"cluster": {"existing": "home"}, "services": [{"host": "a.localhost"}]})
    assert "XS03" not in {code for _, code, _ in preview(clone, "bob", tmp_path, {}).reported}


def test_neither_unknown_values_nor_an_unconfigured_provider_let_anything_pass(foreign: Clone, tmp_path: Path) -> None:
    found = preview(foreign, "dev", tmp_path, {})
    assert found.returncode != 0
    assert {(level, code, resource) for level, code, resource in found.reported if level == "mandatory"} == {
        ("mandatory", "HP01", "Pod/apps/known"),
        ("mandatory", "PK01", "Pod/apps/unknown"),
    }


def test_remediation_changes_what_would_be_made(foreign: Clone, tmp_path: Path) -> None:
    found = preview(foreign, "dev", tmp_path, {"HP01": {"level": "remediate"}, "HP02": {"level": "disabled"}})
    (pod,) = [r["inputs"] for r in found.resources if r["urn"].endswith("::known")]
    assert pod["spec"]["containers"][0]["ports"] == [{"containerPort": 81}]
    assert [values for urn, values in read(found.text).mended.items() if urn.endswith("::known")] == [
        ("/spec/containers/0/ports/0/hostPort",)
    ]
    assert {(code, resource) for level, code, resource in found.reported if level == "mandatory"} == {
        ("PK01", "Pod/apps/unknown")
    }


@pytest.mark.parametrize(
    ("rules", "key"),
    [
        ({"HP01": {"level": "remedate"}}, "rules.HP01.level"),
        ({"HP01": {"parameters": {"allowd": []}}}, "allowd"),
        ({"hp1": {}}, "the policy pack's configuration: rules.hp1"),
    ],
)
def test_a_wrong_configuration_ends_the_preview_and_names_the_key(
    foreign: Clone, tmp_path: Path, rules: dict[str, Any], key: str
) -> None:
    found = preview(foreign, "dev", tmp_path, rules)
    assert found.returncode != 0
    assert key in found.text


def test_a_state_is_judged_without_program_and_cluster(foreign: Clone, tmp_path: Path) -> None:
    spec = {"containers": [{"name": "web", "ports": [{"containerPort": 81, "hostPort": 81}]}]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "apps"}, "spec": spec}
    kind = "kubernetes:core/v1:Pod"
    urn = f"urn:pulumi:dev::shop::{kind}::web"
    resource = {"urn": urn, "custom": True, "id": "apps/web", "type": kind, "inputs": body, "outputs": body}
    manifest = {"time": "2026-01-01T00:00:00Z", "magic": "", "version": ""}
    state = tmp_path / "state.json"
    state.write_text(json.dumps({"version": 3, "deployment": {"manifest": manifest, "resources": [resource]}}))
    done = foreign.run("pulumi", "policy", "analyze", *POLICY, "--file", str(state), "--non-interactive", check=False)
    assert done.returncode != 0
    assert "HP01 Pod/apps/web: container web uses hostPort 81/TCP" in done.stdout + done.stderr
