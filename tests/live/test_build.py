"""The example web-api in a real cluster: its services are built, loaded, changed, and survive a build that fails."""

import http.server
import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.live.conftest import a_clone
from tests.project import Project, answer, run

STACK = "web-api"
CLUSTER = f"ingress-hops-{STACK}"
EXAMPLE = Path("examples", "web-api")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with a_clone(tmp_path_factory.mktemp("project")) as clone:
        shutil.copy(clone.folder / EXAMPLE / "web-api.yaml", clone.folder / "stacks" / f"Pulumi.{STACK}.yaml")
        clone.up(STACK)
        yield clone


def said(path: str) -> str:
    status, body = answer(f"curl --resolve web-api.localhost:8180:127.0.0.1 http://web-api.localhost:8180{path}")
    assert status == 200
    return body


def text() -> str:
    return str(json.loads(said("/api/hello"))["text"])


def edit(built: Project, old: str, new: str) -> None:
    file = built.folder / EXAMPLE / "api" / "api.py"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def images() -> set[str]:
    repository = f"ingress-hops.invalid/{CLUSTER}/apps/api"
    return set(run("docker", "image", "ls", "--format", "{{.Tag}}", repository).split())


def in_node() -> list[str]:
    listed = run("docker", "exec", f"{CLUSTER}-worker", "ctr", "--namespace", "k8s.io", "images", "ls", "--quiet")
    return [line.rpartition(":")[2] for line in listed.split() if "/apps/api:" in line]


def test_the_front_and_the_api_answer(built: Project) -> None:
    assert "<title>web-api</title>" in said("/")
    assert text() == "hello from the API"
    assert "no changes" in built.preview(STACK)
    assert "no changes" in built.up(STACK)


def test_one_changed_line_is_previewed_built_loaded_and_answered(built: Project) -> None:
    (before,) = in_node()
    there = images()
    edit(built, "hello from the API", "hello again")
    preview = built.preview(STACK)
    assert "± build apps/api: image ingress-hops.invalid/" in preview
    assert "build apps/web" not in preview
    assert images() == there, "a preview builds nothing"
    up = built.up(STACK)
    assert "1 updated, 1 replaced" in up
    assert text() == "hello again"
    (after,) = in_node()
    assert after != before
    assert images() == there - {before} | {after}, "the old image is removed"


@pytest.mark.long
def test_a_failing_build_keeps_the_old_version(built: Project) -> None:
    before, file = text(), built.folder / EXAMPLE / "api" / "Dockerfile"
    kept = file.read_text()
    file.write_text(kept.replace("AS base\n", "AS base\nRUN echo broken-on-purpose && exit 7\n"))
    try:
        failed = built.up(STACK, fails=True)
        assert "the image of apps/api cannot be built" in failed
        assert "exit code: 7" in failed
        assert text() == before
        file.write_text(kept)
        built.up(STACK)
        assert text() == before
    finally:
        file.write_text(kept)


@pytest.mark.long
def test_an_image_that_the_node_has_lost_is_loaded_again(built: Project) -> None:
    before, (tag,) = text(), in_node()
    image = f"ingress-hops.invalid/{CLUSTER}/apps/api:{tag}"
    run("docker", "exec", f"{CLUSTER}-worker", "ctr", "--namespace", "k8s.io", "images", "rm", "--sync", image)
    pods = built.kubectl(STACK, "get", "pods", "--namespace", "apps", "--output", "name").split()
    built.kubectl(STACK, "delete", "--namespace", "apps", *(pod for pod in pods if pod.startswith("pod/api-")))
    lost = f"the image {image} is gone from {CLUSTER}-worker"
    assert f"{lost} (an up loads it again)" in built.preview(STACK)
    assert f"{lost}; it is loaded again: " in built.up(STACK)
    assert text() == before
    assert in_node() == [tag]


@pytest.mark.long
def test_an_unknown_target_is_reported_before_anything_changes(built: Project) -> None:
    file = built.folder / "stacks" / f"Pulumi.{STACK}.yaml"
    kept = file.read_text()
    file.write_text(kept.replace("target: prod", "target: production"))
    try:
        problem = "target is production, and the Dockerfile has no such stage; its stages: base, debug, prod"
        assert problem in built.preview(STACK, fails=True)
        assert problem in built.up(STACK, fails=True)
    finally:
        file.write_text(kept)
    assert text()


@pytest.fixture
def dev(built: Project) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """`hops dev` and the lines that it has printed."""
    process = subprocess.Popen(
        [".venv/bin/hops", "dev", STACK],
        cwd=built.folder,
        env=built.environment | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[str] = []
    reader = Thread(target=lambda: lines.extend(process.stdout or ()), daemon=True)
    reader.start()
    yield process, lines
    process.kill()
    process.wait()
    reader.join()
    if process.stdout:
        process.stdout.close()


def until(lines: list[str], there: Callable[[str], object], seconds: float = 240) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := next((line for line in list(lines) if there(line)), None):
            return found
        time.sleep(0.2)
    raise AssertionError("".join(lines))


@pytest.mark.long
def test_dev_answers_with_what_was_saved_and_ends_by_ctrl_c(
    built: Project, dev: tuple[subprocess.Popen[str], list[str]]
) -> None:
    process, lines = dev
    until(lines, lambda line: line.startswith("watching "))
    before = text()
    # A burst of saves is one build.
    for number in range(5):
        edit(built, before if number == 0 else f"burst {number - 1}", f"burst {number}")
    done = until(lines, lambda line: "from save to answer" in line)
    assert re.match(r"apps/api: \d+\.\d s from save to answer \(noticed ", done)
    assert text() == "burst 4"
    assert sum(line.startswith("dev: ") for line in lines) == 1
    until(lines, lambda line: line.startswith("[api-") and "GET /api/hello" in line)
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 0
    until(lines, lambda line: line == f"ended; the stack {STACK} keeps running\n", 5)
    assert text() == "burst 4"
    assert "no changes" in built.preview(STACK), "the state knows what runs"


@pytest.mark.long
def test_an_up_knows_what_a_killed_dev_rolled_out(built: Project, dev: tuple[subprocess.Popen[str], list[str]]) -> None:
    process, lines = dev
    until(lines, lambda line: line.startswith("watching "))
    edit(built, text(), "killed")
    until(lines, lambda line: "from save to answer" in line)
    process.kill()
    process.wait()
    assert text() == "killed"
    ahead = "Deployment apps/api runs the image"
    assert ahead in built.preview(STACK)
    built.up(STACK)
    assert text() == "killed"
    assert ahead not in built.preview(STACK)


@pytest.mark.long
def test_the_nodes_ask_a_mirror_that_a_running_cluster_was_given(built: Project) -> None:
    asked: list[str] = []

    class Mirror(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    gateway = run(
        "docker", "network", "inspect", "--format", "{{range .IPAM.Config}}{{println .Gateway}}{{end}}", "kind"
    )
    address = next(line for line in gateway.split() if "." in line)
    file = built.folder / "stacks" / f"Pulumi.{STACK}.yaml"
    kept, began = file.read_text(), identity()
    with http.server.ThreadingHTTPServer((address, 0), Mirror) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        mirror = f"http://{address}:{server.server_address[1]}/hub"
        registries = f'httpPort: 8180\n    registries: {{registry.invalid: ["{mirror}"]}}'
        try:
            file.write_text(kept.replace("httpPort: 8180", registries))
            assert "mirrors of registries" in built.up(STACK)
            pod = ("run", "mirrored", "--image=registry.invalid/app:1", "--restart=Never")
            built.kubectl(STACK, *pod)
            deadline = time.monotonic() + 60
            while not asked and time.monotonic() < deadline:
                time.sleep(0.2)
            built.kubectl(STACK, "delete", "pod", "mirrored", "--wait=false")
            assert asked[0].startswith("/v2/hub/app/manifests/1?")
        finally:
            file.write_text(kept)
            built.up(STACK)
            server.shutdown()
    written = run("docker", "exec", f"{CLUSTER}-worker", "find", "/etc/containerd/certs.d", "-name", "hosts.toml")
    assert written == "", "an up without the setting removes the files"
    assert identity() == began, "the nodes are the same"


def identity() -> str:
    return run("docker", "inspect", "--format", "{{.Id}} {{.State.StartedAt}}", f"{CLUSTER}-worker")
