"""Writes the mirrors of registries into the nodes of a kind cluster: what components/cluster.py runs."""

import json
import sys
from collections.abc import Mapping, Sequence
from functools import partial

from hops.kubernetes.resources.docker_containers import KIND_LABEL
from hops.model.images.registries import script
from hops.observe.local import docker
from hops.observe.local.docker import DockerError
from hops.observe.timed_tasks import later

_SECONDS = 60.0


def write(cluster: str, registries: Mapping[str, Sequence[str]]) -> None:
    """Replaces the mirrors in all nodes. Raises DockerError with the node's name.

    cluster: name of the kind cluster.
    registries: the URLs of the mirrors by the registry's host.
    """
    listed = docker.run("ps", "--filter", f"label={KIND_LABEL}={cluster}", "--format", "{{.Names}}", seconds=_SECONDS)
    run = partial(docker.run, text=script(registries), seconds=_SECONDS)
    ran = [(node, later(partial(run, "exec", "--interactive", node, "sh"))) for node in listed.split()]
    for node, each in ran:
        try:
            each.result()
        except DockerError as error:
            raise DockerError(f"the node {node} did not accept the mirrors: {error}") from None


def main() -> int:
    """Writes the mirrors that standard input holds as JSON. Returns the exit status."""
    try:
        write(**json.load(sys.stdin))
    except DockerError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the engine shows it
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
