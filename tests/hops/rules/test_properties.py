"""What holds of every rule whatever is declared."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hops.kubernetes.values import UNKNOWN
from hops.model.finding import Finding
from hops.rules.catalogue import RULES
from tests.hops.rules.cases import documents, verdict

EXAMPLES = [documents(text) for rule in RULES.values() for text in (rule.bad, rule.good)]
ODD: list[Any] = [
    UNKNOWN,
    None,
    "",
    "80",
    0,
    -1,
    80,
    1.5,
    True,
    [],
    {},
    [None],
    {"a": None},
    [[]],
    "a/b",
    [UNKNOWN],
    ["x"],
]


def keys(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to every value in a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from keys(item, (*path, key))


def shuffled(value: Any, order: random.Random) -> Any:
    if isinstance(value, dict):
        return {key: shuffled(value[key], order) for key in order.sample(list(value), len(value))}
    return [shuffled(item, order) for item in value] if isinstance(value, list) else value


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    items = {key: replaced(item, path[1:], new) if key == path[0] else item for key, item in pairs}
    return items if isinstance(value, dict) else list(items.values())


def shown(findings: list[Finding]) -> list[str]:
    return sorted(f"{finding} {finding.path} {finding.level}" for finding in findings)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_input_breaks_a_rule(data: st.DataObject) -> None:
    bodies = list(data.draw(st.sampled_from(EXAMPLES)))
    if any(body["kind"] == "Policy" for body in bodies):
        return
    for _ in range(data.draw(st.integers(1, 3))):
        index = data.draw(st.integers(0, len(bodies) - 1))
        if paths := list(keys(bodies[index])):
            path = data.draw(st.sampled_from(paths))
            bodies[index] = replaced(bodies[index], path, ODD[data.draw(st.integers(0, len(ODD) - 1))])
    assert [finding.message for finding in verdict(bodies) if "a bug of the rule" in finding.message] == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(EXAMPLES), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_neither_documents_nor_keys_have_an_order(examples: list[list[Any]], order: random.Random) -> None:
    bodies = [body for example in examples for body in example if body["kind"] != "Policy"]
    mixed = [shuffled(body, order) for body in order.sample(bodies, len(bodies))]
    assert shown(verdict(mixed)) == shown(verdict(bodies))


# Any value can be unknown in a preview. A rule that asks something of every value would leave nothing decided; the API
# server judges an unknown value in the update.
@pytest.mark.parametrize("code", [code for code in RULES if code != "PK01" and not code.startswith("AP")])
def test_every_unknown_value_is_decided_without_or_reported(code: str) -> None:
    """Whatever single value of a bad example isn't known, its mandatory rule doesn't pass it in silence."""
    bodies = documents(RULES[code].bad)
    for index, body in enumerate(bodies):
        for path in keys(body):
            if path[0] in ("apiVersion", "kind") or body["kind"] == "Policy":
                continue
            tried = [replaced(body, path, UNKNOWN) if i == index else other for i, other in enumerate(bodies)]
            found = {finding.code for finding in verdict(tried, rules=[code])}
            assert found & {code, "PK01"}, path


@pytest.mark.parametrize("code", RULES)
@pytest.mark.parametrize("example", ["bad", "good"])
def test_an_object_that_two_files_declare_is_no_rival_of_itself(code: str, example: str) -> None:
    """As `hops check .` meets it where a base lies beside its overlays."""
    bodies = [body for body in documents(getattr(RULES[code], example)) if body["kind"] != "Policy"]
    assert {*shown(verdict([*bodies, *bodies]))} == {*shown(verdict(bodies))}
