"""A Deployment that `hops dev` rolls out: what is applied, and as whom."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components.workload import DIGEST
from hops.cli.updates.rollout import apply, deployments, with_image
from hops.model.images.image import Build
from hops.observe.in_cluster.drift import AHEAD

OLD = Build("apps/web", "ingress-hops-dev", "/p/web", "/p/web/Dockerfile", None, {}, "0" * 16)
NEW = Build("apps/web", "ingress-hops-dev", "/p/web", "/p/web/Dockerfile", None, {}, "1" * 16)
BESIDE = "postgres:17"


def state(**metadata: Any) -> dict[str, Any]:
    inputs = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "apps", "annotations": {"pulumi.com/skipAwait": "true"}, **metadata},
        "spec": {
            "replicas": 1,
            "template": {
                "metadata": {"annotations": {DIGEST: "old", "ingress-hops/env": "apps.web.env-1a2b"}},
                "spec": {"containers": [{"name": "server", "image": OLD.image}, {"name": "db", "image": BESIDE}]},
            },
        },
    }
    resource = {
        "urn": "urn:web",
        "type": "kubernetes:apps/v1:Deployment",
        "inputs": inputs,
        "outputs": {**inputs, "__fieldManager": "pulumi-kubernetes-1a2b"},
    }
    return {"deployment": {"resources": [resource]}}


def template(digest: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {DIGEST: digest}}}


def test_only_image_digest_and_the_sign_that_it_is_ahead_differ_from_the_state() -> None:
    of = deployments(state())["apps/web"]
    body = with_image(of, NEW, template("new"))
    assert body["metadata"]["annotations"].pop(AHEAD) == NEW.image
    new = body["spec"]["template"]
    assert [container["image"] for container in new["spec"]["containers"]] == [NEW.image, BESIDE]
    assert new["metadata"]["annotations"] == {DIGEST: "new", "ingress-hops/env": "apps.web.env-1a2b"}
    new["spec"]["containers"][0]["image"], new["metadata"]["annotations"][DIGEST] = OLD.image, "old"
    assert body == of.inputs


def test_the_image_in_the_state_is_not_ahead() -> None:
    of = deployments(state())["apps/web"]
    assert with_image(of, OLD, template("old")) == of.inputs


def test_it_is_applied_as_by_pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docker").write_text(f'#!/bin/sh\necho "$*" > {tmp_path}/words\ncat > {tmp_path}/body\n')
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    of = deployments(state())["apps/web"]
    apply("c-control-plane", of, {"kind": "Deployment"})
    words = (tmp_path / "words").read_text()
    assert "apply --server-side --field-manager=pulumi-kubernetes-1a2b" in words
    assert "force" not in words, "what somebody else owns is not taken"
    assert (tmp_path / "body").read_text() == '{"kind": "Deployment"}'


def test_a_deployment_without_a_manager_is_left_to_pulumi() -> None:
    without = state()
    del without["deployment"]["resources"][0]["outputs"]["__fieldManager"]
    assert deployments(without) == {}


PROGRAM = """
import json, sys
from hops.cli.plan import templates
from hops.model.images.image import Build
from hops.model.settings.stack_config import settings

service = {"name": "web", "build": {"context": "web"}, "port": 3000, "env": {"PASSWORD": {"secret": "db"}}}
of = settings("dev", {"services": [service, {"name": "bare"}], "secrets": {"db": {"secure": "v1:x"}}})
build = {"service": "apps/web", "cluster": "c", "context": "/", "dockerfile": "/", "target": None, "args": {}}
print(json.dumps([templates("dev", of, {"apps/web": Build(**build, digest=digest * 16)}) for digest in "01"]))
"""


def test_the_program_says_which_digest_an_image_has() -> None:
    """In a process of its own: a program of Pulumi leaves its stack behind."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    old, new = json.loads(done.stdout)
    assert list(old) == ["apps/web"], "a bare pod is no Deployment"
    assert old["apps/web"]["spec"]["containers"][0]["image"] == f"ingress-hops.invalid/c/apps/web:{'0' * 16}"
    digests = [each["apps/web"]["metadata"]["annotations"][DIGEST] for each in (old, new)]
    assert digests[0] != digests[1]
