"""`hops trace --replay` of a bundle that somebody damaged: one line, or a trace, and never a traceback."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hops.cli.app import app
from tests.hops.trace.observations import healthy

WRONG: tuple[Any, ...] = (None, float("nan"), "x", 7, [[]], {"a": {"b": []}}, [None], -1)


def replayed(path: Path, text: str | bytes) -> tuple[int, str]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode(errors="surrogatepass"))
    result = CliRunner().invoke(app, ["trace", "--replay", str(path)])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "NaN", "[" * 100_000, '{"taken":' * 10_000, b"\xff\xfe", b"\x00", '"\ud800"', "1" * 10_000],
    ids=["nothing", "half", "list", "null", "number", "brackets", "deep", "bytes", "NUL", "surrogate", "digits"],
)
def test_what_is_no_bundle_is_refused_in_one_line(text: str | bytes, tmp_path: Path) -> None:
    status, output = replayed(tmp_path / "bundle.json", text)
    assert (status, output.count("\n")) == (2, 1)
    assert output.startswith(f"hops: --replay {tmp_path / 'bundle.json'} is not a bundle of this version")


def _places(value: Any, deep: int = 3) -> Iterator[tuple[Any, Any]]:
    """The containers of a value with their keys, of a list the first one only."""
    if deep and isinstance(value, dict | list) and value:
        for key in list(value) if isinstance(value, dict) else [0]:
            yield value, key
            yield from _places(value[key], deep - 1)


def test_a_wrong_value_at_any_field_is_refused_in_one_line_or_judged(tmp_path: Path) -> None:
    observation = healthy()
    for number, (parent, key) in enumerate(_places(observation)):
        whole, parent[key] = parent[key], WRONG[number % len(WRONG)]
        status, output = replayed(tmp_path / "bundle.json", json.dumps(observation))
        parent[key] = whole
        assert status in (0, 1) or (status == 2 and output.count("\n") == 1), (key, output)
        assert "fault of hops" not in output, (key, output)
