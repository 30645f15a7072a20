"""Docstrings of the product list fields and arguments, each on its line.

A public class that holds values lists its fields, and a public function its arguments, as `name: …` or `name, other: …`
at the beginning of a line. Exempt are, because the code beside says it all:

- fields with a `description` or a docstring of their own;
- functions whose body is one statement, rules (their fields say it), and commands (their arguments have a help text);
- fields and arguments whose annotation names a class, such as `Path` or `Pod`: texts, numbers, and collections and
  mappings of these say nothing of their shape. One or two of them need no list: the summary says what they are.
"""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.conftest import PROJECT

ROOMS = ("hops", "components")
_PLAIN = frozenset(
    (
        "Any",
        "Callable",
        "Collection",
        "Container",
        "Input",
        "Iterable",
        "Iterator",
        "JSON",
        "Literal",
        "Mapping",
        "None",
        "Sequence",
        "Set",
        "bool",
        "bytes",
        "dict",
        "float",
        "frozenset",
        "int",
        "list",
        "object",
        "pulumi",
        "NotRequired",
        "set",
        "str",
        "tuple",
    )
)
FEWEST = 3
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def missing(text: str) -> list[str]:
    """What the docstrings of a module leave out, as LINE NAME: WORD, WORD."""
    return list(_missing(ast.parse(text).body))


def _missing(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _unlisted(node, _fields(node))
            yield from _missing(node.body)
        elif isinstance(node, _Function) and not node.name.startswith("_") and not _exempt(node):
            yield from _unlisted(node, _plain_arguments(node))


def _unlisted(node: ast.ClassDef | _Function, names: list[str]) -> Iterator[str]:
    lines = re.findall(r"^([a-z_0-9]+(?:, [a-z_0-9]+)*): ", ast.get_docstring(node) or "", re.MULTILINE)
    listed = {name for line in lines for name in line.split(", ")}
    left_out = [name for name in names if name not in listed]
    if left_out and len(names) >= FEWEST:
        yield f"{node.lineno} {node.name}: {', '.join(left_out)}"


def _fields(node: ast.ClassDef) -> list[str]:
    following = [*node.body[1:], None]
    return [
        statement.target.id
        for statement, after in zip(node.body, following, strict=True)
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and not statement.target.id.startswith("_")
        and _names(statement.annotation) <= _PLAIN
        and not _described(statement.value)
        and not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant))
    ]


def _described(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Call) and any(word.arg == "description" for word in value.keywords)


def _exempt(node: _Function) -> bool:
    statements = len(node.body) - (ast.get_docstring(node) is not None)
    decorators = " ".join(map(ast.unparse, node.decorator_list))
    annotations = " ".join(ast.unparse(argument.annotation) for argument in _arguments(node) if argument.annotation)
    return statements <= 1 or "partial(Rule," in decorators.replace("\n", "") or "typer." in annotations


def _arguments(node: _Function) -> list[ast.arg]:
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def _plain_arguments(node: _Function) -> list[str]:
    return [
        argument.arg
        for argument in _arguments(node)
        if argument.arg not in ("self", "cls") and not argument.arg.startswith("_")
        if _names(argument.annotation) <= _PLAIN
    ]


def _names(annotation: ast.expr | None) -> set[str]:
    parts = ast.walk(annotation) if annotation else ()
    return {
        part.attr if isinstance(part, ast.Attribute) else part.id
        for part in parts
        if isinstance(part, ast.Name | ast.Attribute)
    }


def test_docstrings_list_fields_and_arguments() -> None:
    modules = [path for room in ROOMS for path in sorted((PROJECT / room).rglob("*.py"))]
    assert modules
    assert [
        f"{path.relative_to(PROJECT)}:{left_out}" for path in modules for left_out in missing(path.read_text())
    ] == []


SAMPLE = '''
class Endpoint:
    """An address.

    address, port: where it listens.
    ready: whether it serves.
    """
    address: str
    port: int
    ready: bool
    node: Node
    weight: int
    """Its share."""

def find(kind: str, name: str, labels: Mapping[str, str], folder: Path) -> str:
    """Finds an object.

    kind: such as Pod.
    name: of the object.
    labels: that it has.
    """
    text = folder.read_text()
    return text + kind + name
'''


def test_a_healthy_module_is_left_alone() -> None:
    assert missing(SAMPLE) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    ready: whether it serves.\n", "", "2 Endpoint: ready"),
        ("address, port: where", "address: where", "2 Endpoint: port"),
        ('    """Its share."""\n', "", "2 Endpoint: weight"),
        ("    kind: such as Pod.\n    name: of", "    kind: such as Pod. name: of", "15 find: name"),
        ("folder: Path", "folder: str", "15 find: folder"),
    ],
)
def test_each_missing_word_is_named(old: str, new: str, said: str) -> None:
    assert old in SAMPLE
    assert missing(SAMPLE.replace(old, new)) == [said]


def test_a_missing_docstring_lists_nothing() -> None:
    assert missing("def find(a: int, b: int, c: int) -> int:\n    d = a\n    return b + c + d\n") == ["1 find: a, b, c"]


@pytest.mark.parametrize(
    "text",
    [
        "def add(a: int, b: int, c: int) -> int:\n    return a + b + c\n",
        "def _add(a: int, b: int, c: int) -> int:\n    d = a\n    return b + c + d\n",
        "def show(pod: Pod, folder: Path, host: Host) -> str:\n    a = pod\n    return str(a)\n",
        "def show(a: int, b: int) -> int:\n    c = a\n    return c + b\n",
        "class Settings:\n    a: int = Field(1, description='A.')\n    b: int = Field(1, description='B.')\n",
    ],
)
def test_what_says_itself_is_exempt(text: str) -> None:
    assert missing(text) == []
