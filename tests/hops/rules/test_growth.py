"""The work of the rules grows with the number of objects, in every shape, and not with its square."""

import sys
from collections.abc import Callable
from datetime import date

import pytest

from bench.shapes import SHAPES, Objects
from hops.kubernetes.inventory import Inventory
from hops.model.finding import Place
from hops.rules.configuration import configure
from hops.rules.judge import judge

FEW, MANY = 60, 240


def calls(made: Objects) -> int:
    """How many functions the judge calls for some objects. Unlike time, the number is the same in every run."""
    declared = [(body, Place("file", number)) for number, body in enumerate(made)]
    counted = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        judge(Inventory(declared, today=date(2026, 1, 1)), configure())
    finally:
        sys.setprofile(before)
    return counted


@pytest.mark.parametrize("made", SHAPES.values(), ids=SHAPES)
def test_four_times_the_objects_take_about_four_times_the_work(made: Callable[[int], Objects]) -> None:
    fixed = calls(iter(()))
    assert calls(made(MANY)) - fixed < 5.5 * (calls(made(FEW)) - fixed)
