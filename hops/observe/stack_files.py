"""Gathers what others hold of this machine, for the rules XS01 to XS03."""

from pathlib import Path

from hops.model.plan import plan
from hops.model.preflight import ClusterState, Machine, cluster_state
from hops.model.settings import Settings
from hops.observe.machine import look
from hops.rules.other_stacks import Others, joined, others, published

FOLDER = "stacks"


def stack_files(project: Path) -> dict[str, bytes]:
    """The stack files of a project by the stack's name. Raises OSError."""
    files = sorted((project / FOLDER).glob("Pulumi.*.yaml"))
    return {path.name.removeprefix("Pulumi.").removesuffix(".yaml"): path.read_bytes() for path in files}


def own_state(project: Path, stack: str, of: Settings, machine: Machine) -> ClusterState:
    """What is there of a stack's own cluster."""
    folder = (project / of.cluster.kubeconfig_folder).expanduser().resolve()
    return cluster_state(machine, plan(of), of.cluster.name, f"{folder}/{stack}.owner")


def fleet(project: Path, stack: str, of: Settings) -> Others:
    """What the other stacks of the project and Docker, where one answers, hold beside a stack. Raises OSError."""
    machine = look(plan(of).door)
    found = others(stack_files(project), stack)
    docker = published(machine, of.cluster.name, own_state(project, stack, of, machine))
    return Others(joined(found.fleet, docker), found.unread)
