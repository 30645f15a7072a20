"""`hops stack`: the stacks of the project, each with a cluster, ports and a host name of its own."""

import json
import re
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from cli.output import Format, FormatOption, Status, print_hops, print_json, print_table, stop
from cli.tools import ToolError, environment, project_folder
from hops.settings import NAMESPACE, Settings, SettingsError, settings
from stacks.machine import busy

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="Make, list and show stacks.")

FOLDER = "stacks"
PORTS = range(8080, 9000)
_SECONDS = 60
# The cluster is named ingress-hops-NAME, and a cluster's name has 49 characters at most (hops/settings.py).
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,34}[a-z0-9])?")
_NEW = """\
# Made by hops stack new {name}: a cluster, a port and a host name that no other stack here has.
config:
  {namespace}:cluster:
    name: {cluster}
    httpPort: {port}
    httpsPort: null
  {namespace}:services:
    - name: my-service
      pod: example-pod
      host: {host}
"""


class StackError(RuntimeError):
    """A stack that cannot be made, read or shown."""


@dataclass(frozen=True)
class Row:
    """A stack as its file says. address: where requests enter. file: below the project's folder."""

    name: str
    cluster: str
    address: str
    hosts: tuple[str, ...]
    file: str


def stack_file(project: Path, name: str) -> Path:
    return project / FOLDER / f"Pulumi.{name}.yaml"


def read(path: Path, node_image: str | None = None) -> Settings:
    """The settings that a stack file leads to; `node_image` is taken where it names none. Raises StackError."""
    try:
        config = (yaml.safe_load(path.read_text()) or {}).get("config") or {}
        # YAML has dates where the engine, as JSON, has texts.
        given: dict[str, Any] = json.loads(json.dumps(config, default=str))
        prefix = f"{NAMESPACE}:"
        own = {key.removeprefix(prefix): value for key, value in given.items() if key.startswith(prefix)}
        return settings(_name_of(path), own, node_image)
    except AttributeError:
        raise StackError(f"{path} is not a stack file: it and its `config` are mappings; see the other files") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, SettingsError) as error:
        raise StackError(f"{path}: {error}") from None


def _name_of(path: Path) -> str:
    return path.name.removeprefix("Pulumi.").removesuffix(".yaml")


def _files(project: Path) -> list[Path]:
    return sorted((project / FOLDER).glob("Pulumi.*.yaml"))


def _row(path: Path, of: Settings) -> Row:
    cluster = of.cluster
    ports = ",".join(str(port) for port in (cluster.http_port, cluster.https_port) if port)
    return Row(
        name=_name_of(path),
        cluster=cluster.existing or cluster.name,
        address="its load balancer" if cluster.existing else f"{cluster.listen_address}:{ports}",
        hosts=tuple(service.host for service in of.services),
        file=f"{FOLDER}/{path.name}",
    )


def create(project: Path, name: str) -> Row:
    """Writes the file of a new stack. Raises StackError."""
    if not _NAME.fullmatch(name):
        raise StackError(
            f"the stack's name is {name!r}, and its cluster and host name take 1 to 36 lower-case letters, digits and "
            "hyphens, a hyphen neither first nor last; choose such a name, for example alice-2"
        )
    path = stack_file(project, name)
    if path.exists():
        raise StackError(f"{path} is there already; choose another name, or delete the file to make it anew")
    cluster, host = f"{NAMESPACE}-{name}", f"my-service.{name}.localhost"
    used: set[int | None] = set()
    for other in _files(project):
        theirs = read(other)
        used |= {theirs.cluster.http_port, theirs.cluster.https_port}
        if theirs.cluster.name == cluster or host in (service.host for service in theirs.services):
            raise StackError(f"{other} has the cluster {cluster} or the host {host} already; choose another name")
    port = next((port for port in PORTS if port not in used and not busy("127.0.0.1", port)), None)
    if not port:
        raise StackError(f"every port from {PORTS[0]} to {PORTS[-1]} is taken; free one, or write {path} by hand")
    try:
        with path.open("x") as file:
            file.write(_NEW.format(name=name, namespace=NAMESPACE, cluster=cluster, port=port, host=host))
    except OSError as error:
        raise StackError(f"{path} cannot be written: {error}") from None
    return _row(path, read(path))


def published(project: Path, name: str) -> dict[str, Any]:
    """The outputs of a stack, empty before its first `up`. Raises StackError."""
    words = ["pulumi", "stack", "output", "--json", "--non-interactive", f"--stack={name}"]
    where = environment(project)
    try:
        done = subprocess.run(
            words, cwd=project, env=where, capture_output=True, text=True, timeout=_SECONDS, check=True
        )
        outputs: dict[str, Any] = json.loads(done.stdout)
    except FileNotFoundError:
        raise StackError("pulumi is not on PATH; `make tools` fetches it into .tools/bin") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().removeprefix("error: ")
        raise StackError(
            f"the stack {name} cannot be read from {where['PULUMI_BACKEND_URL']}: {said}; "
            f"bring it up with: make up STACK={name}"
        ) from None
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise StackError(f"pulumi says nothing of use about the stack {name}: {error}") from None
    return outputs


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="1 to 36 lower-case letters, digits and hyphens.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Writes the file of a new stack: a cluster, a port and a host name that nobody has here.

    Exit status: 0 written, 2 not written, and why.
    """
    try:
        row = create(project_folder(), name)
    except (StackError, ToolError) as error:
        stop(error)
    if form is Format.JSON:
        print_json(asdict(row))
    else:
        typer.echo(f"{row.file} is written: cluster {row.cluster}, {row.hosts[0]} on {row.address}")
        typer.echo(f"Bring it up with: make up STACK={name}")


@app.command("list")
def list_(form: FormatOption = Format.TEXT) -> None:
    """Lists the project's stacks: name, cluster, address, host, file.

    Exit status: 0 all files are sound, 1 some are not (named on stderr), 2 there is no project here.
    """
    rows, problems = [], []
    try:
        for path in _files(project_folder()):
            try:
                rows.append(_row(path, read(path)))
            except StackError as error:
                problems.append(error)
    except ToolError as error:
        stop(error)
    if form is Format.JSON:
        print_json([asdict(row) for row in rows])
    else:
        cells = [(row.name, row.cluster, row.address, ", ".join(row.hosts), row.file) for row in rows]
        print_table(["name", "cluster", "address", "host", "file"], cells)
    for problem in problems:
        typer.echo(f"hops: {problem}", err=True)
    if problems:
        raise typer.Exit(Status.FINDINGS)


@app.command()
def show(name: Annotated[str, typer.Argument(help="The stack.")] = "local", form: FormatOption = Format.TEXT) -> None:
    """Shows the hops that a stack which is up has published.

    Exit status: 0 shown, 1 the stack is there and not up, 2 it could not be read.
    """
    try:
        hops = published(project_folder(), name).get("hops")
    except (StackError, ToolError) as error:
        stop(error)
    if form is Format.JSON:
        print_json(hops or [])
    elif hops:
        print_hops(hops)
    if not hops:
        typer.echo(f"hops: the stack {name} is not up; bring it up with: make up STACK={name}", err=True)
        raise typer.Exit(Status.FINDINGS)
