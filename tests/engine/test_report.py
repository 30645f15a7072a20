"""Fresh events of the real engine are read as the recorded ones are."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hops.cli.app import app
from tests.engine.conftest import Clone
from tests.recordings.record import events, recorded, scrubbed, stack_file


@pytest.fixture(scope="module")
def stack(clone: Clone) -> Iterator[Clone]:
    clone.pulumi("stack", "init", "ci")
    yield clone
    clone.pulumi("stack", "rm", "ci", "--yes", "--preserve-config")


@pytest.fixture(scope="module")
def fresh(stack: Clone) -> dict[str, str]:
    return {name: "".join(scrubbed(events(stack, name), stack.folder)) for name in ("clean", "open", "fails")}


def reported(folder: Path, **streams: str) -> tuple[int, dict[str, Any]]:
    """Status and report of a pull request: `head`, and `base` where there is one."""
    (folder / "stacks").mkdir(exist_ok=True)
    (folder / "stacks" / "Pulumi.ci.yaml").write_text(stack_file("open"))
    for name, text in streams.items():
        (folder / f"{name}.jsonl").write_text(text)
    base = ["--base", str(folder / "base.jsonl")] if "base" in streams else []
    words = ["report", str(folder / "head.jsonl"), *base, "--format", "json", "--project", str(folder)]
    result = CliRunner().invoke(app, words)
    return result.exit_code, json.loads(result.stdout)


@pytest.mark.parametrize("name", ["clean", "open", "fails"])
def test_a_fresh_preview_says_what_the_recorded_one_does(fresh: dict[str, str], tmp_path: Path, name: str) -> None:
    now, then = (reported(tmp_path, head=events) for events in (fresh[name], recorded(name)))
    assert now[0] == then[0]
    for key in ("stack", "failure", "mended", "unreadLines", "findings"):
        assert now[1][key] == then[1][key]
    # What the program declares may have changed since.
    assert [pair["after"].keys() for pair in now[1]["hops"]] == [pair["after"].keys() for pair in then[1]["hops"]]


def test_two_fresh_previews_differ_in_the_change_alone(fresh: dict[str, str], tmp_path: Path) -> None:
    status, report = reported(tmp_path, head=fresh["open"], base=fresh["clean"])
    assert status == 1
    (finding,) = report["findings"]["adds"]
    line = 1 + stack_file("open").splitlines().index("    listenAddress: 0.0.0.0")
    assert (finding["code"], finding["file"], finding["line"]) == ("KN05", "stacks/Pulumi.ci.yaml", line)
    assert [one["urn"].split("::")[-1] for one in report["resources"]] == ["cluster-kind"]
    assert [one["after"]["number"] for one in report["hops"]] == [2, 11]
