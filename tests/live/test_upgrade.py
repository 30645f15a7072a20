"""A stack that older versions made goes to the current ones by `make up`, and a step back, while requests are sent.

Older versions of this project come from this repository's history. Older versions of Contour and Calico are pinned in a
clone's `hops/model/versions.py`, as an older version of this project would do.
"""

import http.client
import io
import json
import re
import subprocess
import sys
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import copy2, rmtree
from typing import IO

import pytest

from hops.model.versions import CALICO, CONTOUR, Manifest
from hops.observe.local.published_files import PublishedFileError, manifests_folder, published
from tests.live.conftest import a_clone
from tests.project import ROOT, Project, answer, containers, copy_project, run

pytestmark = pytest.mark.long

STACK, PORT = "upgraded", 8550
CLUSTER = f"ingress-hops-{STACK}"
NODES = (f"{CLUSTER}-control-plane", f"{CLUSTER}-worker")
HOST = f"my-service.{STACK}.localhost"
FILE = f"""\
config:
  ingress-hops:cluster:
    httpPort: {PORT}
    httpsPort: null
  ingress-hops:services:
    - name: my-service
      pod: example-pod
      host: {HOST}
"""
OLDER_PROJECTS = (("313aadf", False), ("86e7a99", True))
"""Commits, and whether a stack can also go back to them, which the upgrades in docs/drift.md restrict."""
OLDER_CONTOUR = Manifest("contour", "1.33.5", "4f38f923593621365a489b7ed31e45f33559fe75853a31428b917fbc80a6515a")
OLDER_CALICO = Manifest("calico", "3.30.7", "f54d9437d0596895d217db6ad4966d861e5c052cd0f900888e9c5dc2f8b0e606")
MOST_SECONDS = 60.0
"""How long no request may be answered while the one Envoy of the node is replaced."""
PATIENCE = 30.0
"""Seconds that a client waits. On a machine whose load is 30 times its processors, a pod that nothing changes takes up
to 5 s for an answer, also when it is asked from its own node."""
IMPATIENCE = 2.0
"""Seconds that a client waits while Envoy is replaced: a packet to the old one may get no answer at all."""
_KEPT = (".ingress-hops", ".venv", ".git")
_IMAGE = re.compile(r"^\s+(?:- )?image: (\S+)$", re.MULTILINE)


@dataclass
class Requests:
    """What was sent. answers: how often each status or error was seen. longest: seconds without a 200."""

    answers: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0

    def __str__(self) -> str:
        counted = ", ".join(f"{number} {what}" for what, number in self.answers.most_common())
        return f"{self.answers.total()} requests: {counted}; at most {self.longest:.1f} s without a 200"


@contextmanager
def _requests(patience: float) -> Iterator[Requests]:
    """Sends requests in the meantime, each over a connection of its own and 0.1 s after the last was answered.

    patience: seconds that each may take.
    """
    sent, ended = Requests(), threading.Event()

    def ask() -> None:
        last = time.monotonic()
        while not ended.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=patience)
            try:
                connection.request("GET", "/", headers={"Host": f"{HOST}:{PORT}"})
                seen = str(connection.getresponse().status)
            except (OSError, http.client.HTTPException) as error:
                seen = type(error).__name__
            finally:
                connection.close()
            now = time.monotonic()
            sent.answers[seen] += 1
            sent.longest = max(sent.longest, now - last)
            last = now if seen == "200" else last
            ended.wait(0.1)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield sent
    finally:
        ended.set()
        asking.join()


def _tell(capsys: pytest.CaptureFixture[str], what: str, sent: Requests) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{what}: {sent}\n")


def _pods(project: Project) -> str:
    """The pods of the workload, each with what a pod made anew would not have."""
    form = "jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.status.startTime}{'\\n'}{end}"
    return project.kubectl(STACK, "get", "pods", "--namespace", "apps", "--output", form)


def _created() -> str:
    return run("docker", "inspect", "--format", "{{.Created}}", *NODES)


@contextmanager
def _folder(tmp_path: Path) -> Iterator[Project]:
    """A clone of the current version with the stack's file, and nothing of the stack left afterwards."""
    assert containers(CLUSTER) == [], f"a cluster of {STACK} is here already; these tests need its name"
    with a_clone(tmp_path) as clone:
        (clone.folder / "stacks" / f"Pulumi.{STACK}.yaml").write_text(FILE)
        yield clone
    assert containers(CLUSTER) == []


def _empty(folder: Path) -> None:
    """Removes a version of the project, and leaves the stack with its file and state."""
    for item in folder.iterdir():
        if item.name not in _KEPT:
            rmtree(item) if item.is_dir() else item.unlink()


def _checkout(project: Project, commit: str) -> Project:
    """A folder goes to a version of the project, as by `git checkout`. commit: "" for the current version."""
    folder, file = project.folder, project.folder / "stacks" / f"Pulumi.{STACK}.yaml"
    kept = file.read_text()
    _empty(folder)
    if commit:
        words = ["git", "-C", str(ROOT), "archive", commit]
        packed = subprocess.run(words, check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
    else:
        copy_project(folder)
    file.write_text(kept)
    # Its own `hops` runs, and not the one that is installed. The first versions had their commands elsewhere.
    own = {"PYTHONPATH": str(folder)} if (folder / "hops" / "cli").is_dir() else {}
    return replace(project, environment={k: v for k, v in project.environment.items() if k != "PYTHONPATH"} | own)


def _unchanged_pods(project: Project, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An `up` that leaves nodes and pods as they are, and requests answered."""
    before = _pods(project), _created()
    preview = project.preview(STACK)
    assert not re.search(r"\d+ (created|replaced|deleted)|would (create|replace|delete)", preview), preview
    with _requests(PATIENCE) as sent:
        said = project.up(STACK)
    _tell(capsys, what, sent)
    assert set(sent.answers) == {"200"}, said
    assert (_pods(project), _created()) == before, said
    assert "no changes" in project.preview(STACK)


@pytest.mark.parametrize(("commit", "back"), OLDER_PROJECTS)
def test_a_stack_of_an_older_version_of_this_project(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], commit: str, *, back: bool
) -> None:
    if subprocess.run(["git", "-C", str(ROOT), "cat-file", "-e", f"{commit}^{{commit}}"], check=False).returncode:
        pytest.skip(f"this clone lacks the commit {commit}")
    with _folder(tmp_path) as clone:
        older = _checkout(clone, commit)
        older.up(STACK)
        current = _checkout(older, "")
        _unchanged_pods(current, f"{commit} to the current version", capsys)
        if back:
            _unchanged_pods(_checkout(current, commit), f"the current version to {commit}", capsys)
            current = _checkout(older, "")


def _have(manifest: Manifest, folder: Path) -> str | None:
    """Puts a published file into a folder. Returns why that is impossible."""
    file = folder / manifest.file_name
    if (here := manifests_folder() / manifest.file_name).exists():
        copy2(here, file)
    try:
        published(manifest, folder)
    except PublishedFileError as error:
        # A module of Go has the whole repository, and its mirror may answer where GitHub does not.
        words = ["go", "mod", "download", "-json", f"github.com/projectcontour/contour@v{manifest.version}"]
        try:
            module = json.loads(subprocess.run(words, check=True, capture_output=True, cwd="/").stdout)["Dir"]
        except (OSError, subprocess.CalledProcessError):
            return str(error)
        file.write_bytes((Path(module) / "examples" / "render" / "contour.yaml").read_bytes())
        published(manifest, folder)
    return None


def _images(manifest: Manifest, folder: Path) -> list[str]:
    """In the order of the file, each once."""
    return list(dict.fromkeys(_IMAGE.findall((folder / manifest.file_name).read_text())))


def _in(node: str, *words: str, stdin: IO[bytes] | int | None = subprocess.DEVNULL) -> bool:
    command = ["docker", "exec", "--interactive", node, *words]
    return subprocess.run(command, check=False, capture_output=True, stdin=stdin).returncode == 0


def _load(image: str, current: str) -> str:
    """Puts an image into the nodes, which run or begin to. Returns what was taken.

    Without a registry the current image takes its place: the objects differ, and the program is the same.
    """
    taken = ""
    for node in NODES:
        deadline = time.monotonic() + 300
        while not _in(node, "ctr", "--namespace=k8s.io", "images", "ls", "-q"):
            assert time.monotonic() < deadline, f"containerd of {node} does not answer"
            time.sleep(0.5)
        if subprocess.run(["docker", "image", "inspect", image], check=False, capture_output=True).returncode == 0:
            with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
                assert _in(node, "ctr", "--namespace=k8s.io", "images", "import", "-", stdin=saved.stdout)
            taken = "itself"
        elif _in(node, "timeout", "60", "crictl", "pull", image):
            taken = "itself"
        else:
            assert _in(node, "ctr", "--namespace=k8s.io", "images", "tag", current, image), f"{node} has no {current}"
            taken = current
    return f"{image}: {taken}"


def _pin(project: Project, *manifests: Manifest) -> None:
    """Pins published files in a clone, as the version of the project would that used them."""
    file = project.folder / "hops" / "model" / "versions.py"
    text = file.read_text()
    for manifest in manifests:
        line = f'{manifest.name.upper()} = Manifest("{manifest.name}", "{manifest.version}", "{manifest.sha256}")'
        text = re.sub(rf"^{manifest.name.upper()} = .*$", line, text, flags=re.MULTILINE)
    file.write_text(text)


def _runs(project: Project, manifest: Manifest, folder: Path) -> None:
    """Every image of a published file is that of a running pod or a finished Job."""
    form = "jsonpath={range .items[*]}{.spec.containers[*].image} {.spec.initContainers[*].image}{'\\n'}{end}"
    used = set(project.kubectl(STACK, "get", "pods", "--all-namespaces", "--output", form).split())
    assert set(_images(manifest, folder)) <= used, used


def test_older_versions_of_contour_and_calico(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Calico's update and the step back of it lose no request; Envoy is replaced with Contour, and pauses."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    for manifest in (CONTOUR, CALICO):
        assert _have(manifest, folder) is None
    missing = {older: why for older in (OLDER_CONTOUR, OLDER_CALICO) if (why := _have(older, folder))}
    if OLDER_CONTOUR in missing:
        pytest.skip(missing[OLDER_CONTOUR])
    older = [manifest for manifest in (OLDER_CONTOUR, OLDER_CALICO) if manifest not in missing]
    stand_ins = {
        image: current
        for manifest, now in ((OLDER_CONTOUR, CONTOUR), (OLDER_CALICO, CALICO))
        if manifest in older
        for image, current in zip(_images(manifest, folder), _images(now, folder), strict=True)
    }
    (tmp_path / "clone").mkdir()
    with _folder(tmp_path / "clone") as clone:
        project = replace(clone, environment=clone.environment | {"INGRESS_HOPS_MANIFESTS": str(folder)})
        _pin(project, *older)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(project.up, STACK)
            while containers(CLUSTER) == [] and not first.done():
                time.sleep(0.5)
            loaded = [_load(image, current) for image, current in stand_ins.items()] if not first.done() else []
            first.result()
        with capsys.disabled():
            sys.stdout.write("\n" + "\n".join(loaded) + "\n")
        created = _created()
        for manifest in older:
            _runs(project, manifest, folder)
        for manifest in [now for now in (CALICO, CONTOUR) if now.name in {one.name for one in older}]:
            before = next(one for one in older if one.name == manifest.name)
            for which, other in ((manifest, before), (before, manifest), (manifest, before)):
                _pin(project, which)
                assert "no changes" not in project.preview(STACK)
                with _requests(PATIENCE if which.name == "calico" else IMPATIENCE) as sent:
                    said = project.up(STACK)
                    time.sleep(2)
                _tell(capsys, f"{other.name} {other.version} to {which.version}", sent)
                _runs(project, which, folder)
                assert answer(project.outputs(STACK)["curl"])[0] == 200, said
                if which.name == "calico":
                    assert set(sent.answers) == {"200"}, said
                assert sent.longest < MOST_SECONDS, said
                assert "no changes" in project.preview(STACK)
        assert _created() == created, "the cluster was made anew"
