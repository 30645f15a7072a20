"""A full disk where commands write: one sentence names the place, nothing is half done, and the next command works."""

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.project import ROOT

_MOUNT = """
mount -t tmpfs -o size=64k tmpfs "$FULL"
head -c 1000000 /dev/zero >"$FULL/filler" 2>/dev/null
"$@"; echo "status $?"
ls -A "$FULL"
rm "$FULL/filler"
mount -o remount,size=8m "$FULL"
echo "again"
"$@"; echo "status $?"
"""
"""Runs a command with a full disk at $FULL, which only it sees, and once more with room on it."""


def _private() -> list[str] | None:
    """A command that gives another one a mount namespace of its own; None where this machine has none."""
    words = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if not shutil.which("unshare"):
        return None
    tried = subprocess.run([*words, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    return words if tried.returncode == 0 else None


_HOPS = str(Path(sys.executable).with_name("hops"))
_PLACES = [
    ("page", ("plan", "local", "--html", "{full}/page.html"), "page.html", (0, 1)),
    ("manifests", ("plan", "local", "--manifests", "{full}"), "", (0, 1)),
    ("bundle", ("trace", "--replay", "{full}/../seen.json", "--bundle", "{full}/bundle.json"), "bundle.json", (0, 1)),
    ("pages of the codes", ("codes", "--write", "{full}"), "", (0,)),
    ("stack file", ("stack", "new", "another"), "Pulumi.another.yaml", (0,)),
]


@pytest.mark.parametrize(("words", "named", "well"), [case[1:] for case in _PLACES], ids=[case[0] for case in _PLACES])
def test_a_full_disk_is_reported_and_leaves_nothing_half_done(
    tmp_path: Path, words: Sequence[str], named: str, well: Sequence[int]
) -> None:
    private = _private()
    if private is None:
        pytest.skip("this machine gives no mount namespace")
    recorded = next((ROOT / "tests" / "recorded" / "faults").glob("*.json.gz"))
    (tmp_path / "seen.json").write_bytes(gzip.decompress(recorded.read_bytes()))
    # Nobody but the command sees what is mounted.
    full = ROOT / "stacks" if words[0] == "stack" else tmp_path / "full"
    full.mkdir(exist_ok=True)
    done = subprocess.run(
        [*private, "sh", "-c", _MOUNT, "sh", _HOPS, *(word.format(full=full) for word in words)],
        cwd=ROOT,
        env={**os.environ, "FULL": str(full)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    before, _, after = done.stdout.partition("again\n")
    assert "status 2\nfiller\n" in before, done.stdout
    (error,) = [line for line in before.splitlines() if line.startswith("hops: ")]
    assert "No space left on device" in error
    assert f"{full}/{named}" in error
    assert "Traceback" not in done.stdout
    assert any(f"status {status}\n" in after for status in well), done.stdout
