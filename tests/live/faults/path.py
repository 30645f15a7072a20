"""The path that faults are put into: a stack of its own, its cluster, and what is asked of both."""

import copy
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

import yaml

from hops.model.path import CONTOUR_NAMESPACE
from hops.model.plan import Plan, plan
from hops.model.settings.setting_types import NAMESPACE
from hops.model.settings.stack_config import settings
from hops.observe.local.stack_files import kubeconfig
from tests.live.faults.kubernetes import Kubernetes, Object, bare, ready, until
from tests.project import Project, containers, run

STACK = "faults"
HOSTS = "/etc/hosts"


def _private(script: str) -> list[str]:
    """The command of a shell script that has a mount namespace of its own."""
    return ["unshare", *(["--map-root-user"] if os.geteuid() else []), "--mount", "sh", "-c", script]


def _namespaces() -> bool:
    try:
        return not subprocess.run(
            [*_private("mount --bind /etc/hosts /etc/hosts")], capture_output=True, check=False
        ).returncode
    except FileNotFoundError:
        return False


NAMED = _namespaces()
"""Whether a process can be given files of its own, such as another hosts file."""
HOST = "my-service.faults.local" if NAMED else "my-service.faults.localhost"
CONFIG: dict[str, Any] = {
    "cluster": {"httpPort": 8085, "httpsPort": 8448},
    "services": [
        {
            "name": "my-service",
            "pod": "example-pod",
            "host": HOST,
            "command": ["python", "-m", "http.server", "8080"],
            "request": "/etc/passwd",
        }
    ],
    # It serves the pod's whole file system, as the documents do.
    "policy": {"rules": {"EX01": {"level": "advisory"}}},
}
IN_THE_BODY = "root:"
"""What the right answer holds."""


@dataclass(frozen=True)
class Answer:
    """What a request came to. curl: its exit status, 0 where an answer came. by_pod: whether a pod gave the answer."""

    curl: int
    status: int = 0
    by_pod: bool = False
    body: str = ""

    @property
    def well(self) -> bool:
        return self.status == 200 and self.by_pod and IN_THE_BODY in self.body


Place = tuple[str | None, str]
"""A hop's name, None for the machine below all hops, and a code."""


@dataclass(frozen=True)
class Reported:
    """What a trace said.

    first: the first broken hop. stopping, advisory: the findings of either level. seconds: of the whole command.
    """

    first: str | None
    stopping: tuple[Place, ...]
    advisory: tuple[Place, ...]
    seconds: float
    versions: Mapping[str, str]


class Elsewhere(Kubernetes):
    """A cluster that is not the stack's. kubeconfig: its file."""

    def __init__(self, cluster: str, kubeconfig: File) -> None:
        super().__init__(cluster)
        self.kubeconfig = kubeconfig


class Path(Kubernetes):
    """The running stack `faults`: what its plan calls it, and how it is asked."""

    def __init__(self, project: Project, plan: Plan, elsewhere: Callable[[], Elsewhere]) -> None:
        assert plan.control_plane
        super().__init__(plan.control_plane.removesuffix("-control-plane"))
        self.project = project
        self.plan = plan
        self.elsewhere = elsewhere
        self.backend = plan.backends[0]
        self.worker = plan.workers[0]
        self.port = plan.entrypoint.mappings[0].host
        self.secure_port = next(mapping.host for mapping in plan.entrypoint.mappings if mapping.scheme == "https")
        self.pod = self.backend.pods[0]
        self.namespace = self.backend.namespace

    # --- what is there

    def runs(self) -> bool:
        """Whether the publishing node runs, as Docker sees it."""
        return run("docker", "inspect", "--format", "{{.State.Running}}", self.worker).strip() == "true"

    def node(self, *words: str, stdin: str = "") -> str:
        """A command in the publishing node."""
        command = ["docker", "exec", "--interactive", self.worker, *words]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{self.worker}: {' '.join(words)}: {done.stderr[-2000:]}"
        return done.stdout

    def workload(self) -> Object:
        return self.get("pod", self.pod, self.namespace)

    def envoys(self) -> list[Object]:
        return self.list("pods", CONTOUR_NAMESPACE, "app=envoy")

    def slices(self) -> list[Object]:
        return self.list("endpointslices", self.namespace, f"kubernetes.io/service-name={self.backend.service}")

    def offers(self) -> list[tuple[str, bool, int | None]]:
        """Address, readiness and port of each endpoint of the Service."""
        return [
            (address, endpoint["conditions"].get("ready", False), port.get("port"))
            for item in self.slices()
            for endpoint in item["endpoints"] or []
            for address in endpoint["addresses"]
            for port in item["ports"] or [{}]
        ]

    # --- requests

    def ask(self, host: str | None = None, port: int | None = None, path: str | None = None) -> Answer:
        """A request from this machine, to 127.0.0.1 whatever names mean here."""
        host, port = host or self.backend.host, port or self.port
        url = f"http://{host}:{port}{path or self.backend.request_path}"
        return _curl([], ["--resolve", f"{host}:{port}:127.0.0.1", url])

    def ask_secure(self, authority: str, *options: str) -> Answer:
        """A request over https from this machine. authority: the file with the authority that the client trusts."""
        host, port = self.backend.host, self.secure_port
        url = f"https://{host}:{port}{self.backend.request_path}"
        return _curl([], ["--resolve", f"{host}:{port}:127.0.0.1", "--cacert", authority, *options, url])

    def kubeconfig(self) -> File:
        """The stack's kubeconfig file."""
        found = kubeconfig(self.project.folder, STACK, settings(STACK, CONFIG))
        assert found
        return found

    def ask_envoy(self, host: str | None = None, path: str | None = None) -> Answer:
        """The same to Envoy's pod, from its node."""
        envoy = next(pod["status"]["podIP"] for pod in self.envoys() if "deletionTimestamp" not in pod["metadata"])
        port = self.plan.entrypoint.mappings[0].envoy
        url = f"http://{envoy}:{port}{path or self.backend.request_path}"
        return _curl(["docker", "exec", self.worker], ["--header", f"Host: {host or self.backend.host}", url])

    def ask_pod(self) -> Answer:
        """The same to the pod, from its node."""
        url = f"http://{self.workload()['status']['podIP']}:{self.backend.target_port}{self.backend.request_path}"
        return _curl(["docker", "exec", self.worker], [url])

    # --- the trace

    def trace(
        self,
        options: Sequence[str],
        files: Mapping[str, str],
        bundle: File,
        *,
        stack: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> Reported:
        """What `hops trace` says.

        files: of /etc, in the place of the machine's own for this command alone. environment: variables, likewise.
        """
        began = time.monotonic()
        report = self.report(options, files, bundle, stack=stack, environment=environment)
        seconds = time.monotonic() - began
        first = next((hop["name"] for hop in report["hops"] if hop["verdict"] == "broken"), None)
        by_level = {
            mandatory: tuple(
                (f["hop"], f["code"]) for f in report["findings"] if (f["level"] == "mandatory") is mandatory
            )
            for mandatory in (True, False)
        }
        return Reported(first, by_level[True], by_level[False], seconds, json.loads(bundle.read_text())["versions"])

    def report(
        self,
        options: Sequence[str],
        files: Mapping[str, str],
        bundle: File,
        *,
        stack: bool = True,
        environment: Mapping[str, str] | None = None,
        pasted: str = "",
    ) -> dict[str, Any]:
        """What `hops trace --format json` prints.

        options, files, bundle, stack, environment: as of `trace`. pasted: a command that the same shell runs first.
        """
        words = [str(File(sys.executable).with_name("hops")), "trace", *([STACK] if stack else []), *options]
        words += ["--format", "json", "--bundle", str(bundle)]
        files = hosts(f"127.0.0.1 {HOST}", f"::1 {HOST}") | dict(files)
        done = subprocess.run(
            [
                *_elsewhere(files, bundle.parent),
                "bash",
                "-c",
                'eval "$1" >&2; shift; exec "$@"',
                "bash",
                pasted,
                *words,
            ],
            cwd=self.project.folder,
            env={**self.project.environment, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=900 if pasted else 120,
            check=False,
        )
        if done.returncode not in (0, 1):
            raise RuntimeError(f"hops trace: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    # --- the workload and Envoy, made anew

    @contextmanager
    def another_pod(self, change: Callable[[Object], None]) -> Iterator[None]:
        """The workload's pod made anew and otherwise, since a pod can hardly be changed."""
        saved = bare(self.workload())
        other = copy.deepcopy(saved)
        change(other)
        self.delete("pod", self.pod, self.namespace)
        self.apply("create", other)
        try:
            yield
        finally:
            self.delete("pod", self.pod, self.namespace)
            self.apply("create", saved)

    def new_envoy(self, daemon_set: Object | None = None) -> None:
        """Envoy's pods go, and the DaemonSet, which may be another from then on, makes others.

        The pods go first: the DaemonSet would give them the five minutes that its template names, and a pod whose Envoy
        does not run takes them.
        """
        names = [pod["metadata"]["name"] for pod in self.envoys()]
        for name in names:
            self.delete("pod", name, CONTOUR_NAMESPACE, wait=False)
        if daemon_set:
            self.apply("replace", daemon_set)
        until("Envoy's pod is gone", lambda: not {pod["metadata"]["name"] for pod in self.envoys()} & set(names))

    @contextmanager
    def another_envoy(self, change: Callable[[Object], None]) -> Iterator[None]:
        """Envoy's DaemonSet otherwise, and its pods made anew by it."""
        saved = bare(self.get("daemonset", "envoy", CONTOUR_NAMESPACE))
        other = copy.deepcopy(saved)
        change(other)
        self.new_envoy(other)
        try:
            yield
        finally:
            self.new_envoy(saved)

    def envoy_ready(self) -> bool:
        return all([ready(pod) for pod in self.envoys()] or [False])

    # --- whole again

    def whole(self) -> bool:
        """Whether a request is answered by the pod, and nothing is still on its way."""
        return self.ask().well and self.settled()


def _curl(where: list[str], words: list[str]) -> Answer:
    command = [*where, "curl", "--silent", "--max-time", "4", "--dump-header", "-", "--output", "-", *words]
    done = subprocess.run(command, capture_output=True, check=False)
    head, _, body = done.stdout.decode(errors="replace").partition("\r\n\r\n")
    lines = head.lower().splitlines()
    if not lines:
        return Answer(done.returncode)
    by_pod = any(line.startswith("x-envoy-upstream-service-time:") for line in lines)
    return Answer(done.returncode, int(lines[0].split()[1]), by_pod, body)


def hosts(*lines: str) -> dict[str, str]:
    """The hosts file with lines of its own below this machine's."""
    return {HOSTS: "\n".join([File(HOSTS).read_text().rstrip("\n"), *lines, ""])}


def _elsewhere(files: Mapping[str, str], folder: File) -> list[str]:
    """A mount namespace in which files have another content; the machine's own are never touched."""
    if not NAMED:
        return []
    mounts = []
    for name, content in files.items():
        other = folder / File(name).name
        other.write_text(content)
        mounts.append(f"mount --bind {other} {name}")
    return [*_private(" && ".join([*mounts, 'exec "$@"'])), "sh"]


@contextmanager
def up(project: Project, elsewhere: Callable[[], Elsewhere]) -> Iterator[Path]:
    """The stack, up and answering, and taken down afterwards. elsewhere: brings another cluster up, once."""
    file = project.folder / "stacks" / f"Pulumi.{STACK}.yaml"
    file.write_text(yaml.safe_dump({"config": {f"{NAMESPACE}:{key}": value for key, value in CONFIG.items()}}))
    path = Path(project, plan(settings(STACK, CONFIG)), elsewhere)
    assert containers(path.cluster) == [], f"a cluster named {path.cluster} is here already; these tests need that name"
    project.pulumi("stack", "init", STACK)
    try:
        project.up(STACK)
        until("the path answers", path.whole)
        yield path
    finally:
        project.down(STACK)
        project.pulumi("stack", "rm", STACK, "--yes")
