"""One place names every version: whatever else names one has to agree."""

import re
import tomllib
from pathlib import Path

import pytest

from hops.model import versions
from hops.model.versions import CALICO, CONTOUR


def pins(project: Path) -> dict[str, str]:
    dependencies = tomllib.loads((project / "pyproject.toml").read_text())["project"]["dependencies"]
    return dict(line.split("==") for line in dependencies if "==" in line)


def locked(project: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (project / "requirements.txt").read_text(), re.MULTILINE))


def test_the_pulumi_packages_are_pinned(project: Path) -> None:
    pinned = pins(project)
    assert set(pinned) == {"pulumi", "pulumi-command", "pulumi-kubernetes", "pulumi-policy"}
    assert pinned["pulumi"] == versions.PULUMI


def test_the_locked_requirements_hold_the_pins(project: Path) -> None:
    assert {name: locked(project).get(name) for name in pins(project)} == pins(project)


def test_everything_that_is_needed_is_locked(project: Path) -> None:
    table = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    wanted = [*table["dependencies"], *table["optional-dependencies"]["development"]]
    assert {re.split(r"[=<>~!\[]", line)[0].replace(".", "-") for line in wanted} <= set(locked(project))


def test_every_locked_requirement_has_a_hash(project: Path) -> None:
    text = (project / "requirements.txt").read_text()
    entries = re.split(r"\n(?=[a-z0-9-]+==)", text)
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_engine_that_the_project_asks_for_is_the_pinned_one(project: Path) -> None:
    assert f'requiredPulumiVersion: ">={versions.PULUMI}"' in (project / "Pulumi.yaml").read_text()


def test_the_node_image_is_kubernetes_134_with_a_digest() -> None:
    assert re.fullmatch(r"kindest/node:v1\.34\.\d+@sha256:[0-9a-f]{64}", versions.NODE_IMAGE)


def test_the_published_files() -> None:
    assert CALICO.file_name == f"calico-v{CALICO.version}.yaml"
    assert CONTOUR.file_name == f"contour-v{CONTOUR.version}.yaml"
    raw = "https://raw.githubusercontent.com"
    assert CALICO.url == f"{raw}/projectcalico/calico/v{CALICO.version}/manifests/calico-vxlan.yaml"
    assert CONTOUR.url == f"{raw}/projectcontour/contour/v{CONTOUR.version}/examples/render/contour.yaml"
    assert all(re.fullmatch(r"[0-9a-f]{64}", manifest.sha256) for manifest in (CALICO, CONTOUR))


@pytest.mark.parametrize(
    ("manifest", "images"),
    [
        (CALICO, {f"quay.io/calico/{part}:v{CALICO.version}" for part in ("cni", "node", "kube-controllers")}),
        (
            CONTOUR,
            {
                f"ghcr.io/projectcontour/contour:v{CONTOUR.version}",
                f"docker.io/envoyproxy/envoy:distroless-v{versions.ENVOY}",
            },
        ),
    ],
)
def test_the_images_in_the_published_files(manifest: versions.Manifest, images: set[str], manifests: Path) -> None:
    text = (manifests / manifest.file_name).read_text()
    assert set(re.findall(r"^\s+(?:- )?image: (\S+)", text, re.MULTILINE)) == images
