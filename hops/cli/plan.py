"""`hops plan`: the program under Pulumi's mock runtime. It needs the network only for published files."""

import asyncio
import dataclasses
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pulumi
import typer
import yaml

from hops.cli.output import Format, FormatOption, Status, echo, print_json, stop
from hops.cli.programs.project import ProjectError, project_folder
from hops.cli.stacks.stack_file import StackError, read, stack_file
from hops.cli.tables import print_hops
from hops.kubernetes import objects
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.claims import Fleet
from hops.model.certificates import KeyPair
from hops.model.finding import Finding, Level, Place
from hops.model.images.image import Build
from hops.model.plan import plan
from hops.model.preflight import ClusterState
from hops.model.project_files import owner_folder
from hops.model.settings.setting_types import NAMESPACE
from hops.model.settings.stack_settings import Settings
from hops.observe.contexts import BuildError, builds, with_images
from hops.observe.local.authority import authority_file, authority_folder, certificates
from hops.observe.local.files import write as write_file
from hops.observe.local.fleet import fleet
from hops.observe.local.published_files import PublishedFileError, manifests_folder, published
from hops.observe.local.stack_files import kubeconfig_folder
from hops.rules.catalogue import RULES
from hops.rules.configuration import configure
from hops.rules.formats import as_json
from hops.rules.judge import judge
from hops.rules.rule import Scope
from hops.trace.html.page import plan_html
from stacks.build import StackContext, build

_KUBERNETES = "kubernetes:"
_INCOMPLETE = "published files are missing from this plan, so the rules that look at the whole stack did not run"
_WRITTEN = "# Written by hops plan.\n"
"""The first line of its files, by which a later plan knows them."""


@dataclasses.dataclass(frozen=True)
class Planned:
    """The plan of a stack.

    outputs: the outputs that the stack would publish, by name.
    manifests: the Kubernetes objects and kind's configuration, in the order of declaration.
    left_out: a sentence for each published file that the plan lacks, with the reason.
    findings: of the rules that ran; rules that look at the whole stack do not run if something is left out.
    """

    outputs: dict[str, Any]
    manifests: list[dict[str, Any]]
    left_out: list[str]
    findings: list[Finding]


class _Recorder(pulumi.runtime.Mocks):
    """Answers every registration with its own inputs, and keeps the objects that Kubernetes would get."""

    def __init__(self) -> None:
        self.manifests: list[dict[str, Any]] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        if args.typ == "command:local:Command" and "CLUSTER" in args.inputs["environment"]:
            self.manifests.insert(0, yaml.safe_load(args.inputs["stdin"]))
        elif args.typ.startswith(_KUBERNETES):
            manifest = _manifest(args.typ, args.inputs)
            # The provider makes a random name of it.
            manifest["metadata"].setdefault("name", args.name)
            self.manifests.append(manifest)
        return args.name, args.inputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]]]:
        raise RuntimeError(f"a plan calls no provider function, but the program called {args.token}")


def _manifest(token: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """An object as Kubernetes would get it: without Pulumi's annotations, with whole numbers."""
    version, kind = token.removeprefix(_KUBERNETES).rsplit(":", 1)
    body = _whole(inputs)
    annotations = body["metadata"].get("annotations", {})
    kept = {key: value for key, value in annotations.items() if not key.startswith("pulumi.com/")}
    body["metadata"] = {key: value for key, value in body["metadata"].items() if key != "annotations"}
    if kept:
        body["metadata"]["annotations"] = kept
    return {"apiVersion": version.removeprefix("core/"), "kind": kind, **body}


def _whole(value: Any) -> Any:
    """Restores whole numbers, which the mock runtime makes floats, and opens what is marked as a secret."""
    if pulumi.runtime.rpc.is_rpc_secret(value):
        return _whole(pulumi.runtime.rpc.unwrap_rpc_secret(value))
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def planned(stack: str, settings: Settings, project: Path, held: Fleet | None = None) -> Planned:
    """Plans a stack.

    stack: the stack's name.
    settings: its settings.
    project: the project's folder.
    held: what others claim on this machine; None if unknown.

    Raises SettingsError for a wrong level or parameter of a rule, BuildError for a service that cannot be built.
    """
    folder = kubeconfig_folder(project, settings)
    images = builds(project, settings)
    settings = with_images(settings, images)
    configuration = configure(settings.policy)
    upstream, left_out = {}, []
    for manifest in plan(settings).manifests:
        try:
            upstream[manifest.name] = published(manifest, manifests_folder())
        except PublishedFileError as error:
            left_out.append(f"all objects of {manifest.name}: {error}")
    kept = certificates(authority_folder(), settings.own_hosts, keep=False)
    # The manifests are written to files that anybody may read, so they hold no private key.
    pairs = {host: KeyPair(pair.certificate, "left out of a plan") for host, pair in kept.items()}
    ground = StackContext(
        str(folder),
        owner_folder(str(folder), stack),
        1,
        ClusterState(),
        upstream,
        builds=images,
        certificates=pairs,
        authority=str(authority_file(authority_folder())),
    )
    outputs, manifests = _declared(stack, settings, ground)
    declared = [(manifest, Place(file=_file(number, manifest))) for number, manifest in enumerate(manifests)]
    inventory = Inventory(declared, today=datetime.now(UTC).date(), settings=settings, fleet=held)
    # A rule that looks at the whole stack draws conclusions from what is absent.
    rules = [rule for rule in RULES.values() if not (left_out and rule.scope is Scope.STACK)]
    return Planned(outputs, manifests, left_out, judge(inventory, configuration, rules))


def templates(stack: str, settings: Settings, images: Mapping[str, Build]) -> dict[str, Mapping[str, Any]]:
    """The pod template of each Deployment among a stack's services, by NAMESPACE/NAME.

    stack: the stack's name.
    settings: its settings.
    images: the builds of its services, by NAMESPACE/NAME.
    """
    ground = StackContext(
        "/",
        "/",
        1,
        ClusterState(),
        {},
        builds=images,
        certificates=dict.fromkeys(settings.own_hosts, KeyPair("", "")),
    )
    _, manifests = _declared(stack, with_images(settings, images), ground)
    return {
        objects.full_name(manifest): manifest["spec"]["template"]
        for manifest in manifests
        if manifest["kind"] == "Deployment"
    }


def _declared(stack: str, settings: Settings, ground: StackContext) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The outputs and the objects that the program declares."""
    recorder = _Recorder()
    outputs: dict[str, Any] = {}

    def declare() -> None:
        outputs.update(build(settings, ground).outputs)

    # Pulumi asks for the thread's event loop. Since Python 3.14 there is none until somebody makes it.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        pulumi.runtime.set_mocks(recorder, project=NAMESPACE, stack=stack, preview=True)
        pulumi.runtime.test(declare)()
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return outputs, recorder.manifests


def _file(number: int, manifest: dict[str, Any]) -> str:
    name = str(manifest.get("name") or manifest["metadata"]["name"]).replace(":", "-")
    return f"{number:03}-{manifest['kind'].lower()}-{name}.yaml"


def write(manifests: list[dict[str, Any]], folder: Path) -> None:
    """Writes a file for each object, numbered in order. Files of an earlier plan go; all others stay."""
    folder.mkdir(parents=True, exist_ok=True)
    # Calico's definitions are long: libyaml, where PyYAML was built with it, takes a tenth of the time.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    texts = {
        _file(number, manifest): _WRITTEN + yaml.dump(manifest, Dumper=dumper, sort_keys=False)
        for number, manifest in enumerate(manifests)
    }
    for old in folder.glob("[0-9][0-9][0-9]-*.yaml"):
        text = old.read_text(encoding="utf-8", errors="replace")
        if text == texts.get(old.name):
            del texts[old.name]
        elif text.startswith(_WRITTEN):
            old.unlink()
    for name, text in texts.items():
        write_file(folder / name, text)


def main(
    stack: Annotated[str, typer.Argument(help="The stack.")] = "local",
    manifests: Annotated[
        Path | None, typer.Option(help="Where to write the objects [.ingress-hops/plan/STACK].")
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Draw the path as one page in this file.")
    ] = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Shows the hops of a stack and writes its manifests, without engine, cluster or account.

    Without a network and a cached copy, the published files of Calico and Contour are left out. The plan is then
    incomplete, and the rules that look at the whole stack do not run.

    Exit status: 0 complete, 1 incomplete or a mandatory rule is broken, 2 the stack cannot be planned.
    """
    try:
        project = project_folder()
        settings = read(stack_file(project, stack), os.environ.get("INGRESS_HOPS_NODE_IMAGE"))
        others = fleet(project, stack, settings)
        found = planned(stack, settings, project, others.fleet)
        folder = manifests or project / ".ingress-hops" / "plan" / stack
        write(found.manifests, folder)
        if page:
            intended = plan(settings)
            drawn = plan_html(stack, intended.paths, found.findings, found.left_out, intended)
            write_file(page, drawn)
    except (BuildError, OSError, StackError, ProjectError) as error:
        stop(error)
    if form is Format.JSON:
        findings = [as_json(finding) for finding in found.findings]
        print_json(
            {
                **found.outputs,
                "complete": not found.left_out,
                "manifests": str(folder),
                "leftOut": found.left_out,
                "findings": findings,
            }
        )
    else:
        if found.left_out:
            echo(f"incomplete: {_INCOMPLETE}")
        print_hops(found.outputs)
        echo(f"{len(found.manifests)} objects are written to {folder}")
        if page:
            echo(f"The path is drawn in {page}")
        echo(f"After an up, try: {found.outputs['curl']}")
        for relaxation in settings.relaxations:
            echo(f"note: {relaxation}")
        for finding in found.findings:
            echo(f"{finding.level}: {finding}")
    if found.left_out and form is Format.JSON:
        echo(f"hops: incomplete: {_INCOMPLETE}", err=True)
    for sentence in (*(f"left out: {what}" for what in found.left_out), *others.unread):
        echo(f"hops: {sentence}", err=True)
    broken = any(finding.level is Level.MANDATORY for finding in found.findings)
    raise typer.Exit(Status.FINDINGS if found.left_out or broken else Status.ALL_WELL)
