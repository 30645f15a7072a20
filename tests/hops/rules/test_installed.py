"""The files that the project installs, as published, under all rules."""

import os
from pathlib import Path

import pytest
import yaml

from hops.model import versions
from hops.rules import judge as judge_module
from hops.rules.installed import INSTALLED
from tests.hops.rules.cases import verdict

FOLDER = Path(os.environ.get("INGRESS_HOPS_MANIFESTS", "/nonexistent"))
FILES = [FOLDER / manifest.file_name for manifest in (versions.CALICO, versions.CONTOUR)]

pytestmark = pytest.mark.skipif(
    not all(file.exists() for file in FILES), reason="INGRESS_HOPS_MANIFESTS names no folder with the published files"
)


def declared() -> list[object]:
    return [body for file in FILES for body in yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader) if body]


def test_the_published_files_have_no_finding() -> None:
    assert [str(finding) for finding in verdict(declared())] == []


def test_without_the_exceptions_there_is_just_what_they_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_module, "INSTALLED", ())
    found = {(f.code, str(f.resource), f.path) for f in verdict(declared())}
    assert found == {(entry.code, entry.resource, entry.path) for entry in INSTALLED}
