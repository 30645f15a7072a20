"""Draws a path: its hops on a line that goes there and comes back, and each hop with what is known of it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from xml.etree import ElementTree as ET

from hops.model.finding import Finding, Level
from hops.model.hop import KINDS, HopName
from hops.trace.html.tree import Child, element

_SERVICE = HopName.SERVICE.number
_WITHOUT_ARROW = (HopName.SERVICE, HopName.POD, HopName.REPLY_CLIENT)


class Sign(StrEnum):
    """What a hop is marked with: a shape, a glyph and a colour, each of which says it alone."""

    OK = "ok"
    BROKEN = "broken"
    BESIDE = "beside"
    UNSEEN = "unseen"
    PLANNED = "planned"


_CIRCLE = "M12 1a11 11 0 1 1 0 22a11 11 0 1 1 0-22z"
_ZONES = ("outside the cluster", "node", "Envoy", "pod network", "pod")
"""Where hops 1 and 2, 3, 4, 5 and 6, and 7 are; the answer comes back through the same."""
# The outline and the glyph of each, in a square of 24.
_SHAPES: Mapping[Sign, tuple[str, str]] = {
    Sign.OK: (_CIRCLE, "M7 12.5l3.5 3.5 6.5-8"),
    Sign.BROKEN: ("M7.5 1h9L23 7.5v9L16.5 23h-9L1 16.5v-9z", "M8 8l8 8M16 8l-8 8"),
    Sign.BESIDE: ("M12 1l11 11-11 11L1 12z", "M8.5 12h7"),
    Sign.UNSEEN: (_CIRCLE, "M9 9.2a3 3 0 1 1 4.4 2.7c-1 .6-1.4 1.1-1.4 2.3M12 17.2v.2"),
    Sign.PLANNED: (_CIRCLE, "M12 11.9v.2"),
}


@dataclass(frozen=True)
class Stop:
    """One hop as it is drawn.

    path: its path's number on the page.
    component: what does the hop's work.
    said: the sign in words.
    address: what stands beside it in the picture.
    crossed: whether the request is known to have come to it.
    facts: by name, None where one isn't known.
    notes: a sentence each.
    seconds: see `TracedHop`.
    unseen: what could not be looked at, and why.
    """

    path: int
    name: HopName
    component: str
    sign: Sign
    said: str
    address: str | None
    crossed: bool
    facts: tuple[tuple[str, str | None], ...]
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]
    seconds: float | None = None
    unseen: str | None = None

    @property
    def number(self) -> int:
        return self.name.number

    @property
    def id(self) -> str:
        """Of the element that tells what is known of it."""
        return f"hop-{self.path}-{self.number}"


def icon(sign: Sign) -> ET.Element:
    """The sign alone; what it says has to stand beside it in words."""
    outline, glyph = _SHAPES[sign]
    shapes = (element("path", d=outline, class_="outline"), element("path", d=glyph, class_="glyph"))
    return element("svg", *shapes, viewBox="0 0 24 24", class_=f"icon {sign}", aria_hidden="true", focusable="false")


def duration(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.1f} s"
    milliseconds = seconds * 1000
    return "<0.1 ms" if milliseconds < 0.1 else f"{milliseconds:.{0 if milliseconds >= 10 else 1}f} ms"


def picture(stops: Sequence[Stop], label: str) -> ET.Element:
    """The hops on their line, each a link to what is known of it. label: what the picture is."""
    stopped = next((stop.number for stop in stops if stop.sign is Sign.BROKEN), None)
    crossed = {stop.number for stop in stops if stop.crossed}
    cells = []
    for stop in stops:
        # The service stands beside the line, which runs from its neighbour to its neighbour.
        before = stop.number - (2 if stop.number - 1 == _SERVICE else 1)
        after = stop.number + (2 if stop.number + 1 == _SERVICE else 1)
        here = crossed | ({_SERVICE} if stop.number == _SERVICE else set())
        come = "come " if {before, stop.number} <= here else ""
        go = "go " if {stop.number, after} <= here else ""
        cells.append(
            element(
                "li",
                element(
                    "a",
                    icon(stop.sign),
                    element(
                        "span",
                        element("span", element("b", str(stop.number)), f" {stop.name}", class_="name"),
                        element("span", f" {stop.said} ", class_="hidden"),
                        element("span", *_breakable(stop.address), class_="address") if stop.address else None,
                        element("span", duration(stop.seconds), class_="time") if stop.seconds is not None else None,
                        element("strong", "stops here", class_="here") if stop.number == stopped and not go else None,
                        class_="label",
                    ),
                    href=f"#{stop.id}",
                ),
                _arrow() if stop.name not in _WITHOUT_ARROW else None,
                class_=f"{come}{go}n{stop.number} {stop.sign}",
            )
        )
    zones = element("div", *(element("span", zone) for zone in _ZONES), class_="zones", aria_hidden="true")
    return element("nav", zones, element("ol", *cells, class_="line"), aria_label=label)


def _breakable(address: str) -> Iterator[Child]:
    """Where an address doesn't fit, its port goes to the next line."""
    parted = re.fullmatch(r"(.+[^:])(:\d+)", address)
    yield from (parted[1], element("wbr"), parted[2]) if parted else (address,)


def _arrow() -> ET.Element:
    return element("svg", element("path", d="M1 0l11 7-11 7z"), viewBox="0 0 14 14", class_="arrow", aria_hidden="true")


def legend(stops: Sequence[Stop], lines: Mapping[str, str]) -> ET.Element:
    """What the signs and lines of a picture mean. lines: by `solid` and `dotted`."""
    said = {stop.sign: stop.said for stop in stops}
    dotted = any(not stop.crossed for stop in stops)
    signs = [element("li", icon(sign), f" {said[sign]}") for sign in Sign if sign in said]
    strokes = [
        element("li", element("span", class_=f"stroke {kind}"), f" {text}")
        for kind, text in lines.items()
        if kind == "solid" or dotted
    ]
    return element("ul", *signs, *strokes, class_="legend", aria_label="Legend")


def hop_list(stops: Sequence[Stop]) -> ET.Element:
    """Each hop with what is known of it, unfolded where it is broken."""
    return element("ol", *(element("li", _unfolding(stop)) for stop in stops), class_="hops")


def _unfolding(stop: Stop) -> ET.Element:
    # The link's target is inside, so that a browser unfolds what it leads to.
    return element(
        "details",
        element(
            "summary",
            icon(stop.sign),
            element("b", f"{stop.number} {stop.name} "),
            element("span", f"{_sign_text(stop)} ", class_=f"said {stop.sign}"),
            element(
                "span",
                element("span", f"{stop.component} "),
                element("span", duration(stop.seconds)) if stop.seconds is not None else None,
                class_="below",
            ),
        ),
        element("div", *_known(stop), class_="known", id=stop.id),
        open="" if stop.sign is Sign.BROKEN else None,
    )


def _sign_text(stop: Stop) -> str:
    advisory = sum(finding.level is not Level.MANDATORY for finding in stop.findings)
    return stop.said + (f", {advisory} advisory" if advisory else "")


def _known(stop: Stop) -> Iterator[ET.Element]:
    for finding in stop.findings:
        yield element("p", element("b", finding.code), f" {finding.message}", class_="finding")
        if finding.evidence:
            yield element("pre", finding.evidence)
    if stop.unseen:
        yield element("p", element("b", "Not seen:"), f" {stop.unseen}")
    if stop.facts:
        pairs = [
            element(
                "div", element("dt", name), element("dd", value) if value else element("dd", "not known", class_="no")
            )
            for name, value in stop.facts
        ]
        yield element("dl", *pairs, class_="facts")
    if stop.notes:
        yield element("ul", *(element("li", note) for note in stop.notes), class_="notes")
    kind = next((kind for kind in KINDS if kind.name is stop.name), None)
    if kind:
        yield element(
            "p",
            element("b", "Often said:"),
            f" {kind.documents} ",
            element("b", "In truth:"),
            f" {kind.truth}",
            class_="kind",
        )
