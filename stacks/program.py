"""The program that `pulumi` runs: settings in, stack built, outputs out."""

import os
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi

from hops.kubernetes.existing_cluster import ExistingCluster
from hops.kubernetes.values import at
from hops.model.certificates import KeyPair
from hops.model.commands import of_stack
from hops.model.plan import Plan, plan
from hops.model.preflight import (
    ClusterState,
    Machine,
    PublishedCluster,
    cluster_state,
    consent,
    generation,
    problems,
    published_cluster,
    rebuild,
)
from hops.model.project_files import generations, owner_folder
from hops.model.settings.setting_types import NAMESPACE
from hops.model.settings.stack_settings import Settings
from hops.observe.contexts import builds, with_images
from hops.observe.in_cluster.answers import cluster_objects, context_objects
from hops.observe.in_cluster.api import APIError
from hops.observe.local.authority import AuthorityError, authority_file, authority_folder, certificates
from hops.observe.local.machine import look
from hops.observe.local.published_files import manifests_folder, published
from hops.observe.local.stack_files import has_makefile
from stacks import config
from stacks.build import BuiltStack, StackContext, build

_REPLACE = "INGRESS_HOPS_REPLACE"
_FORCE = "PULUMI_K8S_ENABLE_PATCH_FORCE"
"""With "true", the Kubernetes provider takes fields over that others own; `hops up` sets it where it is needed."""
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between the questions for a state that is being written."""


def run() -> BuiltStack:
    """Declares the current stack and exports its outputs.

    Returns what resources of your own beside it need.

    A preview says as warnings what an `up` refuses. Raises pulumi.RunError where the stack cannot be made.
    """
    try:
        settings = config.read()
        images = builds(Path.cwd(), settings)
        settings = with_images(settings, images)
        folder = Path(settings.cluster.kubeconfig_folder).expanduser().resolve()
        intended = plan(settings)
        upstream = {m.name: published(m, manifests_folder()) for m in intended.manifests}
    except (ValueError, RuntimeError) as error:
        raise pulumi.RunError(str(error)) from None
    stack = pulumi.get_stack()
    owner = owner_folder(str(folder), stack)
    machine = look(intended.entrypoints, folder)
    before = published_cluster(_last_outputs(stack))
    state = cluster_state(machine, intended, settings.cluster.name, owner, before)
    living, unseen = _living(settings, intended, running=state.running)
    own = _own(stack)
    found = problems(settings, intended, machine, state) + unseen
    if settings.cluster.existing and not unseen:
        found += ExistingCluster(living, settings).problems(own or ())
    if found and not pulumi.runtime.is_dry_run():
        raise pulumi.RunError("nothing was changed, because\n" + "\n".join(f"- {problem}" for problem in found))
    for problem in found:
        pulumi.log.warn(f"an up would stop here: {problem}")
    if state.outdated:
        lost = rebuild(intended, str(folder), before, None if own is None else len(own))
        # What an interrupted start left, and no update ever published, is nothing to lose.
        inhabited = before.generation > 0 or any(
            node.state == "running" for node in machine.nodes(settings.cluster.name)
        )
        if inhabited and os.environ.get(_REPLACE) != "1":
            lost = f"{lost}\n{consent(stack, makefile=has_makefile(Path.cwd()))}"
            if not pulumi.runtime.is_dry_run():
                raise pulumi.RunError(f"nothing was changed: {lost}")
        pulumi.log.warn(lost)
    _announce(machine, settings, state, before)
    ground = StackContext(
        folder=str(folder),
        owner=owner,
        generation=generation(state, before, generations(stack, (file.name for file in folder.glob("*.yaml")))),
        state=state,
        upstream=upstream,
        objects=living,
        own=own or frozenset(),
        engine=True,
        builds=images,
        secrets=config.secrets(),
        certificates=_certificates(settings),
        authority=str(authority_file(authority_folder())),
    )
    built = build(settings, ground)
    for name, value in built.outputs.items():
        pulumi.export(name, value)
    return built


def _announce(machine: Machine, settings: Settings, state: ClusterState, before: PublishedCluster) -> None:
    """Says what an up does to the containers of the stack's cluster."""
    if state.stopped:
        pulumi.log.info(f"stopped, and started again by an up: {', '.join(state.stopped)}")
    for node in machine.nodes(settings.cluster.name):
        if node.name in state.moved:
            pulumi.log.info(
                f"{node.name} has the address {node.address}, and its cluster was made with {node.kept_address}, "
                "because Docker gives out addresses in the order of starting: an up starts it again with the old one"
            )
    if state.running and not before.generation:
        pulumi.log.info(
            f"the cluster {settings.cluster.name} runs, and this state knows nothing of it: an up takes it over"
        )
        if os.environ.get(_FORCE) != "true":
            stack = pulumi.get_stack()
            up = of_stack("up", stack, makefile=has_makefile(Path.cwd()))
            pulumi.log.warn(
                "plain pulumi up ends with field conflicts here, because the objects in the cluster have other owners; "
                f"use {up}, or {_FORCE}=true pulumi up --stack {stack}"
            )


def _certificates(settings: Settings) -> Mapping[str, KeyPair]:
    """The certificates of the hosts with `tls: true`. Only an `up` writes files."""
    try:
        return certificates(authority_folder(), settings.own_hosts, keep=not pulumi.runtime.is_dry_run())
    except AuthorityError as error:
        raise pulumi.RunError(str(error)) from None


def _living(settings: Settings, intended: Plan, *, running: bool) -> tuple[list[dict[str, Any]], list[str]]:
    """What the cluster holds now, and why an existing one cannot be asked."""
    if not settings.cluster.existing:
        return cluster_objects(str(intended.control_plane)) if running else [], []
    try:
        return context_objects(intended.context), []
    except APIError as error:
        look = shlex.join(["kubectl", "--context", intended.context, "get", "nodes"])
        return [], [f"{NAMESPACE}:cluster.existing is {intended.context}: {error}; check it with: {look}"]


def _last_outputs(stack: str) -> Mapping[str, Any]:
    """What the stack's last update published, empty before the first one."""
    outputs = _read("readStackOutputs", name=_whole_name(stack)).get("outputs")
    return outputs if isinstance(outputs, Mapping) else {}


def _own(stack: str) -> frozenset[str] | None:
    """The Kubernetes objects of the stack's state, each as KIND/NAMESPACE/NAME; None where it cannot be read."""
    resources = _read("readStackResourceOutputs", stackName=_whole_name(stack)).get("outputs")
    if not isinstance(resources, Mapping):
        return None
    return frozenset(
        f"{str(at(of, 'type')).rpartition(':')[2]}/{at(metadata, 'namespace') or ''}/{at(metadata, 'name') or urn}"
        for urn, of in resources.items()
        if "$kubernetes:" in urn or "::kubernetes:" in urn
        for metadata in [at(of, "outputs", "metadata")]
    )


def _whole_name(stack: str) -> str:
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"


def _read(function: str, **arguments: str) -> Mapping[str, Any]:
    """What the engine reads from the state before this update. Its own functions register no resource.

    An engine that cannot read it stops the program: without the state nobody knows which generation is new. A file
    backend writes the state while the update begins, and a half-written file cannot be read (3.259), so the question is
    asked again for a few seconds.
    """
    for pause in (*_PAUSES, None):
        try:
            answer = pulumi.runtime.invoke(f"pulumi:pulumi:{function}", arguments).value
            break
        # The SDK raises a plain Exception for what a function answers.
        except Exception as error:
            if pause is None or "failed to load checkpoint" not in str(error):
                raise
            time.sleep(pause)
    return answer if isinstance(answer, Mapping) else {}
