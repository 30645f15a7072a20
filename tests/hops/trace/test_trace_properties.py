"""What holds of every observation: what is not seen is never broken, and nothing odd ends a trace."""

import copy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hops.trace.result import Trace, Verdict
from hops.trace.verdict import trace
from tests.hops.trace.names import JSON
from tests.hops.trace.observations import healthy, view

HEALTHY = healthy()
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ODD: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just([]) | st.just({}) | st.just([None])
)
EMPTY: dict[str, Any] = {
    **dict.fromkeys(("stack", "cluster_name", "host", "docker", "cluster")),
    **{name: [] for name in ("nodes", "envoys", "requests")},
}


def judged(observation: JSON) -> Trace:
    return trace(view(observation).observation)


def broken(traced: Trace) -> list[str]:
    found = [finding.code for finding in traced.findings if finding.level == "mandatory"]
    return found + [hop.name for hop in traced.hops if hop.verdict is Verdict.BROKEN]


@given(parts=st.sets(st.sampled_from(sorted(EMPTY))))
@QUICK
def test_a_part_that_was_not_seen_is_never_broken(parts: set[str]) -> None:
    observation = {**copy.deepcopy(HEALTHY), **{part: copy.deepcopy(EMPTY[part]) for part in parts}}
    assert broken(judged(observation)) == []


@given(data=st.data())
@QUICK
def test_what_one_part_leaves_out_is_never_broken(data: st.DataObject) -> None:
    observation = copy.deepcopy(HEALTHY)
    for name in ("nodes", "envoys", "requests"):
        kept = data.draw(st.sets(st.integers(0, len(observation[name]) - 1)))
        observation[name] = [part for index, part in enumerate(observation[name]) if index in kept]
        for part in observation[name]:
            for key in data.draw(st.sets(st.sampled_from(sorted(part)))) - {"name", "pod", "where", "address", "port"}:
                if name != "requests":
                    del part[key]
    kinds = sorted({item["kind"] for item in observation["cluster"]["objects"]})
    for kind in data.draw(st.sets(st.sampled_from(kinds))):
        observation["cluster"]["objects"] = [o for o in observation["cluster"]["objects"] if o["kind"] != kind]
        observation["unseen"][f"cluster: {kind}"] = "forbidden"
    assert broken(judged(observation)) == []


def places(value: Any, base: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a value something stands."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [where for key, item in items for where in ((*base, key), *places(item, (*base, key)))]


OBJECTS = places(HEALTHY["cluster"]["objects"])
ANSWERS = places(HEALTHY["envoys"][0], ())
CONTAINERS = places(HEALTHY["docker"]["containers"])


@given(data=st.data(), odd=ODD)
@QUICK
def test_no_odd_value_ends_a_trace(data: st.DataObject, odd: Any) -> None:
    observation = copy.deepcopy(HEALTHY)
    target, known = data.draw(
        st.sampled_from(
            [
                (observation["cluster"]["objects"], [where for where in OBJECTS if len(where) > 1]),
                (
                    observation["envoys"][0],
                    [where for where in ANSWERS if where[0] in ("listeners", "clusters") and len(where) > 1],
                ),
                (observation["docker"]["containers"], [where for where in CONTAINERS if len(where) > 1]),
            ]
        )
    )
    *way, last = data.draw(st.sampled_from(known))
    for key in way:
        target = target[key]
    target[last] = odd
    assert len(judged(observation).hops) == 12


@given(text=st.text(max_size=200))
@QUICK
def test_no_odd_text_of_a_node_ends_a_trace(text: str) -> None:
    observation = copy.deepcopy(HEALTHY)
    for one in observation["nodes"]:
        one.update(dict.fromkeys(("nat", "nat_after", "filter", "links", "links_after", "routes", "conntrack"), text))
        for space in one["namespaces"]:
            space.update(dict.fromkeys(("links", "routes", "sockets"), text))
    assert len(judged(observation).hops) == 12
