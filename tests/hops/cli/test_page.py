"""`hops trace --html`: a look as one page, beside what is printed."""

import html
import json
import subprocess
import sys
from pathlib import Path

from hops.trace.verdict import trace
from tests.hops.trace.observations import failed, healthy, view


def drawn(tmp_path: Path, observation: dict[str, object], page: Path) -> subprocess.CompletedProcess[str]:
    """A bundle is judged again, so that nothing is looked at."""
    bundle = tmp_path / "bundle.json"
    bundle.write_text(json.dumps(observation))
    words = [
        sys.executable,
        "-c",
        "from hops.cli.app import app; app()",
        "trace",
        "--replay",
        str(bundle),
        "--format",
        "json",
    ]
    return subprocess.run([*words, "--html", str(page)], capture_output=True, text=True, check=False)


def test_a_trace_is_drawn_beside_what_is_printed(tmp_path: Path) -> None:
    page = tmp_path / "path.html"
    done = drawn(tmp_path, healthy(), page)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["first"] is None
    assert "The request arrives and comes back" in page.read_text(encoding="utf-8")


def test_a_broken_path_is_drawn_with_its_remedy(tmp_path: Path) -> None:
    observation = healthy()
    observation["cluster"]["objects"] = [one for one in observation["cluster"]["objects"] if one["kind"] != "Service"]
    failed(observation, "503", "client", "node", "envoy")
    first = trace(view(observation).observation).findings[0]
    page = tmp_path / "path.html"
    assert drawn(tmp_path, observation, page).returncode == 1
    text = html.unescape(page.read_text(encoding="utf-8"))
    assert f"<b>{first.code}</b>" in text
    assert f"<code>{first.remedy}</code>" in text


def test_a_page_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    done = drawn(tmp_path, healthy(), tmp_path / "nowhere" / "path.html")
    assert done.returncode == 2
    assert f"--html {tmp_path}/nowhere/path.html cannot be written: No such file or directory" in done.stderr
