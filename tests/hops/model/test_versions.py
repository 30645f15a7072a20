"""`hops/model/versions.py` and the lock define every version. All other files agree with them."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from hops.model import versions
from hops.model.versions import CALICO, CONTOUR, GATEWAY_API

LOCKS = ("requirements.txt", "requirements-dev.txt")


def declared(project: Path) -> dict[str, list[Requirement]]:
    """What pyproject.toml asks for: by a user's lock and by what a contributor's adds."""
    table = tomllib.loads((project / "pyproject.toml").read_text())
    groups = table["dependency-groups"]
    extras = table["project"]["optional-dependencies"]
    users = [*table["project"]["dependencies"], *extras["pulumi"], *groups["build"]]
    assert set(extras) == {"pulumi"}
    assert set(groups) == {"build", "development"}
    return {
        "requirements.txt": [Requirement(line) for line in users],
        "requirements-dev.txt": [Requirement(line) for line in groups["development"]],
    }


def locked(project: Path, lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (project / lock).read_text(), re.MULTILINE))


def test_the_pulumi_packages_are_an_extra_and_the_engine_is_the_locked_one(project: Path) -> None:
    table = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    names = {Requirement(line).name for line in table["optional-dependencies"]["pulumi"]}
    # watchfiles is what `hops dev` needs, which runs Pulumi.
    assert names == {"pulumi", "pulumi-command", "pulumi-kubernetes", "pulumi-policy", "watchfiles"}
    assert locked(project, "requirements.txt")["pulumi"] == versions.PULUMI


def test_the_metadata_has_ranges_with_both_ends(project: Path) -> None:
    table = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    for line in (*table["dependencies"], *table["optional-dependencies"]["pulumi"]):
        assert {one.operator for one in Requirement(line).specifier} == {">=", "<"}, line


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_that_is_needed_is_locked_at_a_version_in_its_range(project: Path, lock: str) -> None:
    every = {name: version for one in LOCKS for name, version in locked(project, one).items()}
    for expected in declared(project)[lock]:
        assert expected.specifier.contains(every[expected.name]), expected


def test_a_users_lock_needs_nothing_of_a_contributors(project: Path) -> None:
    users, contributors = (locked(project, lock) for lock in LOCKS)
    assert not set(users) & set(contributors)
    assert {one.name for one in declared(project)["requirements.txt"]} <= set(users)
    assert not {"pytest", "mypy", "ruff", "moto", "uv"} & set(users)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_requirement_has_a_hash_and_no_address(project: Path, lock: str) -> None:
    text = (project / lock).read_text()
    entries = re.split(r"\n(?=[a-z0-9-]+==)", text)
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"://|--(extra-)?index|--find-links", text)


def test_the_licence_is_named_and_whole(project: Path) -> None:
    table = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert (table["license"], table["license-files"]) == ("Apache-2.0", ["LICENSE"])
    text = (project / "LICENSE").read_text()
    assert "Apache License" in text.splitlines()[1]
    assert "END OF TERMS AND CONDITIONS" in text


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
    assert GATEWAY_API.file_name == f"contour-gateway-v{CONTOUR.version}.yaml"
    assert GATEWAY_API.url == f"{raw}/projectcontour/contour/v{CONTOUR.version}/examples/gateway/00-crds.yaml"
    assert all(re.fullmatch(r"[0-9a-f]{64}", manifest.sha256) for manifest in (CALICO, CONTOUR, GATEWAY_API))


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
