"""The recipes of CONTRIBUTING.md name every file that a new kind of route or another pod network touches."""

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent.parent
_ROOMS = ("hops", "components", "stacks", "policy")


def _recipe(title: str) -> str:
    text = (_ROOT / "CONTRIBUTING.md").read_text()
    return text.partition(f"## Recipe: {title}\n")[2].partition("\n## ")[0]


def _naming(pattern: str) -> set[str]:
    """The modules of the product whose text matches."""
    modules = (module for room in _ROOMS for module in (_ROOT / room).rglob("*.py"))
    return {str(module.relative_to(_ROOT)) for module in modules if re.search(pattern, module.read_text())}


@pytest.mark.parametrize(
    ("recipe", "pattern"),
    [
        ("add a kind of route", r'"HTTPProxy"|"HTTPRoute"'),
        ("add a kind of route", r'"Ingress", (?:backend|view|None|"metadata")|"networking.k8s.io/v1", "Ingress"'),
        ("add a pod network", r"(?i)calico"),
    ],
)
def test_a_recipe_names_every_module_that_knows_one_of_its_kind(recipe: str, pattern: str) -> None:
    named = set(re.findall(r"`([\w/]+\.py)`", _recipe(recipe)))
    assert _naming(pattern) - named == set()


@pytest.mark.parametrize(
    "recipe", ["add a rule", "add a check of the trace", "add a kind of route", "add a pod network"]
)
def test_every_file_of_a_recipe_exists(recipe: str) -> None:
    named = re.findall(r"`([\w/]+\.(?:py|yaml|md))`", _recipe(recipe))
    assert named
    assert [name for name in named if not (_ROOT / name).exists()] == []
