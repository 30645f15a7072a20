"""A file is written whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from hops.observe.local import files
from hops.observe.local.files import FileChangedError, read_bounded, write


def test_no_more_is_read_than_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST", 1024 * 1024)
    path, larger = tmp_path / "large", tmp_path / "larger"
    path.write_bytes(b"x" * files.LARGEST)
    larger.write_bytes(b"x" * (files.LARGEST + 1))
    assert len(read_bounded(path)) == files.LARGEST
    for endless in (Path("/dev/zero"), larger):
        with pytest.raises(OSError, match="larger than 1 MiB, which is the most that is read"):
            read_bounded(endless)


def test_mode_and_link_are_kept(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    write(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_private_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "seen.json"
    path.write_text("old")
    write(path, "new", private=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_new_file_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "new", b"bytes")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("theirs")
    with pytest.raises(FileChangedError, match="changed since it was read"):
        write(path, "ours", expected=b"as it was")
    assert path.read_text() == "theirs"
    write(path, "ours", expected=b"theirs")
    assert path.read_text() == "ours"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
        write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_device_is_written_as_it_is() -> None:
    write(Path("/dev/null"), "gone")
    assert not Path("/dev/null").is_file()
