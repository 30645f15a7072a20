"""What a terminal shows beside the results."""

from io import StringIO

from rich.console import Console

from hops.cli.output import one_line


def test_a_live_line_is_never_wrapped() -> None:
    written = StringIO()
    console = Console(file=written, force_terminal=True, width=40)
    with console.status("up") as line:
        line.update(one_line(console, "up: 70 of 73; DaemonSet projectcontour/envoy 10 s"))
        shown = console.render_lines(line.renderable)
    assert len(shown) == 1
    assert "".join(segment.text for segment in shown[0]).rstrip().endswith("DaemonSet projectcontou…")
