"""`hops stack`: the stacks of the project, each with a cluster, ports and a host name of its own."""

import json
import re
from dataclasses import asdict, dataclass
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from typing import Annotated

import typer

from hops.cli.output import Format, FormatOption, Status, echo, print_json, stop
from hops.cli.programs.project import ProjectError, project_folder
from hops.cli.stacks import backend, stack_list
from hops.cli.stacks.stack_file import StackError, read_or_default, stack_file
from hops.cli.stacks.stack_list import Seen, StackSummary, look_around
from hops.cli.tables import print_hops
from hops.kubernetes.resources.kind_nodes import overlap
from hops.model.commands import HOPS, of_stack
from hops.model.project_files import stack_path
from hops.model.settings.setting_types import NAMESPACE
from hops.model.settings.stack_config import SettingsError
from hops.model.settings.stack_settings import Settings
from hops.observe.contexts import BuildError, builds
from hops.observe.local.machine import busy, has_address, look
from hops.observe.local.stack_files import has_makefile, own_state
from hops.rules.files.stack_file_settings import stack_settings
from hops.rules.other_stacks import claims, joined

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="Make, list, check and show stacks."
)
app.command("list")(stack_list.list_)
app.command("check")(stack_list.check)

PORTS = range(8080, 9000)
_LOOPBACK = "127.0.0.1"
# The cluster is named ingress-hops-NAME, and a cluster's name has 49 characters at most (ClusterName).
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,34}[a-z0-9])?")
_NEW = """\
# yaml-language-server: $schema=stack.schema.json
# Made by hops stack new {name}: a cluster, a port and a host name that no other stack here has.
# The command hops settings describes every key.
config:
  {namespace}:cluster:
    name: {cluster}
{listen}    httpPort: {http}
    httpsPort: {https}
  {namespace}:services:
{service}"""
_DEFAULT_SERVICE = """\
    - name: my-service
      pod: example-pod
      host: {host}
"""
_BUILT_SERVICE = """\
    - name: {service}
      # The address: http://{host}:{http}/
      host: {host}
      # The port on which the image's process listens. It runs as user 65534 and cannot write into its image.
      port: {port}
      # The image is built from this folder, relative to the one of Pulumi.yaml; .dockerignore is obeyed.
      build:
        context: {context}
        # dockerfile: Dockerfile, relative to the context
        # target: the stage to build; without it, the last one
        # args: build arguments by name; they are readable in the image, so no secrets
"""


@dataclass(frozen=True)
class NewStack:
    """The options of a new stack.

    address: listen address.
    http_port: HTTP port; None for the first free one.
    https_port: HTTPS port; None for none.
    host: host name of its service; None for the default.
    build: folder from which its service is built, relative to the project; None for the default service.
    port: the port on which the built service listens; None for 8080. It needs `build`.
    """

    address: str = _LOOPBACK
    http_port: int | None = None
    https_port: int | None = None
    host: str | None = None
    build: str | None = None
    port: int | None = None


def create(project: Path, name: str, options: NewStack) -> tuple[StackSummary, tuple[str, ...]]:
    """Writes the file of a new stack.

    project: the project's folder.
    name: the stack's name.
    options: address, ports and host name.

    Returns the stack, and a sentence for each part of the other stacks that could not be read. Raises StackError.
    """
    if not _NAME.fullmatch(name):
        raise StackError(
            f"the stack's name is {name!r}, and its cluster and host name take 1 to 36 lower-case letters, digits and "
            "hyphens, a hyphen neither first nor last; choose such a name, for example alice-2"
        )
    if options.port and not options.build:
        raise StackError(
            f"--port is {options.port}, and it is the port of a service that is built; name its folder with --build"
        )
    path = project / stack_path(name)
    if path.exists():
        raise StackError(f"{path} already exists; choose another name, or delete the file to create it again")
    # No public name ends in .test (RFC 6761, section 6.2).
    top = "localhost" if options.address == _LOOPBACK else "test"
    service = _service_name(project, options.build)
    host = options.host or f"{service}.{name}.{top}"
    _check_address(options.address, host)
    try:
        seen = look_around(project)
        _check_others(project, seen, name)
        http = _http_port(seen, options)
        text = _NEW.format(
            name=name,
            namespace=NAMESPACE,
            cluster=f"{NAMESPACE}-{name}",
            listen="" if options.address == _LOOPBACK else f"    listenAddress: {options.address}\n",
            http=http,
            https=options.https_port or "null",
            service=(_BUILT_SERVICE if options.build else _DEFAULT_SERVICE).format(
                service=service, host=host, http=http, port=options.port or 8080, context=json.dumps(options.build)
            ),
        )
        of = stack_settings(name, text.encode())
        builds(project, of)
        if found := seen.clashes(name, of):
            raise StackError(f"{path} is not written: " + "\n".join(map(str, found)))
        _create(path, text)
    except (BuildError, OSError, SettingsError) as error:
        raise StackError(f"{path} is not written: {error}") from None
    return seen.stack(name, of), seen.unseen


def _create(path: Path, text: str) -> None:
    """Writes a file that must not exist yet. Raises OSError and leaves no file then."""
    with path.open("x") as file:
        try:
            file.write(text)
            file.flush()
        except OSError:
            path.unlink()
            raise


def _service_name(project: Path, build: str | None) -> str:
    """The name of the service: that of the folder from which it is built, as far as a Service can have it."""
    if not build:
        return "my-service"
    folder = re.sub(r"[^a-z0-9]+", "-", (project / build).resolve().name.lower()).lstrip("-0123456789")
    # The Ingress is named after it, with -ingress.
    return folder[:55].strip("-") or "my-service"


def _check_address(address: str, host: str) -> None:
    try:
        loopback = IPv4Address(address).is_loopback
    except AddressValueError:
        loopback = False
    if not loopback:
        raise StackError(
            f"--address is {address}, and a new stack listens on loopback, 127.0.0.1 to 127.255.255.254; to open one "
            f"to the network, set {NAMESPACE}:cluster.listenAddress in its file"
        )
    if address != _LOOPBACK and (host == "localhost" or host.endswith(".localhost")):
        raise StackError(
            f"--host is {host}, which is always {_LOOPBACK} (RFC 6761, section 6.3), and --address is {address}; "
            "take a name below .test"
        )


def _check_others(project: Path, seen: Seen, name: str) -> None:
    if seen.unusable:
        problems = "\n".join(seen.unusable.values())
        remedy = f"correct each file, or remove its stack with: {HOPS} stack rm NAME --file"
        raise StackError(f"{problems}\nso the ports and names that these stacks use are unknown; {remedy}")
    if resources := (seen.kept or {}).get(name):
        down = of_stack("down", name, makefile=has_makefile(project))
        raise StackError(
            f"the backend has a stack {name} of {resources} resources, whose file is gone; choose another name, or "
            f"take that one down first: {down}"
        )


def _http_port(seen: Seen, options: NewStack) -> int:
    """The chosen port, or else the first free one. Raises StackError if a chosen port is in use."""
    held = joined(*(claims(name, of) for name, of in seen.settings.items()), *seen.fileless.values())
    taken = [(claim.port, claim.address, claim.holder) for claim in held.ports]
    # A stopped container counts, too: it takes its ports when it starts again.
    containers = seen.machine.docker.containers if seen.machine.docker else ()
    taken += [(port, address, f"the container {c.name}") for c in containers for address, port in c.published]

    def holder(chosen: int) -> str | None:
        holders = (who for port, address, who in taken if port == chosen and overlap(address, options.address))
        return next(holders, None) or ("another process" if busy(options.address, chosen) else None)

    for option, port in (("--http-port", options.http_port), ("--https-port", options.https_port)):
        if port and (who := holder(port)):
            raise StackError(f"{option} is {port}, and {who} uses that port on {options.address}; choose another")
    free = options.http_port or next((port for port in PORTS if port != options.https_port and not holder(port)), None)
    if not free:
        raise StackError(
            f"every port from {PORTS[0]} to {PORTS[-1]} is in use; free one, or choose one with --http-port"
        )
    return free


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="1 to 36 lower-case letters, digits and hyphens.")],
    *,
    address: Annotated[
        str, typer.Option(help="Another loopback address, such as 127.0.0.2; macOS needs an alias for it.")
    ] = _LOOPBACK,
    http_port: Annotated[int | None, typer.Option(min=1, max=65535, help="[the first free one from 8080]")] = None,
    https_port: Annotated[int | None, typer.Option(min=1, max=65535, help="[none]")] = None,
    host: Annotated[str | None, typer.Option(help="[my-service.NAME.localhost; .test with another address]")] = None,
    build: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER", help="Build its service from this folder of the project, which has a Dockerfile."
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The port on which the built image listens. [8080]")
    ] = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Writes the file of a new stack: a cluster, a port and a host name that no other stack here has.

    Exit status: 0 written, 2 not written, and why.
    """
    try:
        project = project_folder()
        stack, unseen = create(project, name, NewStack(address, http_port, https_port, host, build, port))
    except (StackError, ProjectError) as error:
        stop(error)
    if form is Format.JSON:
        print_json(asdict(stack))
    else:
        echo(f"{stack.file} is written: cluster {stack.cluster}, {stack.hosts[0]} on {stack.address}")
        echo(f"Bring it up with: {of_stack('up', name, makefile=has_makefile(project))}")
        if build:
            echo(f"Then build and roll out at each save: {HOPS} dev {name}")
        if not stack.hosts[0].endswith(".localhost"):
            echo(f"Its output curl needs no more; for a browser, /etc/hosts needs: {address} {stack.hosts[0]}")
    for sentence in unseen:
        echo(f"hops: {sentence}", err=True)
    if not has_address(address):
        echo(
            f"hops: this machine has no {address} yet; on macOS, before an up: sudo ifconfig lo0 alias {address}",
            err=True,
        )


@app.command()
def show(name: Annotated[str, typer.Argument(help="The stack.")] = "local", form: FormatOption = Format.TEXT) -> None:
    """Shows the hops that a running stack has published.

    Exit status: 0 shown, 1 the stack exists and is not up, 2 it could not be read.
    """
    try:
        project = project_folder()
        try:
            outputs = backend.outputs(project, name)
        except backend.BackendError as error:
            # A stack without a file can still be up, so the backend is asked first.
            stack_file(project, name)
            if not isinstance(error, backend.NotUpError):
                raise
            outputs = {}
    except (backend.BackendError, StackError, ProjectError) as error:
        stop(error)
    hops = outputs.get("hops")
    if form is Format.JSON:
        print_json(hops or [])
    elif hops:
        print_hops(outputs)
    if not hops:
        up = of_stack("up", name, makefile=has_makefile(project))
        echo(f"hops: the stack {name} is not up; bring it up with: {up}", err=True)
        raise typer.Exit(Status.FINDINGS)


def remove(project: Path, name: str, *, file: bool = False) -> str:
    """Removes a stack from the backend.

    project: the project's folder.
    name: the stack's name.
    file: whether to delete its file, too.

    Returns a sentence about what was removed and kept. Raises BackendError, OSError or StackError if the stack is
    still up, its cluster is still there, or nothing can be seen of them; nothing is removed then.
    """
    kept = backend.kept(project)
    path = project / stack_path(name) if name in kept else stack_file(project, name)
    # One resource is the stack itself.
    if (resources := kept.get(name, 0)) > 1:
        down = of_stack("down", name, makefile=has_makefile(project))
        raise StackError(f"the stack {name} has {resources} resources; take it down first: {down}")
    if path.is_file():
        # The cluster of a stack whose file is broken is looked for by its default name.
        _check_cluster(project, name, read_or_default(path)[0])
    if name in kept:
        backend.remove(project, name)
    gone = f"the stack {name} is removed from the backend" if name in kept else f"the backend has no stack {name}"
    if not path.is_file():
        return f"{gone}; it has no file"
    if not file:
        return f"{gone}; its file {path} is kept"
    path.unlink()
    return f"{gone}; its file {path} is deleted"


def _check_cluster(project: Path, name: str, of: Settings) -> None:
    """Raises StackError if the stack's own kind cluster is there, or if Docker does not answer."""
    if of.cluster.existing:
        return
    machine = look(())
    if machine.docker is None:
        why = machine.docker_error or "docker is not on PATH"
        raise StackError(f"whether the cluster of {name} exists is unknown: {why}; start Docker and try again")
    # A cluster that is stopped, incomplete or of older settings counts, too.
    if machine.nodes(of.cluster.name) and not own_state(project, name, of, machine).foreign:
        down = of_stack("down", name, makefile=has_makefile(project))
        raise StackError(f"the cluster {of.cluster.name} of the stack {name} exists; take it down first: {down}")


@app.command("rm")
def rm(
    name: Annotated[str, typer.Argument(help="The stack.")],
    *,
    file: Annotated[bool, typer.Option("--file", help="Delete its file, too.")] = False,
) -> None:
    """Removes a stack that is down from the backend. Its file stays.

    Exit status: 0 removed, 2 not removed, and why.
    """
    try:
        echo(remove(project_folder(), name, file=file))
    except (OSError, backend.BackendError, StackError, ProjectError) as error:
        stop(error)
