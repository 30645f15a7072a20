"""The names that kind gives."""

import pytest

from hops.model.kind_names import context, control_plane, is_control_plane, workers


def test_the_names_are_those_of_kind() -> None:
    assert context("web") == "kind-web"
    assert control_plane("web") == "web-control-plane"
    assert workers("web", 3) == ("web-worker", "web-worker2", "web-worker3")
    assert workers("web", 0) == ()


@pytest.mark.parametrize("node", ["web-control-plane", "web-control-plane2"])
def test_a_control_plane_is_known_by_its_name(node: str) -> None:
    assert is_control_plane(node)


@pytest.mark.parametrize("node", ["web-worker", "web-worker2", "control-plane-worker", "control-plane"])
def test_another_node_is_no_control_plane(node: str) -> None:
    assert not is_control_plane(node)
