"""A preview from its events, whatever comes instead of them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hops.model.finding import Level
from hops.pull_requests.events import EventsError, read
from hops.pull_requests.markdown import LIMIT, comment
from hops.pull_requests.report import as_json, pull_request
from tests.recordings.record import SETTINGS, recorded

URN = "urn:pulumi:ci::shop::kubernetes:core/v1:Pod::web"
ENDED = {"sequence": 9, "summaryEvent": {"result": "succeeded"}}


def stream(*events: dict[str, Any]) -> str:
    return "\n".join(json.dumps({"sequence": 1, **event}) for event in events)


def policy(message: Any, level: Any = "mandatory", **more: Any) -> dict[str, Any]:
    return {
        "policyEvent": {"resourceUrn": URN, "message": message, "enforcementLevel": level, "policyName": "it", **more}
    }


def declares(**metadata: Any) -> dict[str, Any]:
    new = {"inputs": {}, "parent": ""}
    return {"resourcePreEvent": {"metadata": {"op": "create", "urn": URN, "type": "t:t:T", "new": new, **metadata}}}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_recording_is_read(name: str) -> None:
    preview = read(recorded(name))
    assert (preview.stack, preview.unread) == ("ci", 0)
    assert (preview.failure is not None) == (name == "fails")
    if name != "fails":
        assert len(preview.hops) == 12 * (170 if name == "many" else 1)
        assert {resource.op for resource in preview.resources.values()} == {"create"}


def test_what_differs_between_any_two_previews_is_no_difference() -> None:
    first, second = read(recorded("clean")), read(recorded("other-port"))
    differing = [urn for urn, one in first.resources.items() if one.inputs != second.resources[urn].inputs]
    assert {urn.split("::")[-1] for urn in differing} == {"cluster", "cluster-kind"}


def test_resources_know_the_component_that_declares_them() -> None:
    resources = {(one.type.rpartition(":")[2], one.name): one for one in read(recorded("clean")).resources.values()}
    pod, cluster = resources["Pod", "apps/example-pod"], resources["KindCluster", "cluster"]
    namespace = resources["Namespace", "apps"]
    assert (pod.component, pod.parent, pod.type) == ("Workload", "my-service", "kubernetes:core/v1:Pod")
    assert (cluster.component, namespace.component) == ("", "")
    assert pod.inputs["/spec/containers/0/ports/0/containerPort"] == 8080


@pytest.mark.parametrize("cut", [0.01, 0.3, 0.9, 0.999])
def test_a_stream_that_ends_too_early_says_so(cut: float) -> None:
    text = recorded("open")
    preview = read(text[: int(len(text) * cut)])
    assert preview.failure == "the events end before the preview did"


def test_lines_that_are_no_events_are_counted() -> None:
    noise = [
        "warning: something",
        "{",
        '{"sequence": "1"}',
        "[1]",
        "null",
        "[" * 100_000,
        '{"sequence": ' + "9" * 5000 + "}",
    ]
    preview = read("\n".join([*noise, recorded("open")]))
    assert preview.unread == len(noise)
    assert [finding.code for finding in preview.findings] == ["KN05"]


@pytest.mark.parametrize("text", ["", "\n\n", "error: no stack named 'ci' found", "{}", "\0" * 100, "[" * 100_000])
def test_where_no_engine_speaks_that_is_an_error(text: str) -> None:
    with pytest.raises(EventsError, match="it holds no event of Pulumi's engine"):
        read(text)


def test_a_finding_that_stops_a_preview_is_no_failure_of_it() -> None:
    error = {"diagnosticEvent": {"severity": "error", "message": "preview failed\n"}}
    failed = {"summaryEvent": {"result": "failed"}}
    stopped = read(stream(policy("no"), error, failed))
    assert (stopped.failure, [f.level for f in stopped.findings]) == (None, [Level.MANDATORY])
    assert (
        read(stream(policy("no", "advisory"), error, failed)).failure
        == "the engine reports that it failed, without a reason"
    )
    because = {"diagnosticEvent": {"severity": "error", "message": "it broke"}}
    assert read(stream(policy("no"), because, error, failed)).failure == "it broke"
    assert read(stream({"errorEvent": {"error": "it broke"}}, failed)).failure == "it broke"


def test_a_replacement_is_one_change() -> None:
    steps = [declares(op=op) for op in ("create-replacement", "replace", "delete-replaced")]
    assert [one.op for one in read(stream(*steps, ENDED)).resources.values()] == ["replace"]


def test_a_replacement_that_ends_with_the_old_resource_shows_the_new_one() -> None:
    def step(op: str, **states: str) -> dict[str, Any]:
        inputs = {state: {"inputs": {"image": image}} for state, image in states.items()}
        metadata = {"op": op, "urn": URN, "type": "kubernetes:core/v1:Pod", "new": None, "old": None, **inputs}
        return {"resourcePreEvent": {"metadata": metadata}}

    both = step("create-replacement", old="a:1", new="a:2")
    (shown,) = read(stream(both, step("delete-replaced", old="a:1"), ENDED)).resources.values()
    assert (shown.inputs["/image"], shown.changed) == ("a:2", ("/image",))
    (left,) = read(stream(step("delete-replaced", old="a:1"), ENDED)).resources.values()
    assert left.op == "replace", "an earlier update left it"


def test_what_the_pack_mended_and_warnings_are_kept() -> None:
    warning = {"diagnosticEvent": {"severity": "warning", "message": "an up would stop here\n"}}
    before = {"spec": {"hostNetwork": True, "ports": [{"hostPort": 80}]}, "kept": 1}
    after = {"spec": {"hostNetwork": False, "ports": [{}]}, "kept": 1}
    change = {"policyRemediationEvent": {"resourceUrn": URN, "before": before, "after": after}}
    preview = read(stream(change, warning, ENDED))
    assert preview.warnings == ("an up would stop here",)
    assert preview.mended == {URN: ("/spec/hostNetwork", "/spec/ports/0", "/spec/ports/0/hostPort")}


def test_a_stack_has_the_name_of_one() -> None:
    """It becomes part of a file's name."""
    urn = "urn:pulumi:../../x::shop::kubernetes:core/v1:Pod::web"
    assert read(stream(declares(urn=urn), ENDED)).stack == ""
    assert read(stream(declares(), ENDED)).stack == "ci"


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([URN, "\ud800", "a\nb|c"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
KEYS = ("urn", "type", "op", "new", "old", "message", "resourceUrn", "enforcementLevel", "severity", "config", "result")
KINDS = (
    "resourcePreEvent",
    "resOutputsEvent",
    "policyEvent",
    "policyRemediationEvent",
    "diagnosticEvent",
    "preludeEvent",
    "summaryEvent",
    "errorEvent",
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"sequence": st.integers()},
            optional={
                kind: ODD
                | st.dictionaries(st.sampled_from(KEYS), ODD)
                | st.fixed_dictionaries({"metadata": st.dictionaries(st.sampled_from(KEYS), ODD)})
                for kind in KINDS
            },
        ),
        min_size=1,
        max_size=4,
    )
)
def test_nothing_that_is_json_breaks_a_report(events: list[dict[str, Any]]) -> None:
    text = "\n".join(map(json.dumps, events))
    reported = pull_request(text, text, {})
    assert len(comment(reported).encode()) <= LIMIT
    assert json.dumps(as_json(reported), ensure_ascii=False).encode()


HOPS: list[Callable[[], Any]] = [
    lambda: "hops",
    lambda: [None, 1, "a", [], {}],
    lambda: [{"service": "a", "number": float("nan"), "name": "b"}],
    lambda: [{"service": "a", "number": True, "name": "b", "port": float("inf"), "address": {"a": 1}}],
]


@pytest.mark.parametrize("hops", HOPS)
def test_hops_that_are_none_are_left_out(hops: Callable[[], Any]) -> None:
    outputs = {"hops": hops(), "cluster": {"generation": float("inf"), "kubeconfig": 1}}
    event = {"resOutputsEvent": {"metadata": {"type": "pulumi:pulumi:Stack", "new": {"outputs": outputs}}}}
    text = stream(event, ENDED)
    assert comment(pull_request(text, None, {}))


def test_a_small_generation_stands_in_many_texts_and_changes_none() -> None:
    text = recorded("clean")
    clock = "1764000000"
    older = text.replace('"generation":1', f'"generation":{clock}').replace(
        "/ingress-hops/1-", f"/ingress-hops/{clock}-"
    )

    def general(events: str) -> bool:
        return any("GENERATION" in str(v) for r in read(events).resources.values() for v in r.inputs.values())

    assert general(older), "the second of a clock is taken out"
    assert not general(text)
