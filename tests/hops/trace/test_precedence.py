"""Which codes explain others away."""

from graphlib import TopologicalSorter

from hops.trace.precedence import YIELDS_TO


def test_every_code_that_another_yields_to_exists() -> None:
    assert {code for codes in YIELDS_TO.values() for code in codes} <= set(YIELDS_TO)


def test_no_two_codes_explain_each_other_away() -> None:
    order = list(TopologicalSorter(YIELDS_TO).static_order())
    assert len(order) == len(YIELDS_TO)
