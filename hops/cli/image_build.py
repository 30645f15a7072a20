"""Builds the image of a service and loads it into the nodes of its cluster: what components/image.py runs."""

import json
import os
import subprocess
import sys
import tarfile
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

from hops.cli.oci_layout import write_archive
from hops.kubernetes.resources.docker_containers import KIND_LABEL, KIND_ROLE_LABEL
from hops.model.image import Build
from hops.model.kind_names import CONTROL_PLANE
from hops.observe.contexts import BuildError, read_build
from hops.observe.local import docker
from hops.observe.local.docker import DockerError
from hops.observe.timed_tasks import later

_LAST_LINES = 14
_SECONDS = 60.0
_CTR = "ctr --namespace k8s.io"
_ASK = f'uname -m; {_CTR} images ls --quiet "name==$1"; {_CTR} content ls --quiet'
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""The names that images have for what `uname -m` prints."""


@dataclass(frozen=True)
class Node:
    """A node that the image can run on.

    name: of its container. architecture: as images name it. has_image: whether it has the image.
    blobs: the digests of its image contents.
    """

    name: str
    architecture: str
    has_image: bool
    blobs: frozenset[str]


def make(build: Build) -> str:
    """Builds an image unless Docker or all nodes have it, and loads it into the nodes that lack it.

    build: what to build, and for which cluster.

    Returns a sentence with the seconds of each part. Raises BuildError; nothing that runs is changed then.
    """
    try:
        nodes = _nodes(build)
        lacking = [node for node in nodes if not node.has_image]
        if not lacking and nodes:
            return "every node has the image"
        began = time.monotonic()
        if not _has(build.image):
            _build(build)
        built = time.monotonic()
        _check_architecture(build, lacking)
        _load(build.image, lacking)
    except (DockerError, OSError) as error:
        raise BuildError(f"{_of(build)} was not made: {error}") from None
    return f"built in {built - began:.1f} s, loaded in {time.monotonic() - built:.1f} s"


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
        machine, *rest = answer.result().split()
        nodes.append(
            Node(name, _ARCHITECTURES.get(machine, machine), build.image in rest, frozenset(rest) - {build.image})
        )
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
            raise BuildError(f"{_of(build)} was not made: {build.context} changed while it was built; run it again")
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
    with NamedTemporaryFile(prefix="ingress-hops-", suffix=".tar") as file:
        docker.run("save", "--output", file.name, image, seconds=600)
        loads = [(node, later(partial(_import, file.name, image, node))) for node in nodes]
        for _, load in loads:
            load.exception()
        for node, load in loads:
            if error := load.exception():
                raise OSError(f"the node {node.name} did not take it: {error}")


def _import(saved: str, image: str, node: Node) -> None:
    """Sends a saved image to a node without the layers that the node has."""
    command = ["docker", "exec", "--interactive", node.name, *_CTR.split(), "images", "import", "--all-platforms", "-"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with process, tarfile.open(saved) as archive:
        if process.stdin is None or process.stderr is None:
            raise OSError("no pipe")
        try:
            with process.stdin as pipe:
                write_archive(archive, image, node.blobs, pipe)
        except BrokenPipeError:
            pass  # The node says why.
        error = process.stderr.read(4000).decode(errors="replace").strip()
    if process.returncode:
        raise OSError(error or f"ctr ended with {process.returncode}")


def main(words: Sequence[str]) -> int:
    """`make` or `remove`, for the build on standard input. Returns the exit status."""
    build = Build(**json.load(sys.stdin))
    if list(words) == ["remove"]:
        remove(build)
        return 0
    try:
        print(make(build))  # noqa: T201 - the engine keeps it with the resource
    except BuildError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the engine shows it
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
