"""What a page is made of: the verdict on top, the path, its times, its hops; and the frame that loads nothing."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from xml.etree import ElementTree as ET

from hops.model.finding import Finding, Level
from hops.model.hop import RequestPath
from hops.trace.html.diagram import Sign, Stop, duration, hop_list, icon, legend, picture
from hops.trace.html.tree import document, element
from hops.trace.observed.observation import SentRequest

_STYLE = (files("hops.trace.html") / "page.css").read_text(encoding="utf-8")
_SCRIPT = (files("hops.trace.html") / "page.js").read_text(encoding="utf-8")
_STAGES = {"name": "name", "connect": "connection", "tls": "TLS", "first byte": "first byte", "total": "last byte"}
_BAR = 1000
Remedy = Callable[[Finding], Iterator[ET.Element]]
"""How a remedy is shown."""


def cards(
    findings: Iterable[Finding], stops: Sequence[Stop], remedy: Remedy
) -> tuple[list[ET.Element], list[ET.Element]]:
    """The mandatory findings and the others, each with its remedy and the way to its evidence."""
    mandatory: list[ET.Element] = []
    advisory: list[ET.Element] = []
    for finding in findings:
        at = next((stop for stop in stops if finding in stop.findings), None)
        (mandatory if finding.level is Level.MANDATORY else advisory).append(_card(finding, at, remedy))
    return mandatory, advisory


def _card(finding: Finding, at: Stop | None, remedy: Remedy) -> ET.Element:
    return element(
        "article",
        element("p", element("b", finding.code), f" {finding.message}", class_="message"),
        *remedy(finding),
        element(
            "p",
            element("span", str(finding.resource), class_="subject"),
            element("a", f"more at hop {at.number}, {at.name}", href=f"#{at.id}") if at else None,
            element("code", finding.docs),
            class_="more",
        ),
        # What is texts at no hop has its evidence here.
        element("details", element("summary", "evidence"), element("pre", finding.evidence))
        if finding.evidence and not at
        else None,
        class_=f"finding {finding.level}",
        aria_label=f"{finding.code}, {finding.level}",
    )


def as_command(finding: Finding) -> Iterator[ET.Element]:
    """As it is in a trace: what to correct, the command that mends, and the one that only looks."""
    if finding.setting:
        yield element("p", element("b", "Correct:"), " ", element("code", finding.setting))
    if finding.remedy:
        yield from _command("What mends it", finding.remedy)
    if finding.look:
        yield from _command("What shows more", finding.look)


def as_sentence(finding: Finding) -> Iterator[ET.Element]:
    """As the rules say it of what is only declared."""
    yield element("p", element("b", "What mends it:"), f" {finding.remedy}")


def attempt(path: RequestPath, *, several: bool) -> ET.Element:
    """The command that tries a path. several: whether it has to name one."""
    return element("div", *_command(f"After an up, try{f' {path.title}' if several else ''}", path.curl))


def _command(label: str, command: str) -> Iterator[ET.Element]:
    """A command to be copied: by the button where the script runs, as text where it doesn't."""
    yield element("p", label, class_="label")
    yield element(
        "div",
        element("pre", element("code", command)),
        element("button", "Copy", type="button", hidden="", aria_label=f"Copy the command: {label}"),
        class_="command",
    )


def verdict(
    sign: Sign, title: str, answer: ET.Element | None, cards: Sequence[ET.Element], *more: ET.Element
) -> ET.Element:
    """What a reader wants first. cards: of the mandatory findings, the first broken hop's first."""
    also = element("h2", "Broken as well") if cards[1:] else None
    parts = (element("h1", icon(sign), title), answer, *cards[:1], also, *cards[1:], *more)
    return element("section", *parts, class_=f"verdict {sign}")


def path(stops: Sequence[Stop], where: str, lines: Mapping[str, str]) -> Iterator[ET.Element]:
    """The picture. where: which path, as words for a heading; empty where there is one only."""
    if stops:
        yield from section(f"The path{where}", [picture(stops, f"The hops of the path{where}"), legend(stops, lines)])


def hops(stops: Sequence[Stop], where: str) -> Iterator[ET.Element]:
    if stops:
        yield from section(f"Hop by hop{where}", [hop_list(stops)])


def times(answer: SentRequest) -> Iterator[ET.Element]:
    """When each stage of the request was over, and how long it took."""
    stages = sorted(
        ((name, until) for name, until in answer.seconds.items() if name in _STAGES), key=lambda stage: stage[1]
    )
    whole = max((until for _, until in stages), default=0)
    if not whole:
        return
    rows, since = [], 0.0
    for name, until in stages:
        x, width = since / whole * _BAR, max((until - since) / whole * _BAR, _BAR / 200)
        label = "given up" if name == "total" and answer.failure else _STAGES[name]
        bar = element("rect", x=f"{min(x, _BAR - width):.1f}", y="0", width=f"{width:.1f}", height="10")
        rows.append(
            element(
                "li",
                element("b", f"{label} "),
                element("span", f"{duration(until - since)} "),
                element("span", f"at {duration(until)}", class_="at"),
                element("svg", bar, viewBox=f"0 0 {_BAR} 10", preserveAspectRatio="none", aria_hidden="true"),
            )
        )
        since = until
    yield from section("The request's times", [element("ol", *rows, class_="times")])


def sentences(title: str, texts: Iterable[str]) -> Iterator[ET.Element]:
    items = [element("li", sentence) for sentence in texts]
    if items:
        yield from section(title, [element("ul", *items)])


def section(title: str, parts: Sequence[ET.Element]) -> Iterator[ET.Element]:
    if parts:
        yield element("section", element("h2", title), *parts)


def page(title: str, asked: ET.Element, parts: Iterable[ET.Element], footer: Iterable[str]) -> str:
    """The whole page. asked: what it is about. parts: of `main`, the verdict first."""
    # The two hashes name the page's own style and script; nothing else may run or load, whatever stands in a text.
    policy = f"default-src 'none'; style-src '{_hash(_STYLE)}'; script-src '{_hash(_SCRIPT)}'; base-uri 'none'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=f"{policy}; form-action 'none'"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", _STYLE),
    )
    body = element(
        "body",
        element("header", element("p", "ingress-hops", class_="brand"), asked),
        element("main", *parts),
        element("footer", element("p", " · ".join(footer))),
        element("p", class_="hidden", role="status"),
        element("script", _SCRIPT),
    )
    return document(element("html", head, body, lang="en"))


def _hash(text: str) -> str:
    """As a Content-Security-Policy names an inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
