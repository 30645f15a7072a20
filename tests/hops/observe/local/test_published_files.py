"""The published files: only the pinned bytes are taken, and every object becomes a resource."""

import hashlib
import http.client
import io
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from hops.model.versions import Manifest
from hops.observe.local.published_files import PublishedFileError, manifests_folder, published

TEXT = b"kind: A\nmetadata: {name: a}\n---\n# nothing here\n---\nkind: B\nmetadata: {name: b}\n"
PINNED = Manifest("calico", "0.0.1", hashlib.sha256(TEXT).hexdigest())


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses asked for; each answers the pinned text."""
    asked: list[str] = []

    def answer(url: str, timeout: float) -> io.BytesIO:
        assert timeout > 0
        asked.append(url)
        return io.BytesIO(TEXT)

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    return asked


def refuse_network(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(urllib.request, "urlopen", fail)


def test_the_folder_is_named_or_the_users_cache() -> None:
    assert manifests_folder({"INGRESS_HOPS_MANIFESTS": "/a"}) == Path("/a")
    assert manifests_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/ingress-hops")
    assert manifests_folder({}) == Path.home() / ".cache/ingress-hops"


def test_a_missing_file_is_fetched_once(tmp_path: Path, fetched: list[str]) -> None:
    folder = tmp_path / "not" / "yet"
    for _ in range(2):
        assert [item["kind"] for item in published(PINNED, folder)] == ["A", "B"]
    assert fetched == [PINNED.url]
    assert os.listdir(folder) == ["calico-v0.0.1.yaml"], "no half-written file stays"  # noqa: PTH208
    assert (folder / PINNED.file_name).read_bytes() == TEXT


def test_a_file_that_is_there_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_network(monkeypatch, AssertionError())
    (tmp_path / PINNED.file_name).write_bytes(TEXT)
    assert len(published(PINNED, tmp_path)) == 2


def test_an_altered_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / PINNED.file_name
    path.write_bytes(TEXT + b"\n")
    with pytest.raises(PublishedFileError) as caught:
        published(PINNED, tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{path} is not calico 0.0.1 as published: its sha256 is ")
    assert f"pinned is {PINNED.sha256}. Delete the file" in message
    assert path.exists(), "whose file it is, nobody knows"


def test_an_altered_answer_is_refused_and_not_kept(tmp_path: Path, fetched: list[str]) -> None:
    other = Manifest("calico", "0.0.1", "0" * 64)
    with pytest.raises(PublishedFileError, match=r"is not calico 0\.0\.1 as published"):
        published(other, tmp_path)
    assert fetched
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [urllib.error.URLError("no route to host"), TimeoutError("timed out")])
def test_no_network_says_how_to_do_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    refuse_network(monkeypatch, error)
    with pytest.raises(PublishedFileError) as caught:
        published(PINNED, tmp_path)
    message = str(caught.value)
    assert str(tmp_path / PINNED.file_name) in message
    assert f"Fetch {PINNED.url} on a machine with network, put it there under the name calico-v0.0.1.yaml" in message
    assert "INGRESS_HOPS_MANIFESTS" in message


@pytest.mark.parametrize("error", [ConnectionResetError("reset"), http.client.IncompleteRead(b"half")])
def test_an_answer_that_breaks_off_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    class Broken(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            raise error

    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: Broken())
    with pytest.raises(PublishedFileError, match=r"reset|IncompleteRead"):
        published(PINNED, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    (tmp_path / PINNED.file_name).mkdir()
    with pytest.raises(PublishedFileError, match=r"Is a directory.*INGRESS_HOPS_MANIFESTS"):
        published(PINNED, tmp_path)


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path, fetched: list[str]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PublishedFileError, match=r"Not a directory|File exists"):
        published(PINNED, tmp_path / "file" / "below")
    assert len(fetched) == 1


def test_the_file_appears_whole(tmp_path: Path, fetched: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    rename = Path.replace

    def watched(part: Path, target: Path) -> Path:
        seen.append(target.exists())
        assert part.read_bytes() == TEXT
        return rename(part, target)

    monkeypatch.setattr(Path, "replace", watched)
    published(PINNED, tmp_path)
    assert seen == [False]
    assert fetched
