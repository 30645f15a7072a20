"""Reads the files and folders that the stacks of a project have, and what others use beside a stack."""

from pathlib import Path

from hops.model.plan import plan
from hops.model.preflight import ClusterState, Machine, cluster_state
from hops.model.project_files import STACK_FILES, STACKS, kubeconfig_link, owner_folder, stack_of
from hops.model.settings.stack_settings import Settings


def stack_files(project: Path) -> dict[str, bytes]:
    """The stack files of a project by the stack's name. Raises OSError."""
    return {stack_of(path.name): path.read_bytes() for path in sorted((project / STACKS).glob(STACK_FILES))}


def has_makefile(project: Path) -> bool:
    """Whether the project has the Makefile of ingress-hops; one that `hops init` made has none, or another."""
    return (project / "Makefile").is_file() and (project / "hops" / "cli").is_dir()


def kubeconfig_folder(project: Path, settings: Settings) -> Path:
    """The folder of a stack's kubeconfig files; it may not exist."""
    return (project / Path(settings.cluster.kubeconfig_folder).expanduser()).resolve()


def kubeconfig(project: Path, stack: str, settings: Settings) -> Path | None:
    """The kubeconfig of a stack's running cluster; None if there is none."""
    link = kubeconfig_folder(project, settings) / kubeconfig_link(stack)
    return link if link.exists() else None


def own_state(project: Path, stack: str, settings: Settings, machine: Machine) -> ClusterState:
    """The state of a stack's own cluster."""
    owner = owner_folder(str(kubeconfig_folder(project, settings)), stack)
    return cluster_state(machine, plan(settings), settings.cluster.name, owner)
