"""The ports and names of this machine that are taken."""

from pathlib import Path

from hops.model.plan import plan
from hops.model.settings.stack_settings import Settings
from hops.observe.local.machine import look
from hops.observe.local.stack_files import own_state, stack_files
from hops.rules.other_stacks import Others, joined, others, published


def fleet(project: Path, stack: str, settings: Settings) -> Others:
    """The ports and names that the other stacks of the project use, and those of Docker. Raises OSError."""
    machine = look(plan(settings).entrypoints)
    found = others(stack_files(project), stack)
    docker = published(machine, settings.cluster.name, own_state(project, stack, settings, machine))
    return Others(joined(found.fleet, docker), found.unread)
