"""What is said of observations that were recorded from real clusters."""

import gzip
from pathlib import Path

import pytest

from hops.model.finding import Level
from hops.trace.observed.observation import Observation
from hops.trace.observed.redact import redacted
from hops.trace.result import Verdict
from hops.trace.verdict import status, trace
from tests.live.faults.catalogue import shuffled
from tests.live.faults.path import Reported
from tests.live.faults.score import Outcome, judged

RECORDED = Path(__file__).parents[2] / "recorded"
FAULTS = {fault.number: fault for fault in shuffled()}
BROKEN = sorted((RECORDED / "faults").glob("*.json.gz"))
STRANGE = ("/root", "/tmp/pytest", "BEGIN", "client-key-data", "Bearer")  # noqa: S108 - looked for, not written


@pytest.fixture(scope="module")
def healthy() -> Observation:
    return Observation.model_validate_json((RECORDED / "healthy.json").read_bytes())


def test_nothing_is_wrong_with_a_real_healthy_path(healthy: Observation) -> None:
    traced = trace(healthy)
    assert [str(finding) for finding in traced.findings] == []
    assert {hop.name: hop.verdict for hop in traced.hops if hop.verdict is not Verdict.OK} == {
        "service": Verdict.BESIDE
    }
    assert all(hop.found for hop in traced.hops)
    assert (status(traced), traced.unseen) == (0, ())


def test_it_says_when_and_with_what_it_was_taken(healthy: Observation) -> None:
    assert healthy.taken.startswith("20")
    assert {"docker", "kubernetes", "envoy", "contour", "calico-node", "kernel"} <= set(healthy.versions)


def test_it_holds_no_secrets_and_nothing_of_the_machine(healthy: Observation) -> None:
    assert trace(redacted(healthy)) == trace(healthy)
    text = (RECORDED / "healthy.json").read_text()
    assert not [word for word in STRANGE if word in text]


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.name.partition(".")[0])
def test_a_real_fault_is_named_again(file: Path) -> None:
    """Judged as in the run that it was recorded in; it holds no secrets, and nothing of the machine."""
    text = gzip.decompress(file.read_bytes()).decode()
    observation = Observation.model_validate_json(text)
    fault, traced = FAULTS[int(file.name.partition(".")[0])], trace(observation)
    by_level = {
        mandatory: tuple((f.hop, f.code) for f in traced.findings if (f.level is Level.MANDATORY) is mandatory)
        for mandatory in (True, False)
    }
    reported = Reported(
        traced.first.name if traced.first else None, by_level[True], by_level[False], 0.0, observation.versions
    )
    assert judged(fault.expected, reported, fault.stopping) is Outcome.RIGHT, (fault.title, reported)
    assert trace(redacted(observation)) == traced
    assert not [word for word in STRANGE if word in text]
