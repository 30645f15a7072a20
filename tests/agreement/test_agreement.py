"""Our rules and other tools' test data: every case agrees, or says why not."""

import json

import pytest

from tests.agreement.corpora import (
    CHECKS,
    COMMAND,
    FOLDER,
    NOT_ASKED,
    PAGE,
    PUBLISHED,
    REASONS,
    Answer,
    answers,
    page,
    reason,
)

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="INGRESS_HOPS_CORPORA names no folder with the corpora")


@pytest.fixture(scope="module")
def found() -> list[Answer]:
    return answers()


def test_every_disagreement_has_its_reason_and_every_reason_a_disagreement(found: list[Answer]) -> None:
    others = [answer for answer in found if not answer.agrees]
    assert [answer for answer in others if not reason(answer)] == []
    reported = {answer.name for answer in others} | {f"{answer.corpus}/{answer.check}" for answer in others}
    assert set(REASONS) <= reported


def test_every_check_of_a_corpus_is_asked_or_left_out_for_a_reason() -> None:
    for corpus, checks in CHECKS.items():
        names = {path.name for path in (FOLDER / corpus).iterdir() if path.is_dir()}
        if corpus == "kube-linter":
            names = set(json.loads((FOLDER / corpus / "expected.json").read_text()))
        assert names == {*checks, *NOT_ASKED[corpus]}
        assert not set(checks) & set(NOT_ASKED[corpus])


def test_the_page_is_that_of_this_run(found: list[Answer]) -> None:
    assert PAGE.read_text().partition(PUBLISHED)[0] == page(found), f"stale: {COMMAND}"
