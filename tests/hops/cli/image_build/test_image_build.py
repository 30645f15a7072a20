"""The build of an image and its way into the nodes, with a stand-in for docker."""

import hashlib
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from hops.cli.image_build.builder import make, remove
from hops.model.images.image import Build
from hops.observe.contexts import BuildError, read_build

DOCKER = """\
#!/bin/sh
echo "$*" >> "$CALLS"
here=$(dirname "$0")
case "$1 $2" in
  "ps --all") cat "$here/nodes" ;;
  "exec worker" | "exec control") if [ "$3" = sh ]; then cat "$here/worker"; fi ;;
  "exec --interactive") cat > "$here/loaded" ;;
  "image inspect")
    if [ "$4" = "{{.Architecture}}" ]; then cat "$here/architecture"; exit; fi
    if [ ! -e "$here/built" ]; then echo "Error: No such image: x" >&2; exit 1; fi ;;
  "build --progress")
    if [ -e "$here/fails" ]; then for n in $(seq 30); do echo "line $n"; done; exit 1; fi
    if [ -e "$here/edits" ]; then echo 2 > "$(cat "$here/edits")"; fi
    printf sha256:1 > "$5" ;;
  "tag sha256:1") touch "$here/built" ;;
  "save --output") cp "$here/saved" "$3" ;;
  "image rm") ;;
  *) echo "unknown: $*" >&2; exit 1 ;;
esac
"""
LAYERS = (b"base", b"application")
DIFFS = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in LAYERS]


def saved() -> bytes:
    """What Docker 20 writes."""
    out = io.BytesIO()
    config = json.dumps({"rootfs": {"diff_ids": DIFFS}}).encode()
    files = {"c.json": config, "0/layer.tar": LAYERS[0], "1/layer.tar": LAYERS[1]}
    described = [{"Config": "c.json", "Layers": ["0/layer.tar", "1/layer.tar"]}]
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in {**files, "manifest.json": json.dumps(described).encode()}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "docker").write_text(DOCKER)
    (folder / "docker").chmod(0o755)
    (folder / "nodes").write_text("control-plane control running\nworker worker running\n")
    (folder / "worker").write_text(f"x86_64\n{DIFFS[0]}\n{DIFFS[0]} 4\n")
    (folder / "architecture").write_text("amd64\n")
    (folder / "saved").write_bytes(saved())
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setenv("CALLS", str(folder / "calls"))
    return folder


@pytest.fixture
def build(tmp_path: Path) -> Build:
    web = tmp_path / "web"
    web.mkdir()
    (web / "Dockerfile").write_text("FROM a AS prod\n")
    (web / "app.py").write_text("1")
    return read_build(
        "apps/web", "alice", context=web, dockerfile=web / "Dockerfile", target="prod", args={"VERSION": "1"}
    )


def calls(machine: Path, *begin: str) -> list[str]:
    file = machine / "calls"
    lines = file.read_text().splitlines() if file.exists() else []
    return [line for line in lines if line.startswith(" ".join(begin))]


def test_an_image_is_built_named_and_loaded(machine: Path, build: Build) -> None:
    assert str(make(build)).startswith("built in ")
    (words,) = calls(machine, "build")
    assert words.endswith(f"--file {build.dockerfile} --target prod --build-arg VERSION=1 {build.context}")
    assert calls(machine, "tag") == [f"tag sha256:1 {build.image}"]
    with tarfile.open(machine / "loaded") as archive:
        names = set(archive.getnames())
        index = json.load(archive.extractfile("index.json") or io.BytesIO())
    assert index["manifests"][0]["annotations"] == {"io.containerd.image.name": build.image}
    assert {f"blobs/{diff.replace(':', '/')}" in names for diff in DIFFS[:1]} == {False}, "the node has it"
    assert f"blobs/{DIFFS[1].replace(':', '/')}" in names


def test_a_node_that_has_the_image_is_left_alone(machine: Path, build: Build) -> None:
    (machine / "worker").write_text(f"x86_64\n{build.image}\n")
    assert str(make(build)) == "every node has the image"
    assert not calls(machine, "build")
    assert not calls(machine, "save")


@pytest.mark.parametrize(
    ("nodes", "asked"),
    [
        ("control-plane control running\n", ["exec control sh"]),
        ("control-plane control running\nworker worker exited\nworker worker2 running\n", ["exec worker2 sh"]),
        ("control-plane control running\nworker worker exited\n", []),
    ],
    ids=["alone", "one-of-two", "stopped"],
)
def test_the_control_plane_gets_the_image_where_it_runs_the_pods(
    machine: Path, build: Build, nodes: str, asked: list[str]
) -> None:
    (machine / "nodes").write_text(nodes)
    (machine / "docker").write_text(DOCKER.replace('"exec control"', '"exec control" | "exec worker2"'))
    (machine / "worker").write_text(f"x86_64\n{build.image}\n")
    make(build)
    assert [" ".join(line.split()[:3]) for line in calls(machine, "exec")] == asked


def test_an_image_that_docker_has_is_not_built_again(machine: Path, build: Build) -> None:
    (machine / "built").touch()
    make(build)
    assert not calls(machine, "build")
    assert (machine / "loaded").exists()


def test_a_failing_build_shows_the_builders_last_lines_and_changes_nothing(machine: Path, build: Build) -> None:
    (machine / "fails").touch()
    with pytest.raises(BuildError) as caught:
        make(build)
    first, *lines = str(caught.value).splitlines()
    assert first == "the image of apps/web cannot be built. The last lines of docker build:"
    assert lines == [f"line {number}" for number in range(17, 31)]
    assert not calls(machine, "tag")
    assert not calls(machine, "save")


def test_a_file_that_changes_during_the_build_gives_no_image_of_the_old_name(machine: Path, build: Build) -> None:
    (machine / "edits").write_text(f"{build.context}/app.py")
    with pytest.raises(BuildError, match="changed while it was built; run it again"):
        make(build)
    assert not calls(machine, "tag")


def test_an_image_of_another_architecture_is_not_loaded(machine: Path, build: Build) -> None:
    (machine / "architecture").write_text("arm64\n")
    with pytest.raises(BuildError, match="is of the architecture arm64, and the node worker is amd64"):
        make(build)
    assert not calls(machine, "save")


def test_a_docker_that_does_not_answer(machine: Path, build: Build) -> None:
    (machine / "docker").write_text("#!/bin/sh\necho no daemon >&2\nexit 1\n")
    with pytest.raises(BuildError, match="the image of apps/web was not built: no daemon"):
        make(build)
    remove(build)


def test_an_old_image_is_removed_from_docker_and_the_nodes(machine: Path, build: Build) -> None:
    remove(replace(build, digest="0" * 16))
    name = f"ingress-hops.invalid/alice/apps/web:{'0' * 16}"
    assert calls(machine, "image rm") == [f"image rm {name}"]
    assert calls(machine, "exec") == [f"exec worker ctr --namespace k8s.io images rm {name}"]
