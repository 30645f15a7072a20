"""The examples and the package by the real engine: previews, and updates of what older versions made."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.engine.conftest import Clone, Preview

Objects = list[dict[str, Any]]


def example(clone: Clone, name: str) -> Preview:
    """The preview of an example; nothing of it stays in the clone."""
    there = replace(clone, folder=clone.folder / "examples" / name)
    there.pulumi("stack", "init", "hello")
    preview = there.preview("hello")
    there.pulumi("stack", "rm", "hello", "--yes")
    assert preview.returncode == 0, preview.text
    return preview


def check(preview: Preview, port: int) -> None:
    types = [resource["type"] for resource in preview.resources]
    assert {f"ingress-hops:index:{name}" for name in ("KindCluster", "Calico", "Contour", "Workload", "Ingress")} <= {
        *types
    }
    assert len([kind for kind in types if kind.startswith("kubernetes:")]) == 65
    (kind,) = (resource for resource in preview.resources if resource["type"] == "command:local:Command")
    assert json.loads(kind["inputs"]["stdin"])["nodes"][1]["extraPortMappings"][0]["hostPort"] == port
    assert preview.outputs["url"] == f"http://hello.localhost:{port}/"
    # A language host beside Pulumi's own is mentioned, and works the same.
    warnings = [warning for warning in preview.messages("warning") if " from $PATH at " not in warning]
    assert warnings == preview.messages("error") == []


def test_the_python_example(clone: Clone) -> None:
    check(example(clone, "python"), 8088)


def test_the_package_example(clone: Clone) -> None:
    if not shutil.which("pulumi-language-yaml"):
        pytest.skip("pulumi-language-yaml is not on PATH: Pulumi's own distribution has it")
    check(example(clone, "package"), 8089)


def test_the_package_has_a_schema(clone: Clone) -> None:
    schema = json.loads(clone.run("pulumi", "package", "get-schema", "./components").stdout)
    assert schema["name"] == "ingress-hops"
    assert len(schema["resources"]) == 9


OLDER = """
import json, sys
import pulumi
import pulumi_kubernetes as kubernetes

objects = json.load(open("objects.json"))
inside = pulumi.ResourceOptions(provider=kubernetes.Provider("render", render_yaml_to_directory="rendered"))
if pulumi.Config().require_bool("older"):
    for kind, name in (("Calico", "calico"), ("Contour", "contour")):
        parent = pulumi.ComponentResource(f"ingress-hops:index:{kind}", name, {}, inside)
        for item in objects[kind]:
            version = item["apiVersion"]
            pulumi.CustomResource(
                f"kubernetes:{version if '/' in version else f'core/{version}'}:{item['kind']}",
                f"{item['kind']}-{item['metadata']['name']}".lower(),
                {**item, "status": None},
                pulumi.ResourceOptions(parent=parent),
            )
else:
    from components import Calico, Contour
    Calico("calico", {"objects": objects["Calico"]}, inside)
    Contour("contour", {"objects": objects["Contour"]}, inside)
"""


def test_what_an_older_version_made_is_neither_replaced_nor_deleted(
    clone: Clone, tmp_path: Path, calico_objects: Objects, contour_objects: Objects
) -> None:
    """The children of Calico and Contour had names without their parent's."""
    runtime = {"name": "python", "options": {"toolchain": "pip", "virtualenv": str(clone.folder / ".venv")}}
    (tmp_path / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "older", "runtime": runtime}))
    (tmp_path / "__main__.py").write_text(OLDER)
    objects = {"Calico": calico_objects, "Contour": contour_objects}
    (tmp_path / "objects.json").write_text(json.dumps(objects))
    project = replace(clone, folder=tmp_path)
    project.pulumi("stack", "init", "older")
    project.pulumi("config", "set", "older", "true")
    project.pulumi("up", "--yes", "--skip-preview")
    project.pulumi("config", "set", "older", "false")
    done = project.run("pulumi", "preview", "--json", "--non-interactive")
    steps = json.loads(done.stdout)["steps"]
    operations = {step["urn"].rpartition("::")[2]: step["op"] for step in steps}
    assert set(operations.values()) == {"same", "update"}, operations
    assert operations["calico-daemonset-calico-node"] == "update"
