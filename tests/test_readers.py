"""Kubernetes objects are read in `hops/kubernetes` alone; every other room asks its readers."""

import ast
from collections.abc import Iterator

import pytest

from tests.conftest import PROJECT
from tests.test_names import sources

PARTS = ("spec", "status", "metadata")
READERS = "hops/kubernetes/"
_STATE = "reads the engine's events or state, which have fields of these names"
_WRITES = "changes an object before it is declared or applied"
OTHERS = {
    "components/calico.py": _WRITES,
    "components/contour.py": _WRITES,
    "components/http_route.py": "reads its own argument `status`",
    "components/upstream.py": _WRITES,
    "hops/cli/plan.py": _WRITES,
    "hops/cli/updates/changes.py": _STATE,
    "hops/cli/updates/pulumi_run.py": _STATE,
    "hops/cli/updates/rollout.py": _WRITES,
    "hops/model/pod_network.py": "is below the readers; a pod network names the field of its own kind",
    "hops/observe/in_cluster/cluster.py": "reads the lists of the API and reduces their items",
    "hops/observe/in_cluster/drift.py": _STATE,
    "hops/pull_requests/events.py": _STATE,
    "hops/trace/observed/kept.py": "names the fields that an observation keeps, by kind",
    "policy/declared.py": _STATE,
    "stacks/program.py": _STATE,
}
"""Modules outside of the readers that look these parts up, each with its reason."""


def look_ups(text: str) -> Iterator[int]:
    """The lines of a module that look up a part of an object: `x["spec"]`, `x.get("spec")`, `at(x, "spec")`."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Subscript(slice=ast.Constant(value)) if value in PARTS:
                yield node.lineno
            case ast.Call(func=ast.Name("at" | "part") | ast.Attribute(attr="get"), args=arguments) if any(
                isinstance(argument, ast.Constant) and argument.value in PARTS for argument in arguments
            ):
                yield node.lineno
            case ast.Compare(left=ast.Constant(value), ops=[ast.In() | ast.NotIn()]) if value in PARTS:
                yield node.lineno


def test_objects_are_read_by_their_readers_alone() -> None:
    found = {
        str(path.relative_to(PROJECT)): lines for path in sources() if (lines := sorted(look_ups(path.read_text())))
    }
    outside = {name: lines for name, lines in found.items() if not name.startswith(READERS)}
    assert {name: lines for name, lines in outside.items() if name not in OTHERS} == {}
    assert OTHERS.keys() - outside.keys() == set(), "these modules need no exception"


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ('body["spec"]["replicas"]', True),
        ('body.get("status")', True),
        ('at(pod, "metadata", "name")', True),
        ('part(proxy.body, "spec", "tcpproxy")', True),
        ('"metadata" in body', True),
        ("objects.name(pod)", False),
        ('kubectl(view, "rollout", "status", "daemonset/envoy")', False),
        ('{"spec": {"replicas": 1}}', False),
        ('Breach("/spec/replicas", message)', False),
    ],
)
def test_a_look_up(line: str, seen: bool) -> None:  # noqa: FBT001 - a parameter of a test
    assert list(look_ups(line)) == [1] * seen
