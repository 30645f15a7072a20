"""Characters that a terminal obeys, in what others wrote."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hops.cli.app import app
from hops.model.visible import on_one_line, visible
from tests.hops.trace.observations import healthy

HOSTILE = "\x1b[2J\x1b]0;x\x07\x9b31m\u202ereversed\u2066\r\x08\x00\u200b\ud800\U000e0041"
FORBIDDEN = frozenset(HOSTILE) - frozenset("[2J]0;x31mreversed") - {"\n"}


def test_what_a_terminal_obeys_is_shown_by_its_number() -> None:
    assert visible("a\x1b[31mb\u202ec\x9b\r\n\t\x7f") == "a\\u001b[31mb\\u202ec\\u009b\\r\n\t\\u007f"
    assert on_one_line("a\n::error::b\tc") == "a\\n::error::b\\tc"
    plain = "Grüße, 日本語 → ✓ e\u0301"
    assert visible(plain) == plain
    assert json.loads(visible(json.dumps(HOSTILE, ensure_ascii=False))) == HOSTILE


def hops(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code in (0, 1, 2)
    return str(result.output)


@pytest.mark.parametrize("form", ["text", "json", "sarif", "junit"])
def test_hostile_names_in_manifests(form: str, tmp_path: Path) -> None:
    name = HOSTILE.replace("\ud800", "").replace("\x00", "") + "\n::error::x"
    port = [{"containerPort": 80, "hostPort": 81, "name": name}]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": name, "ports": port}]},
    }
    path = tmp_path / f"a{name.replace('/', '')[:80]}.json"
    path.write_text(json.dumps(pod))
    for words in ((), ("--fix",)):
        output = hops("check", path, "--format", form, *words)
        assert "HP01" in output
        assert not FORBIDDEN & set(output)
        assert not [line for line in output.splitlines() if line.startswith("::")]


def _everywhere(value: Any) -> Any:
    """With hostile characters behind every text."""
    match value:
        case str():
            return value + HOSTILE.replace("\ud800", "").replace("\x00", "")
        case list():
            return [_everywhere(item) for item in value]
        case dict():
            return {key: _everywhere(item) for key, item in value.items()}
    return value


@pytest.mark.parametrize("form", ["text", "json", "junit"])
def test_hostile_texts_in_an_observation(form: str, tmp_path: Path) -> None:
    observation = healthy()
    for item in observation["cluster"]["objects"]:
        item["status"] = _everywhere(item.get("status"))
        item["metadata"]["labels"] = _everywhere(item["metadata"].get("labels", {}))
    observation["cluster"]["logs"] = _everywhere({"projectcontour/contour-1/contour": "level=error"})
    for answer in observation["requests"]:
        answer["error"], answer["headers"] = _everywhere("failed"), _everywhere(answer["headers"])
    observation["unseen"] = _everywhere({"cluster: Event\n": "no"})
    raw, page = tmp_path / "raw.json", tmp_path / "page.html"
    raw.write_text(json.dumps(observation))
    output = hops("trace", "--replay", raw, "--format", form, "--html", page)
    assert "hop" in output
    assert not FORBIDDEN & set(output)
    assert not FORBIDDEN & set(page.read_text())
