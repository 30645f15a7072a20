"""How long an image of 50 MB with one changed line takes to reach a node; prints a Markdown table.

Three ways, in turns: `kind load`, which sends the image as a whole; a registry in a container beside the cluster, to
which Docker pushes and from which the node pulls; and `hops`, which sends the layers that the node lacks. Needs the
image `registry:3`. Run it with nothing else on the machine: `make bench-images`.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from hops.cli import registries
from hops.cli.image_build.builder import make
from hops.model import versions
from hops.model.images.image import Build
from hops.observe.contexts import read_build

CLUSTER = "ingress-hops-images"
NODE = f"{CLUSTER}-control-plane"
CONTAINER = f"{CLUSTER}-registry"
MIRRORED = "registry.invalid"
SIZE = 50 * 1000 * 1000
DOCKERFILE = "FROM scratch\nCOPY large /\nCOPY line /\nCMD []\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    taken: dict[str, list[float]] = {}
    with TemporaryDirectory() as folder:
        context = Path(folder)
        (context / "Dockerfile").write_text(DOCKERFILE)
        (context / "large").write_bytes(os.urandom(SIZE))
        try:
            address = _start()
            # The first round sends the large layer, too.
            for number in range(given.rounds + 1):
                for way, seconds in _ways(context, address, number):
                    taken.setdefault(way, []).append(seconds)
        finally:
            _run("docker", "rm", "--force", "--volumes", CONTAINER)
            _run("kind", "delete", "cluster", "--name", CLUSTER)
    load = os.getloadavg()[1]
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {given.rounds} rounds, load {load:.1f}; seconds\n")
    print("| an image of 50 MB | whole | with one changed line, median | all |\n|---|---|---|---|")
    for way, (first, *others) in taken.items():
        cells = ", ".join(f"{each:.1f}" for each in others)
        print(f"| {way} | {first:.1f} | {statistics.median(others):.1f} | {cells} |")


def _run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return done.stdout


def _start() -> str:
    """Creates a cluster of one node and the registry. Returns the registry's address on this machine."""
    node_image = os.environ.get("INGRESS_HOPS_NODE_IMAGE") or versions.NODE_IMAGE
    with TemporaryDirectory() as folder:
        kubeconfig = str(Path(folder, "kubeconfig"))
        _run("kind", "create", "cluster", "--name", CLUSTER, "--image", node_image, "--kubeconfig", kubeconfig)
    _run(
        "docker",
        "run",
        "--detach",
        "--name",
        CONTAINER,
        "--network",
        "kind",
        "--publish",
        "127.0.0.1::5000",
        "registry:3",
    )
    registries.write(CLUSTER, {MIRRORED: [f"http://{CONTAINER}:5000"]})
    return _run("docker", "port", CONTAINER, "5000").split()[0]


def _ways(context: Path, address: str, number: int) -> Iterator[tuple[str, float]]:
    """Each way, and the seconds from the built image to the image in the node."""
    image = _build(context, f"{address}/kind:{number}", f"kind {number}")
    yield "`kind load docker-image`", _seconds(("kind", "load", "docker-image", image, "--name", CLUSTER))
    image = _build(context, f"{address}/pulled:{number}", f"registry {number}")
    push = ("docker", "push", "--quiet", image)
    pull = ("docker", "exec", NODE, "crictl", "pull", f"{MIRRORED}/pulled:{number}")
    yield "a registry: `docker push`, and a pull by the node", _seconds(push, pull)
    (context / "line").write_text(f"hops {number}")
    yield "`hops`", make(_of(context)).loaded


def _build(context: Path, image: str, line: str) -> str:
    (context / "line").write_text(line)
    _run("docker", "build", "--quiet", "--tag", image, str(context))
    return image


def _of(context: Path) -> Build:
    dockerfile = context / "Dockerfile"
    return read_build("apps/web", CLUSTER, context=context, dockerfile=dockerfile, target=None, args={})


def _seconds(*commands: tuple[str, ...]) -> float:
    began = time.monotonic()
    for words in commands:
        _run(*words)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
