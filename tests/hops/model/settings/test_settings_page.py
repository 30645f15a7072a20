"""The page of all settings is the models' own."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from hops.model.plan import IN_PLACE, POOL, plan
from hops.model.settings.settings_page import file_schema, page, schema
from hops.model.settings.stack_config import settings
from tests.conftest import PROJECT


def test_the_page_is_not_stale() -> None:
    there = (PROJECT / "docs/settings.md").read_text(encoding="utf-8")
    assert there == page(), "stale: run hops settings --write docs/settings.md"


def test_every_section_of_a_stacks_file_is_described() -> None:
    headings = {line for line in page().splitlines() if line.startswith("## ")}
    for section in schema()["properties"]:
        assert headings & {f"## `ingress-hops:{section}`", f"## `ingress-hops:{section}[]`"}, section


SCHEMA = PROJECT / "stacks" / "stack.schema.json"


def test_the_schema_for_editors_is_not_stale() -> None:
    there = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert there == json.loads(json.dumps(file_schema())), "stale: run hops settings --schema stacks/stack.schema.json"


def mistakes(file: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(file_schema()).iter_errors(file)]


@pytest.mark.parametrize("path", sorted(SCHEMA.parent.glob("Pulumi.*.yaml")), ids=lambda path: path.name)
def test_an_editor_accepts_every_stack_here(path: Path) -> None:
    assert mistakes(yaml.safe_load(path.read_text())) == []


@pytest.mark.parametrize(
    "config",
    [
        {"ingress-hops:cluster": {"htpPort": 8080}},
        {"ingress-hops:clusters": {}},
        {"ingress-hops:services": [{"replicas": "two"}]},
        {"ingress-hops:services": []},
    ],
)
def test_an_editor_marks_a_mistake(config: dict[str, Any]) -> None:
    assert mistakes({"config": config}) != []
    assert mistakes({"config": {"aws:region": "eu-central-1"}, "encryptionsalt": "v1:x"}) == []


def test_a_rebuild_is_what_changes_the_fingerprint() -> None:
    definitions = schema()["$defs"]
    for section, name in (("cluster", "ClusterSettings"), ("calico", "CalicoSettings"), ("contour", "ContourSettings")):
        for key, of in definitions[name]["properties"].items():
            fixed = (section == "cluster" and key not in IN_PLACE) or (section == "calico" and key in POOL)
            if (section, key) in {("contour", "existing"), ("contour", "entrance"), ("cluster", "existing")}:
                # Another cluster has no fingerprint.
                continue
            # The example of a publishing worker is the second one.
            several: dict[str, Any] = {"cluster": {"workers": 3}} if key in ("publishingWorker", "alsoPublish") else {}
            several = {"cluster": {"ipFamily": "dual"}} if key.endswith("IPv6") else several
            before = plan(settings("a", several)).fingerprint
            after = plan(settings("a", {section: several.get(section, {}) | {key: of["examples"][0]}})).fingerprint
            assert (after != before) == fixed, key
