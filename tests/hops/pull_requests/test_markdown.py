"""Nothing that others wrote leaves its code span, and no comment is longer than GitHub takes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from hops.pull_requests.comparison import difference
from hops.pull_requests.markdown import LIMIT, MARKER, cell, code, comment, findings_and_hops
from hops.pull_requests.report import as_json, pull_request
from hops.rules.formats import junit, sarif
from tests.hostile import PAYLOADS, TOKEN, with_names
from tests.recordings.record import recorded

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
OURS = {"<br>", MARKER, f"{MARKER}\n"}


def tokens(text: str) -> Iterator[Token]:
    for token in PARSER.parse(text):
        yield token
        yield from token.children or ()


def shape(text: str) -> list[tuple[str, str]]:
    """What a text is made of, without its words."""
    return [(token.type, token.tag) for token in tokens(text) if token.type not in ("text", "inline", "softbreak")]


def contained(text: str) -> None:
    """That what is hostile stands in code only, and that nothing is a link, an image or foreign HTML."""
    for token in tokens(text):
        assert token.type not in ("link_open", "image", "fence", "code_block", "em_open", "s_open")
        if token.type in ("html_inline", "html_block"):
            assert token.content in OURS
        elif token.type not in ("code_inline", "inline"):
            assert TOKEN not in token.content


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("word", ["my-service", "ingress-hops-ci"])
def test_a_hostile_name_changes_words_and_nothing_else(payload: str, word: str) -> None:
    base, head = recorded("clean"), recorded("open")
    hostile = comment(pull_request(with_names(head, word, payload), with_names(base, word, payload), {}))
    contained(hostile)
    assert TOKEN in hostile
    if "\n" not in payload and len(payload) < 100:
        assert shape(hostile) == shape(comment(pull_request(head, base, {})))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_hostile_message_is_data(payload: str) -> None:
    def spoken(event: Any) -> Any:
        for kind, key in (("policyEvent", "message"), ("policyEvent", "policyName"), ("diagnosticEvent", "message")):
            if kind in event:
                event[kind][key] = f"{payload}\n{event[kind][key]}" if key == "message" else payload
        return event

    for name in ("open", "fails"):
        reported = pull_request(with_names(recorded(name), "Set ", payload, spoken), with_names("", "", ""), {})
        contained(comment(reported))
    contained(comment(pull_request(recorded("open"), with_names(recorded("fails"), "Set", payload, spoken), {})))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_other_forms_hold_it_as_text(payload: str) -> None:
    reported = pull_request(with_names(recorded("open"), "ingress-hops-ci", payload), None, {})
    log = json.loads(json.dumps(sarif(reported.found, reported.unseen, "1")))
    (result,) = log["runs"][0]["results"]
    assert "](" not in result["message"]["text"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "stacks/Pulumi.ci.yaml"
    assert "<h1" not in junit([reported.stack_file], reported.found, reported.unseen)
    assert json.dumps(as_json(reported), ensure_ascii=False).encode()


@given(st.text(alphabet=st.sampled_from("`|\\ \n\t<>@a#[]()*_\u202e\u200b\ud800&;"), max_size=30))
def test_any_text_is_one_code_span(text: str) -> None:
    for written in (code(text), cell(text)):
        inline = [token for token in tokens(f"before {written} after") if token.type not in ("inline", "text")]
        assert [token.type for token in inline] == ["paragraph_open", "code_inline", "paragraph_close"]
    table = f"| a | b |\n|---|---|\n| {cell(text)} | end |\n"
    cells = [token for token in PARSER.parse(table) if token.type == "inline"]
    assert [[child.type for child in token.children or ()] for token in cells[2:]] == [["code_inline"], ["text"]]


def test_what_cannot_be_seen_is_shown() -> None:
    assert code("a\u202eb\u200bc\x07") == "`a\\u202eb\\u200bc\\u0007`"
    assert code("a\n b\t c") == "`a b c`"
    assert code("") == code(" \n") == "`-`"
    assert len(code("a" * 5000)) < 700


@pytest.mark.parametrize("limit", [2_000, 10_000, LIMIT])
def test_a_comment_is_never_too_long(limit: int) -> None:
    text = comment(pull_request(recorded("many"), recorded("clean"), {}), limit)
    assert len(text.encode()) <= limit
    assert "left out here" in text or "more would not fit here" in text
    assert "510 advisory" in text
    contained(text)


def test_many_long_findings_stay_within_the_limit() -> None:
    hostile = with_names(recorded("many"), "service-", "ü" * 300)
    assert len(comment(pull_request(hostile, recorded("open"), {})).encode()) <= LIMIT
    assert len(comment(pull_request(recorded("open"), hostile, {})).encode()) <= LIMIT


def test_the_strictest_findings_come_first() -> None:
    advisory = recorded("many").splitlines()
    mandatory = [line for line in recorded("open").splitlines() if "policyEvent" in line]
    text = comment(pull_request("\n".join([*advisory, *mandatory]), None, {}))
    first = next(line for line in text.splitlines() if line.startswith("- "))
    assert first.startswith("- **mandatory** **KN05**")


def test_no_difference_is_said_too() -> None:
    assert findings_and_hops(difference((), (), (), ())).startswith("Hops that change: 0. Findings that appear: 0")


def test_what_the_pack_mended_is_reported_by_the_values_that_it_changed() -> None:
    urn = "urn:pulumi:ci::ingress-hops::kubernetes:core/v1:Pod::web"
    change = {"resourceUrn": urn, "before": {"spec": {"hostNetwork": True}}, "after": {"spec": {"hostNetwork": False}}}
    event = json.dumps({"sequence": 1, "policyRemediationEvent": change})
    head = pull_request(f"{recorded('clean')}\n{event}", None, {})
    assert "- `web`: `/spec/hostNetwork`" in comment(head)
    assert as_json(head)["mended"] == [{"urn": urn, "values": ["/spec/hostNetwork"]}]
