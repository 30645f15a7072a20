"""Resources of a user's own beside a stack, as docs/own-resources.md shows them, in previews of the real engine."""

from pathlib import Path

import pytest

from tests.engine.conftest import Clone, clone_of
from tests.test_documents import blocks

SETTINGS = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: apps}, data: {colour: blue}}\n"


@pytest.fixture
def own(origin: Path, manifests: Path, tmp_path: Path) -> Clone:
    clone = clone_of(origin, tmp_path, manifests)
    clone.pulumi("stack", "init", "local")
    return clone


def test_what_the_page_shows_is_previewed_and_judged(own: Clone) -> None:
    program, plain, manifests, helm = blocks("docs/own-resources.md", "python")
    main = own.folder / "__main__.py"
    main.write_text(program)
    preview = own.preview("local", "--policy-pack", "policy")
    assert preview.returncode == 0, preview.text
    objects = [resource for resource in preview.resources if resource["type"].startswith("kubernetes:")]
    made = {resource["urn"].rpartition("::")[2]: resource for resource in objects}
    assert made["apps/notes-pod"]["inputs"]["spec"]["containers"][0]["image"] == "python:3.13-slim"
    ingresses = [resource["inputs"] for resource in objects if resource["type"].endswith(":Ingress")]
    assert "notes.localhost" in {ingress["spec"]["rules"][0]["host"] for ingress in ingresses}
    assert made["apps/notes-pod"]["provider"] == made["apps/example-pod"]["provider"]
    main.write_text(program.replace('"/usr"', '"/"'))
    broken = own.preview("local", "--policy-pack", "policy")
    assert broken.returncode != 0
    assert "EX01" in broken.text
    chart = own.folder / "charts" / "redis"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("{apiVersion: v2, name: redis, version: 1.0.0}")
    (own.folder / "manifests").mkdir()
    (own.folder / "manifests" / "settings.yaml").write_text(SETTINGS)
    main.write_text(program + plain + manifests + helm)
    whole = own.preview("local", "--policy-pack", "policy")
    assert whole.returncode == 0, whole.text
    made = {resource["urn"].rpartition("::")[2]: resource for resource in whole.resources}
    assert made["hello-ingress"]["inputs"]["spec"]["rules"][0]["host"] == "hello.localhost"
    assert made["apps/settings"]["inputs"]["data"] == {"colour": "blue"}
    assert made["apps/settings"]["provider"] == made["apps/example-pod"]["provider"]
    assert any(resource["type"] == "kubernetes:helm.sh/v3:Release" for resource in whole.resources)
    assert {finding for finding in whole.reported if "hello" in finding[2]} == {
        ("advisory", "EX05", "Deployment/apps/hello")
    }
    main.write_text(program + plain.replace('ServiceAccountToken": False', 'ServiceAccountToken": True'))
    broken = own.preview("local", "--policy-pack", "policy")
    assert ("mandatory", "EX02", "Deployment/apps/hello") in broken.reported
