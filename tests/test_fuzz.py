"""A small sample of the fuzzing, with a seed of its own for each reader."""

from tests.fuzz import run


def test_a_sample_of_mutated_inputs_does_no_harm() -> None:
    faults: list[str] = []
    counts = run(1000, 7, progress=faults.append)
    assert faults == []
    assert all(counted["inputs"] > counted["refused"] for counted in counts.values())
