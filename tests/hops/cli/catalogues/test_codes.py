"""`hops codes`, and the pages of the codes."""

import json
from pathlib import Path

from typer.testing import CliRunner

from hops.cli.app import app
from hops.cli.catalogues.codes import evidence
from hops.trace.checks.registry import CODES
from hops.trace.docs import page, pages

PAGES = Path(__file__).parents[4] / "docs" / "codes"


def test_every_code_is_listed_and_explained() -> None:
    listed = CliRunner().invoke(app, ["codes", "--format", "json"])
    assert [entry["code"] for entry in json.loads(listed.stdout)] == list(CODES)
    assert "T17" in CliRunner().invoke(app, ["codes"]).stdout
    shown = CliRunner().invoke(app, ["explain", "t17"])
    assert (shown.exit_code, shown.stdout) == (0, page(CODES["T17"]))
    assert CliRunner().invoke(app, ["explain", "T99"]).exit_code == 2


def test_the_committed_pages_are_those_of_the_codes() -> None:
    there = {path.name: path.read_text() for path in PAGES.glob("*.md")}
    assert there == pages(evidence(PAGES)), "stale: run hops codes --write docs/codes"


def test_a_page_promises_no_command_that_mends_and_says_how_kubectl_reaches_a_stack() -> None:
    for code in CODES.values():
        remedy = page(code).partition("## Remedy\n")[2].partition("## ")[0]
        assert "one that repairs, one that only shows more, or both" in remedy
        assert ("`.venv/bin/hops kubectl STACK`" in remedy) == ("kubectl" in code.remedy), code.code


def test_pages_are_written_with_their_evidence_and_old_ones_removed(tmp_path: Path) -> None:
    (tmp_path / "T999.md").write_text("# T999: A code that is gone\n")
    reported = {"T17": "Fault 17: found.", "README": "50 of 50."}
    (tmp_path / "evidence.json").write_text(json.dumps(reported))
    assert CliRunner().invoke(app, ["codes", "--write", str(tmp_path)]).exit_code == 0
    assert {path.name: path.read_text() for path in tmp_path.glob("*.md")} == pages(reported)
    assert "Fault 17: found." in (tmp_path / "T17.md").read_text()


def test_evidence_of_another_form_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "evidence.json").write_text("[1]")
    refused = CliRunner().invoke(app, ["codes", "--write", str(tmp_path)])
    assert refused.exit_code == 2
    assert "evidence.json" in refused.stderr


def test_every_code_says_all_that_its_page_needs() -> None:
    for code in CODES.values():
        for said in (code.title, code.symptom, code.cause, code.confirmed_by, code.remedy):
            assert said == said.strip()
            assert said
        assert code.symptom.endswith((".", ")"))
