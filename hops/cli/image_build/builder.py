"""Builds the image of a service and loads it into the nodes of its cluster."""

import os
import subprocess
import tarfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import IO

from hops.cli.image_build.oci_layout import write_archive
from hops.cli.image_build.receiver import receiver
from hops.kubernetes.resources.docker_containers import KIND_LABEL, KIND_ROLE_LABEL
from hops.model.images.image import Build
from hops.model.kind_names import CONTROL_PLANE
from hops.observe.contexts import BuildError, read_build
from hops.observe.local import docker
from hops.observe.local.docker import DockerError
from hops.observe.timed_tasks import later

_LAST_LINES = 14
_SECONDS = 60.0
_CTR = "ctr --namespace k8s.io"
_BLOBS = "/var/lib/containerd/io.containerd.content.v1.content/blobs/sha256"
_ASK = (
    f'uname -m; {_CTR} images ls --quiet "name==$1"; {_CTR} content ls --quiet; '
    f"find {_BLOBS} -type f -printf 'sha256:%f %s\\n'"
)
_REPOSITORY = "ingress-hops"
_PORT = 24302
"""Docker sends no layer twice to one registry."""
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""The names that images have for what `uname -m` prints."""


@dataclass(frozen=True)
class Node:
    """A node that the image can run on.

    name: of its container.
    architecture: as images name it.
    has_image: whether it has the image.
    blobs: the sizes of its image contents by digest.
    """

    name: str
    architecture: str
    has_image: bool
    blobs: Mapping[str, int]


@dataclass(frozen=True)
class Made:
    """The seconds that an image took. built: by Docker. loaded: into the nodes."""

    built: float = 0.0
    loaded: float = 0.0

    def __str__(self) -> str:
        if self == Made():
            return "every node has the image"
        return f"built in {self.built:.1f} s, loaded in {self.loaded:.1f} s"


_Write = Callable[[Node, IO[bytes]], None]
"""Writes an image as an OCI layout without what a node has."""


def make(build: Build) -> Made:
    """Builds an image unless Docker or all nodes have it, and loads it into the nodes that lack it.

    build: what to build, and for which cluster.

    Raises BuildError; nothing that runs is changed then.
    """
    try:
        nodes = _nodes(build)
        lacking = [node for node in nodes if not node.has_image]
        if not lacking and nodes:
            return Made()
        began = time.monotonic()
        if not _has(build.image):
            _build(build)
        built = time.monotonic()
        _check_architecture(build, lacking)
        _load(build.image, lacking)
    except (DockerError, OSError) as error:
        raise BuildError(f"{_of(build)} was not built: {error}") from None
    return Made(built - began, time.monotonic() - built)


def lacking(build: Build) -> list[str]:
    """The nodes that can run an image and lack it. Raises DockerError."""
    return [node.name for node in _nodes(build) if not node.has_image]


def remove(build: Build) -> None:
    """Removes an image that no service runs any more from Docker and from the nodes of its cluster that run."""
    words: list[tuple[str, ...]] = [("image", "rm", build.image)]
    with suppress(DockerError):
        words += [("exec", node, *_CTR.split(), "images", "rm", build.image) for node in _pod_nodes(build.cluster)]
    for each in [later(partial(docker.run, *one, seconds=_SECONDS)) for one in words]:
        # An image that is gone is what was asked for.
        each.exception()


def _of(build: Build) -> str:
    return f"the image of {build.service}"


def _pod_nodes(cluster: str) -> list[str]:
    """The running nodes of a kind cluster that run a stack's pods: its workers, or the control plane without any."""
    form = f'{{{{.Label "{KIND_ROLE_LABEL}"}}}} {{{{.Names}}}} {{{{.State}}}}'
    of_cluster = f"label={KIND_LABEL}={cluster}"
    printed = docker.run("ps", "--all", "--filter", of_cluster, "--format", form, seconds=_SECONDS)
    nodes = [line.split() for line in printed.splitlines()]
    workers = [node for node in nodes if node[0] != CONTROL_PLANE]
    return [name for _, name, state in workers or nodes if state == "running"]


def _nodes(build: Build) -> list[Node]:
    asked = [
        (name, later(partial(docker.run, "exec", name, "sh", "-c", _ASK, "sh", build.image, seconds=_SECONDS)))
        for name in _pod_nodes(build.cluster)
    ]
    nodes = []
    for name, answer in asked:
        machine, *lines = answer.result().splitlines()
        sizes = dict(line.split() for line in lines if " " in line)
        blobs = {line: int(sizes[line]) for line in lines if line in sizes}
        nodes.append(Node(name, _ARCHITECTURES.get(machine, machine), build.image in lines, blobs))
    return nodes


def _has(image: str) -> bool:
    try:
        docker.run("image", "inspect", "--format", "{{.Id}}", image, seconds=_SECONDS)
    except DockerError as error:
        if "No such image" in str(error):
            return False
        raise
    return True


def _build(build: Build) -> None:
    """The image gets its name only if it was built from what its name says."""
    with TemporaryDirectory() as folder:
        identity = Path(folder, "id")
        words = ["docker", "build", "--progress", "plain", "--iidfile", str(identity), "--file", build.dockerfile]
        words += ["--target", build.target] if build.target else []
        for key, value in build.args.items():
            words += ["--build-arg", f"{key}={value}"]
        # Another builder would keep its result to itself.
        around = os.environ | {"DOCKER_BUILDKIT": "1", "BUILDX_BUILDER": "default"}
        last: deque[str] = deque(maxlen=_LAST_LINES)
        with subprocess.Popen(
            [*words, build.context],
            env=around,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            last.extend(line.rstrip() for line in process.stdout or () if line.strip())
        if process.returncode:
            raise BuildError("\n".join((f"{_of(build)} cannot be built. The last lines of docker build:", *last)))
        try:
            now = read_build(
                build.service,
                build.cluster,
                context=Path(build.context),
                dockerfile=Path(build.dockerfile),
                target=build.target,
                args=build.args,
            ).digest
        except (BuildError, OSError, ValueError) as error:
            now = str(error)
        if now != build.digest:
            raise BuildError(f"{_of(build)} was not built: {build.context} changed while it was built; run it again")
        docker.run("tag", identity.read_text().strip(), build.image, seconds=_SECONDS)


def _check_architecture(build: Build, nodes: Sequence[Node]) -> None:
    architecture = docker.run(
        "image", "inspect", "--format", "{{.Architecture}}", build.image, seconds=_SECONDS
    ).strip()
    if other := next((node for node in nodes if node.architecture != architecture), None):
        docker.run("image", "rm", build.image, seconds=_SECONDS)
        raise BuildError(
            f"{_of(build)} is of the architecture {architecture}, and the node {other.name} is {other.architecture}: "
            f"it cannot run there. Remove --platform from {build.dockerfile}, or take a base image for "
            f"{other.architecture}"
        )


def _load(image: str, nodes: Sequence[Node]) -> None:
    if not nodes:
        return
    try:
        with _pushed(image, nodes) as write:
            _import(nodes, write)
    except DockerError:
        # A Docker on another machine, or in a virtual one, reaches no port here.
        with _saved(image) as write:
            _import(nodes, write)


@contextmanager
def _pushed(image: str, nodes: Sequence[Node]) -> Iterator[_Write]:
    """Takes the blobs of an image that not all nodes have. Raises DockerError."""
    if not docker.run("context", "inspect", "--format", "{{.Endpoints.docker.Host}}").startswith("unix://"):
        raise DockerError("Docker is on another machine")
    known = {digest: size for digest, size in nodes[0].blobs.items() if all(digest in node.blobs for node in nodes)}
    identity = docker.run("image", "inspect", "--format", "{{.Id}}", image, seconds=_SECONDS).strip()
    with receiver(known, _PORT) as of:
        tag = image.rpartition(":")[2]
        name = f"127.0.0.1:{of.port}/{_REPOSITORY}:{tag}"
        docker.run("tag", image, name, seconds=_SECONDS)
        try:
            docker.run("push", "--quiet", name, seconds=600)
        finally:
            docker.run("image", "rm", name, seconds=_SECONDS)
        if identity not in of.identities(tag):
            raise DockerError("another program has pushed")
        yield lambda node, pipe: of.write(tag, image, node.blobs, pipe)


@contextmanager
def _saved(image: str) -> Iterator[_Write]:
    """Takes the whole image. Raises DockerError."""
    with NamedTemporaryFile(prefix="ingress-hops-", suffix=".tar") as file:
        docker.run("save", "--output", file.name, image, seconds=600)

        def write(node: Node, pipe: IO[bytes]) -> None:
            with tarfile.open(file.name) as archive:
                write_archive(archive, image, node.blobs, pipe)

        yield write


def _import(nodes: Sequence[Node], write: _Write) -> None:
    """Sends an image to nodes side by side. Raises OSError."""
    loads = [(node, later(partial(_import_into, node, write))) for node in nodes]
    for _, load in loads:
        load.exception()
    for node, load in loads:
        if error := load.exception():
            raise OSError(f"the node {node.name} did not accept it: {error}")


def _import_into(node: Node, write: _Write) -> None:
    command = ["docker", "exec", "--interactive", node.name, *_CTR.split(), "images", "import", "--all-platforms", "-"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with process:
        if process.stdin is None or process.stderr is None:
            raise OSError("no pipe")
        try:
            with process.stdin as pipe:
                write(node, pipe)
        except BrokenPipeError:
            pass  # The node says why.
        error = process.stderr.read(4000).decode(errors="replace").strip()
    if process.returncode:
        raise OSError(error or f"ctr ended with {process.returncode}")
