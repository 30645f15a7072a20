"""Looks at Docker by its own command, so that contexts, Docker Desktop and rootless daemons work alike."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from hops.kubernetes.objects import KIND_LABEL
from hops.observe.timed_tasks import later
from hops.trace.observed.observation import ObservedDocker

SECONDS = 8.0
_INFO = (
    *("Architecture", "CgroupVersion", "ClientInfo", "Driver", "IPv4Forwarding", "KernelVersion", "MemTotal", "NCPU"),
    *("OSType", "OperatingSystem", "SecurityOptions", "ServerVersion", "Warnings", "host"),
)
"""What is kept of `docker info`: which Docker it is, and what of it bears on ports. `host` is Podman's."""


class DockerError(RuntimeError):
    """Docker says nothing, and why."""


def run(*words: str, text: str = "", seconds: float = SECONDS) -> str:
    """The standard output of a docker command. text: its standard input. Raises DockerError."""
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
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip() or f"docker {words[0]} ended with {done.returncode}"
        raise DockerError(said.splitlines()[-1])
    return done.stdout.decode(errors="replace")


def docker(cluster: str | None, port: int) -> ObservedDocker:
    """What Docker says of itself, of a kind cluster's nodes and of every container that publishes a port.

    cluster: its name, None for those of all kind clusters. Raises DockerError.
    """
    told = later(partial(run, "info", "--format", "{{json .}}"))
    label = f"label={KIND_LABEL}={cluster}" if cluster else f"label={KIND_LABEL}"
    listed = [
        later(partial(run, "ps", "--all", "--quiet", "--no-trunc", "--filter", chosen))
        for chosen in (label, f"publish={port}")
    ]
    names = sorted({name for each in listed for name in each.result().split()})
    containers = _inspected(names)
    info = _json(told.result())
    if errors := info.get("ServerErrors"):
        raise DockerError(" ".join(errors))
    return ObservedDocker(info={key: info[key] for key in _INFO if key in info}, containers=tuple(containers))


def _inspected(names: Sequence[str]) -> list[Mapping[str, Any]]:
    if not names:
        return []
    try:
        return list(_json(run("inspect", "--type", "container", *names)))
    except DockerError:
        # One that went away since makes the command fail for all.
        found = []
        for name in names:
            try:
                found += _json(run("inspect", "--type", "container", name))
            except DockerError:
                continue
        return found


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise DockerError("docker answers, but not in JSON") from None
