"""Gathers what others hold of this machine, for the rules XS01 to XS03."""

from pathlib import Path

from hops.fleet import Others, joined, others, published
from hops.machine import cluster_state
from hops.plan import plan
from hops.settings import Settings
from stacks.machine import look

FOLDER = "stacks"


def stack_files(project: Path) -> dict[str, bytes]:
    """The stack files of a project by the stack's name. Raises OSError."""
    files = sorted((project / FOLDER).glob("Pulumi.*.yaml"))
    return {path.name.removeprefix("Pulumi.").removesuffix(".yaml"): path.read_bytes() for path in files}


def fleet(project: Path, stack: str, of: Settings) -> Others:
    """What the other stacks of the project and Docker, where one answers, hold beside a stack. Raises OSError."""
    intended = plan(of)
    folder = (project / of.cluster.kubeconfig_folder).expanduser().resolve()
    machine = look(intended.door)
    state = cluster_state(machine, intended, of.cluster.name, f"{folder}/{stack}.owner")
    found = others(stack_files(project), stack)
    return Others(joined(found.fleet, published(machine, of.cluster.name, state)), found.unread)
