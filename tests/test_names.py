"""No two public classes of the product share a name, and no module's name stands three times."""

import ast
from collections import defaultdict
from pathlib import Path

from tests.conftest import PROJECT

ROOMS = ("hops", "components", "stacks", "policy")


def sources() -> list[Path]:
    return [path for room in ROOMS for path in sorted((PROJECT / room).rglob("*.py"))]


def classes(text: str) -> list[str]:
    """The public classes that a module defines at its top level."""
    return [
        node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]


def shared(names: list[tuple[str, str]], times: int) -> dict[str, list[str]]:
    """The names that stand at least so many times, each with its places. names: pairs of a name and its place."""
    places = defaultdict(list)
    for name, place in names:
        places[name].append(place)
    return {name: where for name, where in places.items() if len(where) >= times}


def test_no_two_public_classes_share_a_name() -> None:
    found = [(name, str(path.relative_to(PROJECT))) for path in sources() for name in classes(path.read_text())]
    assert shared(found, 2) == {}


def test_no_module_name_stands_three_times() -> None:
    found = [
        (path.stem, str(path.relative_to(PROJECT))) for path in sources() if path.stem not in ("__init__", "__main__")
    ]
    assert shared(found, 3) == {}
