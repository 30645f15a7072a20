"""The schemas of the API server: generated from what is published, and fit for every published object."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hops.kubernetes.schemas.catalogue import catalogue
from hops.kubernetes.schemas.catalogue import time_zones as known_zones
from hops.kubernetes.schemas.refusals import refusals
from hops.model.versions import CALICO, CONTOUR
from tests.hops.kubernetes.schemas.published_schemas import (
    COMMAND,
    FOLDER,
    GATEWAY_API,
    custom,
    gateway,
    gateway_modules,
    kubernetes,
    time_zones,
)


def test_the_schemas_of_kubernetes_are_those_of_the_package() -> None:
    assert (FOLDER / "kubernetes.json").read_text(encoding="utf-8") == kubernetes(), f"stale: {COMMAND}"


def test_the_schemas_of_contour_and_calico_are_those_of_the_published_files(manifests: Path) -> None:
    assert (FOLDER / "custom.json").read_text(encoding="utf-8") == custom(manifests), f"stale: {COMMAND}"


def test_the_schemas_of_contour_and_calico_are_of_the_pinned_versions() -> None:
    sources = json.loads((FOLDER / "custom.json").read_text(encoding="utf-8"))["sources"]
    assert sources == {"calico": CALICO.version, "contour": CONTOUR.version}, f"stale: {COMMAND}"


def test_the_schemas_of_gateway_api_are_those_of_its_modules() -> None:
    modules = gateway_modules(download=False)
    if not modules:
        pytest.skip(f"Go does not have sigs.k8s.io/gateway-api {GATEWAY_API}: {COMMAND} downloads it")
    assert (FOLDER / "gateway.json").read_text(encoding="utf-8") == gateway(modules), f"stale: {COMMAND}"


def test_the_schemas_of_gateway_api_are_of_the_named_versions() -> None:
    sources = json.loads((FOLDER / "gateway.json").read_text(encoding="utf-8"))["sources"]
    assert sources == {"gateway-api": ", ".join(GATEWAY_API)}, f"stale: {COMMAND}"


def test_the_time_zones_are_those_of_go() -> None:
    zones = time_zones()
    if not zones:
        pytest.skip("Go is not installed")
    # Zones are added and not removed, so an older Go has fewer.
    assert set(json.loads(zones)["zones"]) <= known_zones(), f"stale: {COMMAND}"


def test_no_published_object_is_refused(manifests: Path) -> None:
    known = catalogue("1.34")
    for manifest in (CALICO, CONTOUR):
        for body in yaml.load_all((manifests / manifest.file_name).read_text(), Loader=yaml.CSafeLoader):
            validator = known.validator(body["apiVersion"], body["kind"])
            assert validator, body["kind"]
            assert refusals(validator, body) == []


@pytest.mark.parametrize("depth", [0, 150])
def test_a_value_that_no_file_can_hold_is_not_judged(depth: int) -> None:
    """Half a surrogate pair, and a nesting that the library does not read."""
    value: Any = "\ud800" if depth == 0 else "x"
    for _ in range(depth):
        value = {"a": [value]}
    validator = catalogue("1.34").validator("v1", "ConfigMap")
    assert validator
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": value}}
    assert refusals(validator, body) == []
    assert refusals(validator, {**body, "data": {"a": {}}}) != []
