"""The schemas of the API server: generated from what is published, and fit for every published object."""

import json
from pathlib import Path

import yaml

from hops.kubernetes.schemas.catalogue import catalogue
from hops.kubernetes.schemas.refusals import refusals
from hops.model.versions import CALICO, CONTOUR
from tests.hops.kubernetes.published_schemas import COMMAND, FOLDER, custom, kubernetes


def test_the_schemas_of_kubernetes_are_those_of_the_package() -> None:
    assert (FOLDER / "kubernetes.json").read_text(encoding="utf-8") == kubernetes(), f"stale: {COMMAND}"


def test_the_schemas_of_contour_and_calico_are_those_of_the_published_files(manifests: Path) -> None:
    assert (FOLDER / "custom.json").read_text(encoding="utf-8") == custom(manifests), f"stale: {COMMAND}"


def test_the_schemas_of_contour_and_calico_are_of_the_pinned_versions() -> None:
    sources = json.loads((FOLDER / "custom.json").read_text(encoding="utf-8"))["sources"]
    assert sources == {"calico": CALICO.version, "contour": CONTOUR.version}, f"stale: {COMMAND}"


def test_no_published_object_is_refused(manifests: Path) -> None:
    known = catalogue("1.34")
    for manifest in (CALICO, CONTOUR):
        for body in yaml.load_all((manifests / manifest.file_name).read_text(), Loader=yaml.CSafeLoader):
            validator = known.validator(body["apiVersion"], body["kind"])
            assert validator, body["kind"]
            assert refusals(validator, body) == []
