"""A service with an image of its own in a real cluster: its container, and rollouts that lose no request."""

import base64
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.live.conftest import a_clone
from tests.project import Project, answer, run

STACK = "services"
PORT = 8494
HOST = "web.services.localhost"
PASSPHRASE = "passphrase-planted-3571"  # noqa: S105 - it is looked for
WEB: dict[str, Any] = {
    "name": "web",
    "image": "python:3.13-slim",
    "host": HOST,
    "command": ["python", "-m", "http.server", "8080", "--directory", "/srv/www"],
    "files": {"/srv/www/index.html": "version 1"},
    "volumes": [{"path": "/cache"}],
    "user": 1000,
    "probes": {"readiness": {"http": "/", "port": "http"}, "liveness": {"exec": ["touch", "/cache/alive"]}},
}


@dataclass(frozen=True)
class Running:
    """The stack of these tests, which is up."""

    project: Project
    file: Path

    def write(self, **changes: Any) -> None:
        self.write_services({**WEB, **changes})

    def write_services(self, *services: dict[str, Any]) -> None:
        config = {
            "ingress-hops:cluster": {"name": f"ingress-hops-{STACK}", "httpPort": PORT, "httpsPort": None},
            "ingress-hops:services": list(services),
        }
        self.file.write_text(yaml.safe_dump({"config": config}))

    def said(self) -> str:
        status, body = answer(f"curl --resolve {HOST}:{PORT}:127.0.0.1 http://{HOST}:{PORT}/")
        assert status == 200
        return body


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with a_clone(tmp_path_factory.mktemp("project")) as clone:
        clone.environment["PULUMI_CONFIG_PASSPHRASE"] = PASSPHRASE
        of = Running(clone, clone.folder / "stacks" / f"Pulumi.{STACK}.yaml")
        of.write()
        clone.up(STACK)
        yield of


@dataclass
class Load:
    """Requests that are sent all the time. answers: how often each answer or failure was seen."""

    answers: Counter[str] = field(default_factory=Counter)

    def ask(self) -> None:
        connection = HTTPConnection("127.0.0.1", PORT, timeout=10)
        try:
            connection.request("GET", "/", headers={"Host": HOST})
            response = connection.getresponse()
            self.answers[f"{response.status} {response.read().decode()}"] += 1
        except (HTTPException, OSError) as error:
            self.answers[repr(error)] += 1
        finally:
            connection.close()


@contextmanager
def under_load() -> Iterator[Load]:
    load, ended = Load(), threading.Event()

    def send() -> None:
        while not ended.wait(0.02):
            load.ask()

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@pytest.mark.long
def test_the_pod_of_a_deployment_is_published_and_traced(running: Running) -> None:
    assert running.said() == "version 1"
    hops = {hop["name"]: hop for hop in running.project.outputs(STACK)["hops"]}
    name = hops["pod"]["component"].removeprefix("pod apps/")
    assert name.startswith("web-")
    pod = running.project.kubectl(STACK, "get", "pod", "--namespace", "apps", name, "--output=jsonpath={.status.podIP}")
    assert pod == hops["pod"]["address"] == hops["endpoint"]["address"]
    assert "no changes" in running.project.preview(STACK)
    assert "all is well" in running.project.make("trace", f"STACK={STACK}")


@pytest.mark.long
def test_each_route_leads_to_the_port_that_it_names(running: Running) -> None:
    before, second = running.file.read_text(), f"second.{HOST}"
    serve = "python -m http.server {0} --directory /srv/{0}"
    running.write(
        host=None,
        command=["sh", "-c", f"{serve.format(3000)} & exec {serve.format(5000)}"],
        files={"/srv/3000/index.html": "the first", "/srv/5000/index.html": "the second"},
        ports=[{"name": "web", "port": 80, "targetPort": 3000}, {"name": "second", "port": 5000}],
        probes={"readiness": {"http": "/", "port": "second"}},
        routes=[{"host": HOST}, {"host": second, "port": "second"}],
    )
    running.project.up(STACK)
    assert running.said() == "the first"
    assert answer(f"curl --resolve {second}:{PORT}:127.0.0.1 http://{second}:{PORT}/") == (200, "the second")
    hops = [hop for hop in running.project.outputs(STACK)["hops"] if hop["name"] in ("service", "pod")]
    assert [(hop["name"], hop["port"]) for hop in hops] == [
        ("service", 80),
        ("pod", 3000),
        ("service", 5000),
        ("pod", 5000),
    ]
    running.file.write_text(before)
    running.project.up(STACK)


ASK = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import urlopen
class Ask(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            body = urlopen("http://store:5000/", timeout=3).read()
        except OSError as error:
            body = b"refused"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
ThreadingHTTPServer(("", 8080), Ask).serve_forever()
"""


@pytest.mark.long
def test_a_folder_outlives_its_pod_and_only_admitted_pods_reach_its_service(running: Running) -> None:
    before, stranger = running.file.read_text(), f"stranger.{HOST}"
    asking = {"kind": "Deployment", "files": {"/srv/ask.py": ASK}, "command": ["python", "/srv/ask.py"]}
    start = "echo version $VERSION >> /data/index.html; exec python -m http.server 5000 --directory /data"

    def write(version: str) -> None:
        store = {
            "name": "store",
            "image": "python:3.13-slim",
            "port": 5000,
            "routes": [],
            "admit": ["web"],
            # Where a stand-in has no storage of kind's, the folder is root's.
            "user": 0,
            "volumes": [{"path": "/data", "size": "10Mi"}],
            "env": {"VERSION": version},
            "command": ["sh", "-c", start],
        }
        others = [{"name": "web", "host": HOST, **asking}, {"name": "stranger", "host": stranger, **asking}]
        running.write_services(store, *others)

    write("1")
    assert "the pods of web may connect to its ports" in running.project.up(STACK)
    assert running.said() == "version 1\n"
    assert answer(f"curl --resolve {stranger}:{PORT}:127.0.0.1 http://{stranger}:{PORT}/") == (200, "refused")
    assert "no changes" in running.project.preview(STACK)
    write("2")
    running.project.up(STACK)
    assert running.said() == "version 1\nversion 2\n"
    running.file.write_text(before)
    assert "PersistentVolumeClaim apps/store.data" in running.project.up(STACK)


@pytest.mark.long
def test_a_route_leads_to_a_service_that_the_stack_does_not_make(running: Running) -> None:
    before, host, space = running.file.read_text(), f"other.{HOST}", ("--namespace", "elsewhere")
    project = running.project
    other = {"name": "other", "namespace": "elsewhere", "kind": "Service", "port": 80, "routes": [{"host": host}]}
    running.write_services(WEB, other)
    project.kubectl(STACK, "create", "namespace", "elsewhere")
    failed = project.up(STACK, fails=True)
    assert "the stack does not make Service elsewhere/other and its pods" in failed
    assert "IN01" in failed
    serve = ("python", "-m", "http.server", "3000", "--directory", "/srv")
    project.kubectl(STACK, "create", "deployment", "other", "--image=python:3.13-slim", *space, "--", *serve)
    project.kubectl(STACK, "expose", "deployment", "other", "--port=80", "--target-port=3000", *space)
    project.kubectl(STACK, "rollout", "status", "deployment", "other", "--timeout=2m", *space)
    project.up(STACK)
    assert answer(f"curl --resolve {host}:{PORT}:127.0.0.1 http://{host}:{PORT}/")[0] == 200
    hops = [hop for hop in project.outputs(STACK)["hops"] if hop["service"] == "elsewhere/other"]
    (pod,) = (hop for hop in hops if hop["name"] == "pod")
    assert pod["component"].startswith("pod elsewhere/other-")
    assert pod["port"] == 3000
    assert "no changes" in project.preview(STACK)
    words = ("--chdir", str(project.folder), ".venv/bin/hops", "trace", STACK, "--host", host)
    traced = run("env", *words, **project.environment)
    assert "all is well" in traced
    running.file.write_text(before)
    project.up(STACK)
    assert "other" in project.kubectl(STACK, "get", "services", *space), "it stays"


@pytest.mark.long
def test_a_migration_ends_before_a_new_version_serves_and_a_failed_one_keeps_the_old(running: Running) -> None:
    before = running.file.read_text()

    def write(version: str, ends: str) -> None:
        migrate = f"echo migrating to $VERSION; exec {ends}"
        serve = "echo $VERSION > /tmp/index.html; exec python -m http.server 8080 --directory /tmp"
        running.write(
            files={},
            command=["sh", "-c", serve],
            env={"VERSION": version},
            probes=None,
            migration={"command": ["sh", "-c", migrate], "retries": 0},
        )

    write("one", "true")
    running.project.up(STACK)
    assert running.said() == "one\n"
    assert "no changes" in running.project.preview(STACK)
    write("two", "false")
    for _ in range(2):
        failed = running.project.up(STACK, fails=True)
        assert "ingress-hops:services[0] (web): its migration did not succeed" in failed
        assert "log: migrating to two" in failed
        assert running.said() == "one\n"
    write("two", "true")
    running.project.up(STACK)
    assert running.said() == "two\n"
    running.file.write_text(before)
    running.project.up(STACK)


def set_secret(project: Project, value: str) -> None:
    words = ["pulumi", "config", "set", "--secret", "--path", "ingress-hops:secrets.db-password", "--stack", STACK]
    subprocess.run(words, cwd=project.folder, env=project.environment, check=True, input=value, text=True)


@contextmanager
def commands_seen() -> Iterator[set[str]]:
    """The command lines of all processes of this machine in the meantime."""
    seen, ended = set[str](), threading.Event()

    def look() -> None:
        while not ended.wait(0.05):
            seen.update(run("ps", "-e", "-o", "args=").splitlines())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        ended.set()
        looking.join()


@pytest.mark.long
def test_a_secret_reaches_the_container_and_is_nowhere_in_clear(running: Running) -> None:
    planted, rotated = "hunter2-planted-8812", "hunter3-rotated-1190"
    show = 'printf %s "$PASSWORD" > /tmp/index.html; exec python -m http.server 8080 --directory /tmp'
    before = running.file.read_text()
    running.write(command=["sh", "-c", show], env={"PASSWORD": {"secret": "db-password"}})
    missing = running.project.preview(STACK, fails=True)
    assert "takes the secret db-password, and there is no such secret" in missing
    with commands_seen() as commands:
        set_secret(running.project, planted)
        said = [running.project.preview(STACK), running.project.up(STACK), running.project.preview(STACK)]
        assert running.said() == planted
        set_secret(running.project, rotated)
        said.append(running.project.up(STACK))
        assert running.said() == rotated, "another value is other pods"
    assert "no changes" in said[2]
    assert "changed in the cluster" not in said[2]
    trace = running.project.make("trace", f"STACK={STACK}", "VERBOSE=1")
    state = running.project.pulumi("stack", "export", "--stack", STACK)
    texts = [*said, trace, state, str(running.project.outputs(STACK)), running.file.read_text(), "\n".join(commands)]
    kubeconfigs = running.project.folder / ".ingress-hops" / "kubeconfig"
    (user,) = yaml.safe_load((kubeconfigs / f"{STACK}.yaml").read_text())["users"]
    # State, its history and backups, logs: all but the kubeconfig files themselves.
    kept = [file for file in (running.project.folder / ".ingress-hops").rglob("*") if file.is_file()]
    texts += [file.read_text(errors="replace") for file in kept if not file.is_relative_to(kubeconfigs)]
    assert any("pulumi up" in command for command in commands)
    assert len(texts) > 20
    for value in (planted, rotated, PASSPHRASE, user["user"]["client-key-data"][:200]):
        for text in texts:
            assert value not in text
            assert base64.b64encode(value.encode()).decode() not in text
    running.file.write_text(before)
    running.project.up(STACK)


@pytest.mark.long
def test_a_rollout_loses_no_request(running: Running) -> None:
    before = running.said()
    with under_load() as load:
        running.write(files={"/srv/www/index.html": "version 2"}, replicas=2)
        assert "1 updated" in running.project.up(STACK)
        # The old pod serves on for a moment, and ends after it.
        time.sleep(10)
    assert set(load.answers) == {f"200 {before}", "200 version 2"}, load.answers
    assert running.said() == "version 2"


@pytest.mark.long
def test_a_version_that_never_gets_ready_leaves_the_old_one_serving(running: Running) -> None:
    before = running.said()
    running.write(files={"/srv/www/index.html": "version 3"}, probes={"readiness": {"http": "/missing"}})
    with under_load() as load:
        failed = running.project.up(STACK, fails=True)
        again = running.project.up(STACK, fails=True)
    assert "its readiness probe fails: correct services[0].probes.readiness" in failed
    for said in (failed, again):
        assert "Deployment apps/web: its new version is not ready, and the ready pods continue to serve" in said
    assert set(load.answers) == {f"200 {before}"}, load.answers
    running.write(files={"/srv/www/index.html": "version 4"})
    running.project.up(STACK)
    assert running.said() == "version 4"
