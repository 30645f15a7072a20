"""Every fault is put into a running path: the trace names its hop and its code, and nothing else."""

import pytest

from tests.live.faults.catalogue import SEED, later_pairs, pairs, shuffled
from tests.live.faults.fault import Fault
from tests.live.faults.healthy import VARIANTS
from tests.live.faults.run import Run
from tests.live.faults.score import Outcome, Row, names_both, names_the_first


def right(row: Row) -> None:
    expected = " and ".join(row.expected) or "nothing"
    said = f"{', '.join(row.said) or 'nothing'}; first broken hop: {row.first}"
    assert row.outcome is Outcome.RIGHT, f"{row.title}: {expected} was expected and the trace said {said} (seed {SEED})"


@pytest.mark.fault
@pytest.mark.parametrize("name", VARIANTS)
def test_a_healthy_path_is_left_alone(run: Run, name: str) -> None:
    right(run.healthy(name))


@pytest.mark.fault
@pytest.mark.parametrize("fault", shuffled(), ids=lambda fault: str(fault.number))
def test_a_fault_is_named(run: Run, fault: Fault) -> None:
    if why := fault.why_not():
        pytest.skip(why)
    right(run.fault(fault))


def _named(pair: tuple[Fault, Fault]) -> str:
    return f"{pair[0].number}+{pair[1].number}"


@pytest.mark.pairs
@pytest.mark.parametrize("pair", pairs(), ids=_named)
def test_the_first_fault_of_a_pair_is_named(run: Run, pair: tuple[Fault, Fault]) -> None:
    first_is_named(run, pair, "pairs")


@pytest.mark.pairs
@pytest.mark.parametrize("pair", later_pairs(), ids=_named)
def test_the_first_fault_of_a_later_pair_is_named(run: Run, pair: tuple[Fault, Fault]) -> None:
    first_is_named(run, pair, "later pairs")


def first_is_named(run: Run, pair: tuple[Fault, Fault], section: str) -> None:
    for fault in pair:
        if why := fault.why_not():
            pytest.skip(why)
    row = run.pair(*pair, section)
    assert names_the_first(row), f"{row.title}: the trace said {', '.join(row.said) or 'nothing'} (seed {SEED})"


@pytest.mark.pairs
def test_nine_pairs_in_ten_are_named_both(run: Run) -> None:
    rows = run.rows["pairs"]
    named = [row for row in rows if names_both(row)]
    assert len(named) * 10 >= len(rows) * 9, [row.name for row in rows if row not in named]
