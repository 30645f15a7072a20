"""The page of all settings is the models' own."""

from hops.model.plan import IN_PLACE, POOL, plan
from hops.model.settings import settings
from hops.model.settings_page import page, schema
from tests.conftest import PROJECT


def test_the_page_is_not_stale() -> None:
    there = (PROJECT / "docs/settings.md").read_text(encoding="utf-8")
    assert there == page(), "stale: run hops settings --write docs/settings.md"


def test_a_rebuild_is_what_changes_the_fingerprint() -> None:
    before = plan(settings("a", {})).fingerprint
    definitions = schema()["$defs"]
    for section, name in (("cluster", "ClusterSettings"), ("calico", "CalicoSettings"), ("contour", "ContourSettings")):
        for key, of in definitions[name]["properties"].items():
            fixed = (section == "cluster" and key not in IN_PLACE) or (section == "calico" and key in POOL)
            after = plan(settings("a", {section: {key: of["examples"][0]}})).fingerprint
            assert (after != before) == fixed, key
