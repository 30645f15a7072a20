"""`hops report` as a command; what it says is in tests/test_pull_requests.py and tests/hops."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from hops.cli.app import app
from tests.recordings.record import recorded, stack_file


def hops(*words: object, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(app, ["report", *map(str, words)], input=stdin)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The recordings, and the stack file of one as sources."""
    for name in ("clean", "open", "fails", "many"):
        (tmp_path / f"{name}.jsonl").write_text(recorded(name))
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.ci.yaml").write_text(stack_file("open"))
    return tmp_path


@pytest.mark.parametrize("form", ["markdown", "json", "sarif", "junit", "code-quality"])
def test_the_status_says_what_was_found_in_every_form(project: Path, form: str) -> None:
    for name, status in (("clean", 0), ("open", 1), ("fails", 2)):
        result = hops(project / f"{name}.jsonl", "--format", form, "--project", project)
        assert (result.exit_code, result.stderr) == (status, "")


def test_json_has_the_documented_shape(project: Path) -> None:
    words = ("--base", project / "clean.jsonl", "--format", "json", "--project", project)
    reported = json.loads(hops(project / "open.jsonl", *words).stdout)
    assert set(reported) == {
        "stack",
        "failure",
        "compared",
        "baseFailure",
        "resources",
        "hops",
        "findings",
        "mended",
        "warnings",
        "unreadLines",
    }
    (finding,) = reported["findings"]["adds"]
    assert (finding["code"], finding["level"], finding["file"]) == ("KN05", "mandatory", "stacks/Pulumi.ci.yaml")
    # The recorded stream is from an older version of the rule.
    assert finding["remedy"] == "Set `ingress-hops:cluster.listenAddress` in stacks/Pulumi.ci.yaml to 127.0.0.1."
    assert finding["patch"]["operations"][0]["path"] == "/nodes/1/extraPortMappings/0/listenAddress"
    assert [(one["before"]["address"], one["after"]["address"]) for one in reported["hops"]] == [
        ("127.0.0.1", "0.0.0.0"),
        ("127.0.0.1", "0.0.0.0"),
    ]
    assert [one["change"] for one in reported["resources"]] == ["update"]


def test_the_whole_of_many_findings_is_in_json(project: Path) -> None:
    reported = json.loads(hops(project / "many.jsonl", "--format", "json").stdout)
    assert len(reported["findings"]["adds"]) == 510
    assert not reported["compared"]


def test_junit_and_code_quality(project: Path) -> None:
    words = ("--project", project, "--format")
    root = ET.fromstring(hops(project / "open.jsonl", *words, "junit").stdout)  # noqa: S314 - our own
    assert root.get("name") == "hops report"
    assert [(suite.get("name"), suite.get("failures")) for suite in root] == [("stacks/Pulumi.ci.yaml", "1")]
    failed = ET.fromstring(hops(project / "fails.jsonl", *words, "junit").stdout)  # noqa: S314 - our own
    assert [suite.get("errors") for suite in failed] == ["1"]
    (entry,) = json.loads(hops(project / "fails.jsonl", *words, "code-quality").stdout)
    assert entry["severity"] == "blocker"
    entries = json.loads(hops(project / "many.jsonl", *words, "code-quality").stdout)
    assert len({entry["fingerprint"] for entry in entries}) == 510


def test_events_come_by_standard_input_too(project: Path) -> None:
    result = hops("-", "--base", project / "clean.jsonl", stdin=recorded("open"))
    assert result.exit_code == 1
    assert "KN05" in result.stdout


@pytest.mark.parametrize("text", [b"", b"error: no stack named 'ci' found\n", b"\xff\xfe\0", b"{}\n"])
def test_events_that_are_none_end_it_with_what_came(project: Path, text: bytes) -> None:
    (project / "none.jsonl").write_bytes(text)
    result = hops(project / "none.jsonl")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "it holds no event of Pulumi's engine" in result.stderr
    assert hops(project / "nowhere.jsonl").exit_code == 2


@pytest.mark.parametrize("base", ["none.jsonl", "nowhere.jsonl", "fails.jsonl"])
def test_a_base_that_says_nothing_is_reported_and_changes_no_status(project: Path, base: str) -> None:
    (project / "none.jsonl").write_text("error: no stack named 'ci' found\n")
    for name, status in (("clean", 0), ("open", 1)):
        result = hops(project / f"{name}.jsonl", "--base", project / base)
        assert result.exit_code == status
        assert "No comparison: the preview of the base failed" in result.stdout


def test_a_truncated_stream_is_no_success() -> None:
    text = recorded("clean")
    result = hops("-", stdin=text[: len(text) // 2])
    assert result.exit_code == 2
    assert "the events end before the preview did" in result.stdout
    assert "1 line of the stream were no events" in result.stdout
