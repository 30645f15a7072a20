"""The page of a path: what it says, that it is well made, and that no text breaks out of its place."""

import base64
import hashlib
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hops.model.finding import Identity, Level
from hops.model.plan import plan
from hops.model.settings.stack_config import settings
from hops.model.settings.stack_settings import Settings
from hops.trace.html.page import html, plan_html
from hops.trace.html.tree import element, plain
from hops.trace.observed.observation import FollowedRequest
from hops.trace.result import Verdict
from tests.conftest import stack_config
from tests.hops.trace.html.parsed import Node, read, shape
from tests.traces import changed, finding, half_seen, healthy, policy_blocks, port_taken, spoken, unanswered

TRACES = {"healthy": healthy, "port taken": port_taken, "policy": policy_blocks, "half seen": half_seen}


@pytest.fixture(params=[*TRACES, "plan"])
def page(request: pytest.FixtureRequest, seed: Settings) -> str:
    name = request.param
    return html(TRACES[name](seed)) if name in TRACES else plan_html("seed", plan(seed).paths, ())


def test_a_page_is_well_made(page: str) -> None:
    root = read(page)
    assert page.startswith('<!doctype html>\n<html lang="en">')
    ids = [one.attributes["id"] for one in root.all() if "id" in one.attributes]
    assert len(ids) == len(set(ids)) > 0
    links = [str(one.attributes["href"]) for one in root.all("a")]
    assert {link.removeprefix("#") for link in links} <= set(ids)
    for tag in ("title", "h1", "main", "header", "footer", "nav", "style", "script"):
        assert root.one(tag).children, tag
    levels = [int(one.tag[1]) for one in root.all() if re.fullmatch(r"h\d", one.tag)]
    assert levels[0] == 1
    assert set(levels) <= {1, 2}
    for details in root.all("details"):
        assert isinstance(details.children[0], Node)
        assert details.children[0].tag == "summary"
    for drawing in root.all("svg"):
        assert drawing.attributes["aria-hidden"] == "true"
    assert all(button.text and button.attributes["aria-label"] for button in root.all("button"))
    assert all(one.attributes["aria-label"] for one in root.all("nav"))


def test_a_page_loads_nothing_and_runs_nothing_but_its_own(page: str) -> None:
    root = read(page)
    policy = str(next(m for m in root.all("meta") if "http-equiv" in m.attributes).attributes["content"])

    def hashed(tag: str) -> str:
        return "sha256-" + base64.b64encode(hashlib.sha256(root.one(tag).text.encode()).digest()).decode()

    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src '{hashed('style')}'",
        f"script-src '{hashed('script')}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert not re.search(r"url\(|@import", root.one("style").text)
    for one in root.all():
        assert not {"src", "srcset", "style", "action", "data", "poster"} & set(one.attributes), one.tag
        assert not [name for name in one.attributes if name.startswith("on")]
        assert one.tag not in {"link", "img", "iframe", "object", "embed", "base", "form", "video", "audio"}


def test_a_healthy_path_is_drawn_with_its_hops_and_times(seed: Settings) -> None:
    root = read(html(healthy(seed)))
    assert root.one("h1").text == "The request arrives and comes back"
    assert "Answered with 200 after 6.6 ms." in root.one("section", "verdict").text
    cells = root.one("ol", "line").all("li")
    assert [cell.one("span", "name").text for cell in cells][:3] == ["1 name", "2 port-mapping", "3 host-port"]
    assert len(cells) == 12
    assert [cell.one("span", "address").text for cell in cells[:3]] == [
        "127.0.0.1, ::1",
        "0.0.0.0:80",
        "sam-test-cluster-worker:80",
    ]
    assert cells[3].one("span", "time").text == "2.1 ms"
    assert all("come" in cell.classes for cell in cells[1:])
    assert all("go" in cell.classes for cell in cells[:-1])
    assert [one.one("b").text + one.all("span")[0].text for one in root.one("ol", "times").all("li")] == [
        "name 0.4 ms ",
        "connection 0.5 ms ",
        "first byte 5.2 ms ",
        "last byte 0.5 ms ",
    ]
    assert root.one("ul", "legend").text == " ok beside the path the request passed here"
    assert not root.all("article")
    assert not [one for one in root.all("details") if "open" in one.attributes]


def test_the_first_broken_hop_and_its_remedy_come_first(seed: Settings) -> None:
    trace = port_taken(seed)
    root = read(html(trace))
    verdict = root.one("section", "verdict")
    assert root.one("main").children[0] is verdict
    assert verdict.one("h1").text == "The request stops at hop 2, port-mapping"
    assert verdict.one("pre").text == trace.findings[0].remedy
    assert verdict.one("a").attributes["href"] == "#hop-1-2"
    unfolded = [one for one in root.all("details") if "open" in one.attributes]
    assert [one.one("div", "known").attributes["id"] for one in unfolded] == ["hop-1-2"]
    assert trace.findings[0].evidence in [one.text for one in unfolded[0].all("pre")]
    cells = root.one("ol", "line").all("li")
    assert [number for number, cell in enumerate(cells, 1) if "stops here" in cell.text] == [2]
    assert [number for number, cell in enumerate(cells, 1) if "come" in cell.classes] == [2]
    assert [number for number, cell in enumerate(cells, 1) if "go" in cell.classes] == [1]


def test_a_second_fault_and_advice_differ_from_the_first(seed: Settings) -> None:
    root = read(html(policy_blocks(seed)))
    verdict = root.one("section", "verdict")
    assert [one.one("p", "message").one("b").text for one in verdict.all("article")] == ["T33", "T40"]
    assert verdict.one("h2").text == "Broken as well"
    advice = next(one for one in root.all("section") if one.all("h2") and one.all("h2")[0].text == "Advice")
    assert [one.attributes["aria-label"] for one in advice.all("article")] == ["T03, advisory"]
    # Envoy's own answer comes back from Envoy and from nowhere behind it.
    lines = {number: cell.classes for number, cell in enumerate(root.one("ol", "line").all("li"), 1)}
    assert [number for number, classes in lines.items() if "come" in classes] == [2, 3, 4, 5, 6, 10, 11, 12]


def test_what_was_not_seen_is_not_broken(seed: Settings) -> None:
    root = read(html(half_seen(seed)))
    assert "unseen" in root.one("section", "verdict").classes
    assert not root.all(class_="broken")
    assert "permission denied on /var/run/docker.sock" in root.all("section")[-1].text
    assert not [cell for cell in root.one("ol", "line").all("li") if {"come", "go"} & cell.classes]


def test_a_fault_of_the_machine_has_its_evidence_with_it(seed: Settings) -> None:
    fault = finding(
        "T49", None, "The inotify limit is reached.", "sudo sysctl fs.inotify.max_user_instances=512", "128 of 128"
    )
    root = read(html(changed(healthy(seed), {}, (None, fault))))
    assert root.one("h1").text == "The request stops, and at none of its hops"
    assert root.one("article").one("details").one("pre").text == "128 of 128"


def test_a_remedy_is_a_command_in_a_trace_and_a_sentence_in_a_plan(seed: Settings) -> None:
    rule = finding("IN01", "route", "The Service isn't there.", "kubectl create service")
    live = read(html(changed(healthy(seed), {4: Verdict.BROKEN}, (4, rule)))).one("article")
    assert live.one("div", "command").one("pre").text == "kubectl create service"
    declared = read(plan_html("seed", plan(seed).paths, [replace(rule, remedy="Create the Service.")])).one("article")
    assert "What mends it: Create the Service." in declared.text


def test_what_to_correct_and_what_shows_more_stand_beside_the_remedy(seed: Settings) -> None:
    fault = finding("T42", "pod", "The pod does not run.", "make up STACK=seed")
    fault = replace(fault, setting="stacks/Pulumi.seed.yaml: services[0].image", look="kubectl get pods")
    article = read(html(changed(healthy(seed), {7: Verdict.BROKEN}, (7, fault)))).one("article")
    assert f"Correct: {fault.setting}" in article.text
    assert [one.text for one in article.all("p", "label")] == ["What mends it", "What shows more"]
    assert [one.one("pre").text for one in article.all("div", "command")] == [fault.remedy, fault.look]
    only = replace(fault, setting="", remedy="")
    article = read(html(changed(healthy(seed), {7: Verdict.BROKEN}, (7, only)))).one("article")
    assert "Correct:" not in article.text
    assert [one.text for one in article.all("p", "label")] == ["What shows more"]


def test_an_answer_says_what_is_wrong_with_it(seed: Settings) -> None:
    def said(**update: object) -> str:
        trace = healthy(seed)
        assert trace.answer
        return read(html(replace(trace, answer=trace.answer.model_copy(update=update)))).one("section", "verdict").text

    assert "Answered with 200 after 6.6 ms, without the text that was expected." in said(expected=False)
    assert "Answered with 200 after 6.6 ms; the answer broke off: timeout." in said(failure="timeout")
    stray = said(status=404, headers={})
    assert "The answer is not as expected, and no cause was seen" in stray
    assert "Answered with 404 after 6.6 ms, and not by the pod." in stray
    assert (
        "No answer from 127.0.0.1:80 after 2.0 s: refused" in read(html(unanswered(healthy(seed), "refused", 2))).text
    )


def test_a_trace_of_almost_nothing_has_a_page(seed: Settings) -> None:
    root = read(html(replace(healthy(seed), hops=(), answer=None, stack=None)))
    assert root.one("h1").text == "Neither a fault nor an answer was seen"
    assert not root.all("nav")
    assert "no stack" in root.one("footer").text


def test_the_values_of_headers_stay_out_of_the_page(seed: Settings) -> None:
    asked = FollowedRequest(host="a.localhost", port=8080, headers={"Authorization": "Bearer hush"}, from_node=True)
    page = html(replace(healthy(seed), asked=asked))
    assert "hush" not in page
    assert "GET http://a.localhost:8080/, with Authorization, from the node" in read(page).one("header").text


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</code></pre></div><h1>free</h1>",
    "</style></script><!--",
    "&lt;b&gt; &amp; &#x3c;",
    "'\" onclick='alert(1)",
    "]]><svg onload=alert(1)>",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_stays_where_it_belongs(seed: Settings, text: str) -> None:
    tame, wild = (read(html(spoken(seed, one))) for one in ("tame", text))
    assert shape(wild) == shape(tame)
    # An address with a colon stands in brackets before a port.
    body = wild.one("body").text.replace(f"[{text}]:", f"{text}:")
    assert body == tame.one("body").text.replace("tame", text)


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=20))
@hypothesis_settings(max_examples=40)
def test_any_text_at_all_stays_where_it_belongs_and_can_be_written(text: str) -> None:
    page = html(spoken(settings("seed", stack_config("seed")), f"x{text}"))
    page.encode()
    assert shape(read(page)) == shape(read(html(spoken(settings("seed", stack_config("seed")), "x"))))


def test_marks_that_turn_or_hide_text_are_shown_as_such() -> None:
    assert plain("a\u202eb\u200bc\x00\x1b[1md\ud800\n\t") == "a\ufffdb\ufffdc\ufffd\ufffd[1md\ufffd\n\t"


def test_an_element_keeps_the_order_of_texts_and_children() -> None:
    made = element("p", "a", None, element("b", "c"), "d", "e", class_="x", aria_label=None)
    assert ("".join(made.itertext()), made.attrib) == ("acde", {"class": "x"})


def test_a_plan_says_where_each_hop_will_be_and_what_to_try(seed: Settings) -> None:
    found = finding("EX01", "pod", "It serves all.", "Serve less.", level=Level.ADVISORY)
    root = read(plan_html("seed", plan(seed).paths, [found]))
    assert root.one("h1").text == "The path as planned"
    assert root.one("section", "verdict").one("pre").text == plan(seed).paths[0].curl
    hops = root.one("ol", "hops").children
    assert isinstance(hops[1], Node)
    assert "0.0.0.0" in hops[1].one("dl").text
    assert isinstance(hops[6], Node)
    assert "known after an up" in hops[6].one("dl").text
    assert "planned, 1 advisory" in hops[6].one("summary").text
    assert len(root.one("ol", "line").all("svg", "planned")) == 11


def test_a_plan_that_breaks_a_rule_or_leaves_something_out_says_so_first(seed: Settings) -> None:
    fault = finding("KN07", "endpoint", "Nothing brings a network.", "Install Calico.")
    root = read(plan_html("seed", plan(seed).paths, [fault], ["all objects of calico: not there"]))
    assert root.one("h1").text == "The plan breaks 1 mandatory rule"
    broken = root.one("ol", "line").all("li")[5]
    assert broken.classes >= {"broken", "come", "go"}
    assert "stops here" not in broken.text
    assert root.all("section")[-1].text == "What was left outall objects of calico: not there"
    partly = read(plan_html("seed", plan(seed).paths, [], ["all objects of calico: not there"]))
    assert partly.one("section", "verdict").classes >= {"unseen"}


def test_of_several_paths_each_has_its_own_findings() -> None:
    config = stack_config("local")
    config["services"] = [
        {"name": name, "pod": f"{name}-pod", "ingress": name, "host": f"{name}.localhost"} for name in ("one", "two")
    ]
    paths = plan(settings("local", config)).paths
    namespace = paths[1].service.partition("/")[0]
    of_two = replace(finding("IN14", "route", "A", "B."), resource=Identity("v1", "Ingress", namespace, "two"))
    of_all = finding("KN05", "port-mapping", "C", "D.", level=Level.ADVISORY)
    root = read(plan_html("local", paths, [of_two, of_all]))
    one, two = root.all("ol", "hops")
    assert ("IN14" in one.text, "IN14" in two.text) == (False, True)
    assert ("KN05" in one.text, "KN05" in two.text) == (True, True)
    assert len(root.all("nav")) == 2
    assert [command.text for command in root.one("section", "verdict").all("pre")] == [path.curl for path in paths]


def test_the_planned_page_shows_the_way_between_nodes_at_its_hop_alone() -> None:
    several = plan(settings("alice", {"cluster": {"workers": 2}}))
    drawn = plan_html("alice", several.paths, (), (), several)
    assert drawn.count("known after an up; on another node: not encapsulated") == 1


def test_the_planned_page_shows_the_further_publishing_workers_at_the_port_mapping() -> None:
    cluster = {"workers": 2, "alsoPublish": [{"worker": 2, "httpPort": 8081}]}
    several = plan(settings("alice", {"cluster": cluster}))
    drawn = plan_html("alice", several.paths, (), (), several)
    assert drawn.count("also published: http://my-service.localhost:8081/ -&gt; ingress-hops-alice-worker2") == 1
