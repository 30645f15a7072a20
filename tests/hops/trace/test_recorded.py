"""What is said of sights that were recorded from real clusters."""

from pathlib import Path

import pytest

from hops.trace.redact import redacted
from hops.trace.sight import Sight
from hops.trace.trace import Verdict
from hops.trace.verdict import status, trace

RECORDED = Path(__file__).parents[2] / "recorded"


@pytest.fixture(scope="module")
def healthy() -> Sight:
    return Sight.model_validate_json((RECORDED / "healthy.json").read_bytes())


def test_nothing_is_wrong_with_a_real_healthy_path(healthy: Sight) -> None:
    traced = trace(healthy)
    assert [str(finding) for finding in traced.findings] == []
    assert {hop.name: hop.verdict for hop in traced.hops if hop.verdict is not Verdict.OK} == {
        "service": Verdict.BESIDE
    }
    assert all(hop.found for hop in traced.hops)
    assert (status(traced), traced.unseen) == (0, ())


def test_it_says_when_and_with_what_it_was_taken(healthy: Sight) -> None:
    assert healthy.taken.startswith("20")
    assert {"docker", "kubernetes", "envoy", "contour", "calico-node", "kernel"} <= set(healthy.versions)


def test_it_holds_no_secrets_and_nothing_of_the_machine(healthy: Sight) -> None:
    assert redacted(healthy) == healthy
    text = (RECORDED / "healthy.json").read_text()
    assert not [word for word in ("/root", "BEGIN", "client-key-data", "Bearer") if word in text]
