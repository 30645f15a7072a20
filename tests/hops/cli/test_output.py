"""What a terminal shows beside the results."""

from io import StringIO

import pytest
from rich.console import Console

from hops.cli.tables import one_line, print_table


def test_a_live_line_is_never_wrapped() -> None:
    written = StringIO()
    console = Console(file=written, force_terminal=True, width=40)
    with console.status("up") as line:
        line.update(one_line(console, "up: 70 of 73; DaemonSet projectcontour/envoy 10 s"))
        shown = console.render_lines(line.renderable)
    assert len(shown) == 1
    assert "".join(segment.text for segment in shown[0]).rstrip().endswith("DaemonSet projectcontou…")


@pytest.mark.parametrize("columns", [20, 80, 100, 200])
def test_a_table_is_broken_at_spaces_only(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken address can be neither read nor copied."""
    monkeypatch.setenv("COLUMNS", str(columns))
    address = "ingress-hops-alice-worker:80 -> 10.244.207.131:8080; found: 0.0.0.0:8080"
    print_table(["", "hop", "where"], [[1, "reply-port-mapping", address], [2, "name", None]])
    shown = capsys.readouterr().out
    assert shown.split() == ["hop", "where", "1", "reply-port-mapping", *address.split(), "2", "name"]
    assert max(map(len, shown.splitlines())) <= max(columns, 80)
    print_table(["where"], [["x" * 90]])
    assert "x" * 90 in capsys.readouterr().out
