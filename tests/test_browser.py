"""The pages in a real browser: on a phone, in the dark, on paper, without a mouse, without a script."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hops.model.plan import plan
from hops.model.settings.stack_settings import Settings
from hops.trace.html.page import html, plan_html
from tests.browser import PROGRAMS, Browser, browser, program
from tests.traces import finding, half_seen, healthy, policy_blocks, port_taken, spoken

WORD = "w" * 300
"""Nowhere to break a line."""
HOSTILE = "<img src=x onerror=window.broken=1><script>window.broken=1</script>\"' onclick=window.broken=1"

_SHOWN = """
const shown = element => element.checkVisibility({contentVisibilityAuto: true, opacityProperty: true,
  visibilityProperty: true}) && element.getClientRects().length > 0;
const unfold = () => document.querySelectorAll("details").forEach(one => { one.open = true; });
"""
_CONTRAST = """
const parts = colour => colour.match(/[\\d.]+/g).map(Number);
const luminance = colour => {
  const linear = v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const [r, g, b] = parts(colour).slice(0, 3).map(v => linear(v / 255));
  return .2126 * r + .7152 * g + .0722 * b;
};
const contrast = (a, b) => {
  const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
  return (x + .05) / (y + .05);
};
const ground = element => {
  for (let one = element; one; one = one.parentElement) {
    const colour = getComputedStyle(one).backgroundColor;
    if (parts(colour)[3] !== 0) return colour;
  }
  return "rgb(255, 255, 255)";
};
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    found = program()
    if not found:
        pytest.skip(f"none of {', '.join(PROGRAMS)} is on PATH; Debian: apt-get install chromium")
    with browser(found, tmp_path_factory.mktemp("profile")) as one:
        yield one


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, seed: Settings) -> dict[str, Path]:
    """A file for each kind of page."""
    folder = tmp_path_factory.mktemp("pages")
    paths = plan(seed).paths
    rule = finding("KN07", "endpoint", "Nothing brings a pod network.", "Install Calico with host ports.")
    texts = {
        "healthy": html(healthy(seed)),
        "port-taken": html(port_taken(seed)),
        "policy-blocks": html(policy_blocks(seed)),
        "half-seen": html(half_seen(seed)),
        "long": html(spoken(seed, WORD)),
        "hostile": html(spoken(seed, HOSTILE)),
        "plan": plan_html("seed", paths, []),
        "plan-broken": plan_html("seed", paths, [rule], ["all objects of calico: not there"]),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


PAGES = ["healthy", "port-taken", "policy-blocks", "half-seen", "long", "hostile", "plan", "plan-broken"]
each_page = pytest.mark.parametrize("name", PAGES)


def run(chromium: Browser, body: str) -> Any:
    return chromium.evaluate(f"(() => {{ {_SHOWN} {_CONTRAST} {body} }})()")


@each_page
def test_nothing_is_loaded_nothing_is_complained_of_and_no_text_runs(
    chromium: Browser, pages: dict[str, Path], name: str
) -> None:
    chromium.open(pages[name])
    assert run(chromium, "return [typeof window.broken, document.images.length]") == ["undefined", 0]
    reported = {"Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Page.javascriptDialogOpening"}
    assert [event for event in chromium.events if event["method"] in reported] == []
    asked = [
        event["params"]["request"]["url"] for event in chromium.events if event["method"] == "Network.requestWillBeSent"
    ]
    assert asked == [pages[name].as_uri()]


@each_page
@pytest.mark.parametrize("width", [320, 360, 720, 1100])
def test_nothing_stands_out_at_the_side(chromium: Browser, pages: dict[str, Path], name: str, width: int) -> None:
    """320 is what WCAG 2.2 asks of a page at least (1.4.10 Reflow)."""
    chromium.open(pages[name], width=width)
    beyond = """
        unfold();
        const out = [...document.querySelectorAll("body *")].filter(shown).filter(one => !one.closest(".hidden"))
          .filter(one => one.getBoundingClientRect().right > innerWidth + 1 || one.getBoundingClientRect().left < -1);
        return [document.documentElement.scrollWidth, innerWidth, out.map(one => one.outerHTML.slice(0, 80))];
    """
    assert run(chromium, beyond) == [width, width, []]


@each_page
@pytest.mark.parametrize("view", ["light", "dark", "paper of a dark screen"])
def test_every_text_and_every_sign_stands_out_from_its_ground(
    chromium: Browser, pages: dict[str, Path], name: str, view: str
) -> None:
    """WCAG 2.2: 4.5 to 1 for texts (1.4.3), 3 to 1 for drawings (1.4.11)."""
    chromium.open(pages[name], dark="dark" in view, media="print" if "paper" in view else "")
    ground, texts, weak = run(
        chromium,
        """
        unfold();
        const weak = []; let texts = 0;
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
          const one = walker.currentNode.parentElement;
          if (!walker.currentNode.data.trim() || !shown(one) || one.closest("script, style, .hidden")) continue;
          texts += 1;
          const ratio = contrast(getComputedStyle(one).color, ground(one));
          if (ratio < 4.5) weak.push([walker.currentNode.data.slice(0, 40), ratio]);
        }
        for (const one of document.querySelectorAll(".icon .outline")) {
          const ratio = contrast(getComputedStyle(one).stroke, ground(one.closest("svg")));
          if (ratio < 3) weak.push([one.closest("svg").getAttribute("class"), ratio]);
        }
        return [luminance(getComputedStyle(document.body).backgroundColor), texts, weak];
        """,
    )
    assert weak == []
    assert texts > 40
    assert ground < 0.05 if view == "dark" else ground > 0.8


@pytest.mark.parametrize("name", ["port-taken", "plan"])
def test_the_keyboard_reaches_all_of_it_in_order_and_opens_it(
    chromium: Browser, pages: dict[str, Path], name: str
) -> None:
    chromium.open(pages[name])
    met: list[list[Any]] = []
    while len(met) < 60:
        chromium.press("Tab", 9)
        here = run(
            chromium,
            """
            const one = document.activeElement, style = getComputedStyle(one);
            const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
            return [one.tagName, one.textContent.trim(), outlined];
            """,
        )
        if here[0] == "BODY":
            break
        met.append(here)
    assert all(visible for *_, visible in met), met
    links = [text for tag, text, _ in met if tag == "A" and text[0].isdigit()]
    folds = [text for tag, text, _ in met if tag == "SUMMARY"]
    assert [int(text.split()[0]) for text in links] == list(range(1, 13))
    assert [int(text.split()[0]) for text in folds] == list(range(1, 13))
    assert met[0][0] == "BUTTON"
    # A fold opens by Enter, and closes again.
    states = []
    run(chromium, "document.querySelectorAll('summary')[2].focus()")
    for _ in range(2):
        chromium.press("Enter", 13)
        states.append(run(chromium, "return document.querySelectorAll('details')[2].open"))
    assert states == [True, False]


def test_a_link_in_the_picture_unfolds_its_hop_and_shows_it(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["healthy"], motion=False)
    run(chromium, "document.querySelector('.n7 a').focus()")
    chromium.press("Enter", 13)
    open_, top, bottom, height = chromium.evaluate(
        """
        new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => {
          const one = document.querySelectorAll("details")[6];
          const box = one.querySelector("summary").getBoundingClientRect();
          done([one.open, box.top, box.bottom, innerHeight]);
        })))
        """
    )
    assert open_
    assert 0 <= top < bottom <= height


def test_a_reader_hears_places_and_verdicts(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["port-taken"])
    nodes = chromium.call("Accessibility.getFullAXTree")["nodes"]
    exposed = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]
    roles = [role for role, _ in exposed]
    assert [roles.count(role) for role in ("banner", "main", "navigation", "contentinfo", "status")] == [1] * 5
    links = [name for role, name in exposed if role == "link"]
    assert any("2 port-mapping broken" in name and "stops here" in name for name in links), links
    assert any(role == "heading" and name == "The request stops at hop 2, port-mapping" for role, name in exposed)
    assert any(role == "button" and name == "Copy the command: What mends it" for role, name in exposed)


def test_the_command_is_copied_or_selected(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["port-taken"])
    run(chromium, "document.querySelector('.command button').focus()")
    chromium.press("Enter", 13)
    said, chosen, command = chromium.evaluate(
        """
        new Promise(done => setTimeout(() => done([document.querySelector("[role=status]").textContent,
          String(getSelection()), document.querySelector(".command code").textContent]), 200))
        """
    )
    assert said == "Copied" or (said, chosen) == ("Selected", command)


def test_without_a_script_nothing_lacks_but_the_button(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        chromium.open(pages["port-taken"])
        seen = run(
            chromium,
            """
            return [shown(document.querySelector(".command button")), shown(document.querySelector(".command code")),
              [...document.querySelectorAll(".line li, .hops > li")].filter(shown).length,
              getComputedStyle(document.querySelector(".line")).display];
            """,
        )
    finally:
        chromium.call("Emulation.setScriptExecutionDisabled", value=False)
    assert seen == [False, True, 24, "grid"]


@pytest.mark.parametrize("motion", [True, False])
def test_nothing_moves_where_reduced_motion_is_set(chromium: Browser, pages: dict[str, Path], *, motion: bool) -> None:
    chromium.open(pages["healthy"], motion=motion)
    moving = """
        const moving = [...document.querySelectorAll("*")].map(one => getComputedStyle(one))
          .filter(style => parseFloat(style.transitionDuration) || style.animationName !== "none");
        return [getComputedStyle(document.documentElement).scrollBehavior, moving.length];
    """
    assert run(chromium, moving) == ["smooth" if motion else "auto", 0]


@each_page
def test_on_paper_it_is_light_unfolded_and_whole(chromium: Browser, pages: dict[str, Path], name: str) -> None:
    """718 CSS pixels are what A4 leaves between margins of 10 mm."""
    chromium.open(pages[name], width=718, dark=True, media="print")
    ground, wide, folded, buttons = run(
        chromium,
        """
        return [luminance(getComputedStyle(document.body).backgroundColor),
          document.documentElement.scrollWidth - innerWidth,
          [...document.querySelectorAll(".known")].filter(one => !shown(one)).length,
          [...document.querySelectorAll("button")].filter(shown).length];
        """,
    )
    assert (ground, wide, folded, buttons) == (1, 0, 0, 0)


def test_the_printed_pages_hold_the_folded_evidence(chromium: Browser, pages: dict[str, Path], tmp_path: Path) -> None:
    if not shutil.which("pdftotext"):
        pytest.skip("pdftotext is not on PATH; Debian: apt-get install poppler-utils")
    chromium.open(pages["healthy"])
    chromium.pdf(tmp_path / "page.pdf")
    text = subprocess.run(
        ["pdftotext", "-layout", tmp_path / "page.pdf", "-"], capture_output=True, text=True, check=True
    ).stdout
    words = " ".join(text.split())
    for reported in ("The request arrives and comes back", "listens in its namespace: 0.0.0.0:8080", "12 reply-client"):
        assert reported in words, text


@each_page
def test_it_can_be_looked_at(chromium: Browser, pages: dict[str, Path], name: str, tmp_path: Path) -> None:
    """The pictures stay in pytest's folder for whoever wants to see them; here they only have to differ."""
    views = {"wide": (1100, False), "dark": (1100, True), "phone": (360, False), "phone-dark": (360, True)}
    for view, (width, dark) in views.items():
        chromium.open(pages[name], width=width, dark=dark)
        chromium.screenshot(tmp_path / f"{name}-{view}.png")
    taken = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    assert all(picture.startswith(b"\x89PNG") for picture in taken)
    assert len(set(taken)) == len(views)
