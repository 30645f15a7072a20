"""The fault suite's own logic, without a cluster, and the page that it wrote."""

import json

import pytest

from tests.live.faults.catalogue import (
    ENCRYPTION,
    LATER,
    LATER_PAIRS,
    PAIRS,
    SAMPLE,
    later_pairs,
    pairs,
    sampled,
    shuffled,
    together,
)
from tests.live.faults.fault import FAULTS
from tests.live.faults.page import PAGE, RESULTS, page
from tests.live.faults.path import Reported
from tests.live.faults.score import Outcome, judged


def reported(
    first: str | None, *stopping: tuple[str | None, str], advisory: tuple[tuple[str | None, str], ...] = ()
) -> Reported:
    return Reported(first, stopping, advisory, 1.0, {})


EXPECTED = (("endpoint", "SV01"),)


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (reported("endpoint", ("endpoint", "SV01")), Outcome.RIGHT),
        (reported("endpoint", ("endpoint", "SV01"), advisory=(("name", "T03"),)), Outcome.RIGHT),
        (reported(None), Outcome.NOT_SEEN),
        (reported(None, advisory=(("name", "T03"),)), Outcome.NOT_SEEN),
        (reported("endpoint"), Outcome.NOT_SEEN),
        (reported("endpoint", ("endpoint", "T33")), Outcome.WRONG),
        (reported("pod", ("pod", "SV01")), Outcome.WRONG),
        (reported("route", ("endpoint", "SV01")), Outcome.WRONG),
        (reported("endpoint", ("endpoint", "SV01"), ("pod", "T32")), Outcome.WRONG),
        (reported(None, advisory=(("endpoint", "SV01"),)), Outcome.WRONG),
    ],
)
def test_a_fault_that_stops_the_request(said: Reported, outcome: Outcome) -> None:
    assert judged(EXPECTED, said, EXPECTED) is outcome


def test_a_fault_beside_the_path_breaks_no_hop() -> None:
    beside = (("service", "T45"),)
    assert judged(beside, reported(None, advisory=beside), ()) is Outcome.RIGHT
    assert judged(beside, reported("route", advisory=beside), ()) is Outcome.WRONG


def test_both_of_two_faults_have_to_be_named() -> None:
    both = (("endpoint", "SV01"), ("pod", "T40"))
    assert judged(both, reported("endpoint", *both), both) is Outcome.RIGHT
    assert judged(both, reported("endpoint", both[0]), both) is Outcome.WRONG
    assert judged(both, reported("pod", *both), both) is Outcome.WRONG


def test_a_fault_that_stops_nothing_leaves_the_first_broken_hop_to_the_other() -> None:
    both = (("name", "T03"), ("endpoint", "T35"))
    said = reported("endpoint", both[1], advisory=both[:1])
    assert judged(both, said, both[1:]) is Outcome.RIGHT
    assert judged(both, said, both) is Outcome.WRONG
    rival = (("route", "IN05"), ("endpoint", "T39"))
    assert judged(rival, reported("route", *rival), rival[1:]) is Outcome.RIGHT, (
        "a rival's route is broken where it fails"
    )
    assert judged(rival, reported("pod", *rival), rival[1:]) is Outcome.WRONG


def test_a_healthy_path_has_no_finding_of_any_level() -> None:
    assert judged((), reported(None), ()) is Outcome.RIGHT
    assert judged((), reported(None, advisory=(("name", "T03"),)), ()) is Outcome.WRONG


def test_every_fault_of_the_list_is_there_and_comes_once() -> None:
    assert sorted(FAULTS) == list(range(1, 87))
    assert sorted(fault.number for fault in shuffled()) == list(range(1, 87))
    taken = {fault.number for fault in sampled()}
    assert len(taken) == SAMPLE
    assert len(taken & set(ENCRYPTION)) == 2


def test_pairs_are_of_faults_that_can_be_there_together() -> None:
    chosen = pairs()
    assert len({(one.number, other.number) for one, other in chosen}) == PAIRS
    assert all(together(one, other) for one, other in chosen)
    assert not together(FAULTS[28], FAULTS[30]), "both change the Service"
    assert not together(FAULTS[42], FAULTS[34]), "a pod that does not run has no interface"


def test_later_pairs_have_a_later_fault_and_one_port() -> None:
    chosen = later_pairs()
    assert len(chosen) == LATER_PAIRS
    for pair in chosen:
        assert together(*pair)
        assert {fault.number for fault in pair} & set(LATER)
        secure = {fault.number for fault in pair} & set(ENCRYPTION)
        assert not (secure and {"port-mapping", "host-port"} & {str(fault.expected[0][0]) for fault in pair})


def test_the_page_is_that_of_the_results() -> None:
    if not RESULTS.exists():
        pytest.skip("no run has been recorded yet: make test-live")
    assert PAGE.read_text() == page(json.loads(RESULTS.read_text())), "python -m tests.live.faults.page"
