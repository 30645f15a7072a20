"""Reads Docker through its own command, so that contexts, Docker Desktop and rootless daemons work alike."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from hops.kubernetes.resources.docker_containers import KIND_LABEL
from hops.observe.timed_tasks import later
from hops.trace.observed.observation import ObservedDocker

SECONDS = 8.0
_INFO = (
    *("Architecture", "CgroupVersion", "ClientInfo", "Driver", "IPv4Forwarding", "KernelVersion", "MemTotal", "NCPU"),
    *("OSType", "OperatingSystem", "SecurityOptions", "ServerVersion", "Warnings", "host"),
)
"""The fields of `docker info` that an observation keeps: the product, and what affects ports. `host` is Podman's."""


class DockerError(RuntimeError):
    """Docker did not answer, and why.

    output: what the command printed before it failed.
    """

    def __init__(self, reason: str, output: str = "") -> None:
        super().__init__(reason)
        self.output = output


def run(*words: str, text: str = "", seconds: float = SECONDS) -> str:
    """The standard output of a docker command.

    words: the command without `docker`.
    text: its standard input. Default: none.
    seconds: how long it may take.

    Raises DockerError.
    """
    try:
        done = subprocess.run(
            ("docker", *words), input=text.encode(), capture_output=True, timeout=seconds, check=False
        )
    except FileNotFoundError:
        raise DockerError("docker is not on PATH") from None
    except subprocess.TimeoutExpired:
        raise DockerError(f"docker {words[0]} took longer than {seconds:.0f} s") from None
    except OSError as error:
        raise DockerError(str(error)) from None
    output = done.stdout.decode(errors="replace")
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip() or f"docker {words[0]} ended with {done.returncode}"
        raise DockerError(reason.splitlines()[-1], output)
    return output


def info(seconds: float = SECONDS) -> Mapping[str, Any]:
    """What `docker info` prints. Raises DockerError, also if the daemon does not answer."""
    printed = _json(run("info", "--format", "{{json .}}", seconds=seconds))
    if errors := printed.get("ServerErrors"):
        raise DockerError(" ".join(errors))
    return dict(printed)


def containers(*filters: str, seconds: float = SECONDS) -> list[Mapping[str, Any]]:
    """What `docker inspect` prints of containers, in any state.

    filters: filters of `docker ps`; a container must match one of them. Default: all containers.
    seconds: how long each command may take.

    Raises DockerError.
    """
    command: tuple[str, ...] = ("ps", "--all", "--quiet", "--no-trunc")
    commands = [(*command, "--filter", chosen) for chosen in filters] or [command]
    listed = [later(partial(run, *words, seconds=seconds)) for words in commands]
    names = sorted({name for each in listed for name in each.result().split()})
    return _inspected(names, seconds) if names else []


def docker(cluster: str | None, port: int, seconds: float = SECONDS) -> ObservedDocker:
    """Docker itself, the nodes of a kind cluster, and every container that publishes a port.

    cluster: name of the cluster; None for all kind clusters.
    port: the port of this machine.
    seconds: how long each command may take.

    Raises DockerError.
    """
    daemon = later(partial(info, seconds))
    label = f"label={KIND_LABEL}={cluster}" if cluster else f"label={KIND_LABEL}"
    inspected = containers(label, f"publish={port}", seconds=seconds)
    about = daemon.result()
    return ObservedDocker(info={key: about[key] for key in _INFO if key in about}, containers=tuple(inspected))


def _inspected(names: Sequence[str], seconds: float) -> list[Mapping[str, Any]]:
    try:
        return list(_json(run("inspect", "--type", "container", *names, seconds=seconds)))
    except DockerError as error:
        # The command fails for all if one container is gone by now. Docker prints the others nevertheless.
        if error.output.strip() not in ("", "[]"):
            return list(_json(error.output))
        if len(names) == 1:
            return []
        return [found for name in names for found in _inspected([name], seconds)]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise DockerError("docker answers, but not in JSON") from None
