"""The program that `pulumi` runs: settings in, stack built, outputs out."""

import time
from pathlib import Path

import pulumi

from hops.model.plan import plan
from hops.model.preflight import cluster_state, problems
from hops.observe.machine import look
from hops.observe.published_files import manifests_folder, published
from stacks import config
from stacks.build import Ground, build


def run() -> None:
    """Declares the current stack and exports its outputs.

    A preview says as warnings what an `up` refuses. Raises pulumi.RunError where the stack cannot be made.
    """
    try:
        settings = config.read()
        folder = Path(settings.cluster.kubeconfig_folder).expanduser().resolve()
        intended = plan(settings)
        upstream = {m.name: published(m, manifests_folder()) for m in intended.manifests}
    except (ValueError, RuntimeError) as error:
        raise pulumi.RunError(str(error)) from None
    owner = f"{folder}/{pulumi.get_stack()}.owner"
    machine = look(intended.door)
    state = cluster_state(machine, intended, settings.cluster.name, owner)
    found = problems(settings, intended, machine, state)
    if found and not pulumi.runtime.is_dry_run():
        raise pulumi.RunError("nothing was changed, because\n" + "\n".join(f"- {problem}" for problem in found))
    for problem in found:
        pulumi.log.warn(f"an up would stop here: {problem}")
    if state.outdated:
        pulumi.log.warn("settings changed that a running cluster cannot take: an up makes it and all in it anew")
    if state.stopped:
        pulumi.log.info(f"stopped, and started again by an up: {', '.join(state.stopped)}")
    generation = int(time.time()) if state.generation is None else state.generation
    for name, value in build(settings, Ground(str(folder), owner, generation, state, upstream)).items():
        pulumi.export(name, value)
