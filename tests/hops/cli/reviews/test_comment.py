"""`hops comment` believes nothing of what a run uploaded."""

import io
import json
import stat
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from hops.cli.app import app
from hops.cli.reviews import comment as module
from hops.cli.reviews.comment import CommentError, files
from tests.github import RUN, GitHub, run, serving, zipped
from tests.recordings.record import recorded

SOUND = {"head.jsonl": recorded("open"), "base.jsonl": recorded("clean")}


@pytest.fixture
def github() -> Iterator[GitHub]:
    with serving(GitHub(archive=zipped(SOUND))) as served:
        yield served


def hops(github: GitHub, number: int = RUN) -> Result:
    return CliRunner().invoke(app, ["comment", str(number)], env=github.environment)


def refused(github: GitHub) -> str:
    """What is said where nothing is reported."""
    result = hops(github)
    assert (result.exit_code, github.comments, github.logs) == (2, [], [])
    return result.stderr


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def test_a_sound_artifact_is_reported(github: GitHub) -> None:
    result = hops(github)
    assert result.exit_code == 0, result.stderr
    assert "KN05" in github.comments[0]["body"]
    assert result.stdout == f"{github.address}/5\n"


@pytest.mark.parametrize(
    "entries",
    [
        {**SOUND, "../../outside": ""},
        {**SOUND, "/etc/cron.d/it": ""},
        {**SOUND, "stacks/../../Pulumi.ci.yaml": ""},
        {**SOUND, "C:\\head.jsonl": ""},
        {**SOUND, "stacks/Pulumi.ci.yaml\n": ""},
        {**SOUND, "components/more/deep.py": ""},
        {**SOUND, "NR": "5"},
        {**SOUND, "HEAD.JSONL": ""},
        {"base.jsonl": SOUND["base.jsonl"], link("head.jsonl"): "/proc/self/environ"},
        {
            **SOUND,
            **{f"components/{'a' * n}.py": "" for n in range(1, 41)},
            **{f"components/{'b' * n}.py": "" for n in range(1, 41)},
        },
    ],
)
def test_an_archive_with_anything_else_in_it_is_refused(github: GitHub, entries: dict[Any, str]) -> None:
    github.archive = zipped(entries)
    assert "the artifact is refused" in refused(github)


def test_a_name_that_comes_twice_is_refused() -> None:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        archive.writestr("head.jsonl", "a")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("head.jsonl", "b")
    with pytest.raises(CommentError, match="is no file of a preview"):
        files(into.getvalue())


def test_an_archive_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 1_000_000)
    bomb = zipped({"head.jsonl": "0" * 600_000, "base.jsonl": "0" * 600_000})
    assert len(bomb) < 2_000
    with pytest.raises(CommentError, match="unpacks to more than 1000000 bytes"):
        files(bomb)
    assert set(files(zipped({"head.jsonl": "0" * 600_000}))) == {"head.jsonl"}


@pytest.mark.parametrize("archive", [b"", b"no archive", zipped(SOUND)[:-40], b"PK\x03\x04" + b"\0" * 100])
def test_what_is_no_archive_is_refused(github: GitHub, archive: bytes) -> None:
    github.archive = archive
    assert "the artifact is refused" in refused(github)


def test_an_archive_that_is_damaged_inside_is_refused(github: GitHub) -> None:
    sound = zipped(SOUND)
    github.archive = sound[:60] + b"\xff" * 40 + sound[100:]
    assert "the artifact is refused" in refused(github)


@given(st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_no_damage_gets_through(where: int, bytes_: bytes) -> None:
    sound = zipped({"head.jsonl": "x" * 50, "base.jsonl": "y" * 50})
    with suppress(CommentError):
        assert set(files(sound[:where] + bytes_ + sound[where + len(bytes_) :])) <= {"head.jsonl", "base.jsonl"}


def test_a_size_that_is_reported_wrongly_is_found_out(github: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    github.artifacts = [{"id": 9, "name": "pull-request", "expired": False, "size_in_bytes": 21_000_000}]
    assert "of sizes 21000000" in refused(github)
    github.artifacts[0]["size_in_bytes"] = 1
    monkeypatch.setattr(module, "_MOST_ZIPPED", 5_000)
    assert "more than 5000 bytes came" in refused(github)


def test_two_artifacts_of_one_name_are_refused(github: GitHub) -> None:
    one = {"id": 9, "name": "pull-request", "expired": False, "size_in_bytes": 1}
    github.artifacts = [one, one]
    assert "is refused" in refused(github)


def test_a_run_that_uploaded_nothing_has_nothing_to_tell(github: GitHub) -> None:
    github.artifacts = [{"id": 9, "name": "pull-request", "expired": True, "size_in_bytes": 1}]
    result = hops(github)
    assert (result.exit_code, github.comments) == (0, [])
    assert "it uploaded nothing" in result.stdout


@pytest.mark.parametrize(
    "changed",
    [{"path": ".github/workflows/mine.yml"}, {"event": "push"}, {"path": ".github/workflows/preview.yml.yml"}],
)
def test_another_workflow_of_the_same_name_is_refused(github: GitHub, changed: dict[str, str]) -> None:
    github.runs = {RUN: run(**changed)}
    assert "not of .github/workflows/preview.yml on pull_request" in refused(github)


def test_the_pull_request_is_the_one_that_github_names(github: GitHub) -> None:
    """Whatever the uploaded files say, and though the fork's branch has a name that would change the question."""
    github.archive = zipped({**SOUND, "head.jsonl": SOUND["head.jsonl"] + '{"sequence": 1, "pull_request": 1}\n'})
    assert hops(github).exit_code == 0
    assert next(path for method, path, _ in github.asked if method == "POST").endswith("/issues/5/comments")


def test_events_that_are_none_are_refused(github: GitHub) -> None:
    for head in ("", "Segmentation fault\n", "[]\n", "\0" * 1000, "{}\n" * 1000):
        github.archive = zipped({"head.jsonl": head})
        assert "no event of Pulumi's engine" in refused(github)


def test_without_code_scanning_the_comment_is_there(github: GitHub) -> None:
    github.scanning = False
    result = hops(github)
    assert result.exit_code == 0
    assert len(github.comments) == 1
    assert "no findings on lines: POST code-scanning/sarifs: GitHub says 403" in result.stderr


def test_outside_of_a_job_it_says_what_is_missing(github: GitHub) -> None:
    result = CliRunner().invoke(app, ["comment", "1"], env={"GITHUB_TOKEN": None, "GITHUB_REPOSITORY": "a/b"})
    assert result.exit_code == 2
    assert "GITHUB_TOKEN is not set" in result.stderr
    gone = github.environment | {"GITHUB_API_URL": "http://127.0.0.1:9"}
    result = CliRunner().invoke(app, ["comment", "1"], env=gone)
    assert result.exit_code == 2
    assert "GET actions/runs/1: " in result.stderr
    assert gone["GITHUB_TOKEN"] not in result.stderr


def test_what_is_uploaded_to_code_scanning_is_sarif(github: GitHub) -> None:
    hops(github)
    (log,) = github.logs
    assert set(log) == {"commit_sha", "ref", "sarif", "tool_name"}
    assert json.dumps(log)
