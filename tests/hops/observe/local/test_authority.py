"""The files of this machine's own authority."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hops.model.certificates import KeyPair, signed_by
from hops.observe.local.authority import AuthorityError, authority_file, authority_folder, certificates

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/sam")
    assert authority_folder({}) == Path("/home/sam/.local/share/ingress-hops")
    assert authority_folder({"XDG_DATA_HOME": "/data"}) == Path("/data/ingress-hops")
    assert authority_folder({"XDG_DATA_HOME": "data"}) == Path("/home/sam/.local/share/ingress-hops")
    assert authority_folder({"XDG_DATA_HOME": "/data", "INGRESS_HOPS_CA": "/own"}) == Path("/own")


def test_a_second_call_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    first = certificates(folder, ["x.localhost", "y.localhost", "x.localhost"], keep=True, now=NOW)
    before = {file: file.read_bytes() for file in folder.rglob("*.pem")}
    assert certificates(folder, ["x.localhost", "y.localhost"], keep=True, now=NOW + timedelta(days=50)) == first
    assert {file: file.read_bytes() for file in folder.rglob("*.pem")} == before
    assert sorted(first) == ["x.localhost", "y.localhost"]


def test_only_the_owner_reads_keys(tmp_path: Path) -> None:
    folder = tmp_path / "ca"
    certificates(folder, ["x.localhost"], keep=True, now=NOW)
    modes = {str(each.relative_to(folder)): each.stat().st_mode & 0o777 for each in [folder, *folder.rglob("*")]}
    assert (modes["."], modes["hosts"]) == (0o700, 0o700)
    assert (modes["authority-key.pem"], modes["hosts/x.localhost.pem"]) == (0o600, 0o600)
    assert "PRIVATE" not in authority_file(folder).read_text()


def test_a_folder_that_others_could_read_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    certificates(tmp_path, ["x.localhost"], keep=True, now=NOW)
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_a_preview_writes_nothing(tmp_path: Path) -> None:
    found = certificates(tmp_path / "ca", ["x.localhost"], keep=False, now=NOW)
    assert found["x.localhost"].certificate
    assert not (tmp_path / "ca").exists()


def test_a_preview_shows_what_is_kept(tmp_path: Path) -> None:
    kept = certificates(tmp_path, ["x.localhost"], keep=True, now=NOW)
    assert certificates(tmp_path, ["x.localhost"], keep=False, now=NOW) == kept


def test_a_stack_without_tls_makes_no_folder(tmp_path: Path) -> None:
    assert certificates(tmp_path / "ca", [], keep=True) == {}
    assert not (tmp_path / "ca").exists()


def test_a_leaf_is_renewed_in_time_by_the_same_authority(tmp_path: Path) -> None:
    first = certificates(tmp_path, ["x.localhost"], keep=True, now=NOW)["x.localhost"]
    authority = authority_file(tmp_path).read_text()
    due = NOW + timedelta(days=61)
    second = certificates(tmp_path, ["x.localhost"], keep=True, now=due)["x.localhost"]
    assert second != first
    assert authority_file(tmp_path).read_text() == authority
    assert signed_by(second, KeyPair(authority, ""))
    assert certificates(tmp_path, ["x.localhost"], keep=True, now=due)["x.localhost"] == second


def test_a_damaged_leaf_is_made_again(tmp_path: Path) -> None:
    first = certificates(tmp_path, ["x.localhost"], keep=True, now=NOW)
    (tmp_path / "hosts" / "x.localhost.pem").write_text("nothing")
    assert certificates(tmp_path, ["x.localhost"], keep=True, now=NOW) != first


@pytest.mark.parametrize("content", ["nothing", ""])
def test_a_damaged_authority_is_never_replaced_silently(content: str, tmp_path: Path) -> None:
    certificates(tmp_path, ["x.localhost"], keep=True, now=NOW)
    (tmp_path / "authority-key.pem").write_text(content)
    with pytest.raises(AuthorityError, match="remove both, and the next up makes a new authority"):
        certificates(tmp_path, ["x.localhost"], keep=True, now=NOW)
    assert (tmp_path / "authority-key.pem").read_text() == content


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AuthorityError, match="name another folder in INGRESS_HOPS_CA"):
        certificates(tmp_path / "file" / "ca", ["x.localhost"], keep=True, now=NOW)
