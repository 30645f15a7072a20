"""`hops trace`: follows a request and names the first broken hop, the cause and the remedy."""

import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from pydantic import ValidationError
from rich.console import Console

from hops.cli.output import as_text, echo, print_json, stop
from hops.cli.programs.project import ProjectError, project_folder
from hops.cli.stacks.backend import BackendError, outputs
from hops.cli.stacks.stack_file import StackError, read, stack_file
from hops.cli.tables import one_line
from hops.cli.trace_text import show, show_short
from hops.model.hop import GRPC_HEADERS, HopName, met_by, published_hops
from hops.model.path import USUAL_PORTS
from hops.model.settings.stack_settings import Settings
from hops.observe.local.authority import authority_file, authority_folder
from hops.observe.local.files import read_bounded, write
from hops.observe.local.host import resolve
from hops.observe.local.stack_files import has_makefile, kubeconfig_folder
from hops.observe.look import Way, look
from hops.observe.requests import from_client
from hops.trace.facts.probes import SAFE
from hops.trace.formats import as_json, junit
from hops.trace.html.page import html
from hops.trace.observed.observation import FollowedRequest, Observation, TracedStack
from hops.trace.observed.redact import redacted
from hops.trace.result import Trace
from hops.trace.verdict import status, trace

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A method or the name of a header (RFC 9110, sections 5.6.2 and 9.1)."""
_HOST = re.compile(r"[0-9A-Za-z]([0-9A-Za-z._-]*[0-9A-Za-z])?")


class TraceFormat(StrEnum):
    """How a trace is printed."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"


class Scheme(StrEnum):
    """The scheme of a request."""

    HTTP = "http"
    HTTPS = "https"


class TLSVersion(StrEnum):
    """A version of TLS."""

    TLS_1_2 = "1.2"
    TLS_1_3 = "1.3"


class OptionError(ValueError):
    """An option has a wrong value. The text names the option, the value, the bound and the remedy."""


def main(
    stack: Annotated[str | None, typer.Argument(help="The stack. Default: local, or none with --kubeconfig.")] = None,
    *,
    form: Annotated[TraceFormat, typer.Option("--format", help="How to print the trace.")] = TraceFormat.TEXT,
    url: Annotated[str | None, typer.Option(metavar="URL", help="Scheme, host, port and path together.")] = None,
    scheme: Annotated[
        Scheme | None, typer.Option(help="http or https. Default: https for a route with tls, otherwise http.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="The host name of the request. Default: the first of the stack.")
    ] = None,
    path: Annotated[
        str | None, typer.Option(help="The path of the request. Default: that of the stack's output curl.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="The port on this machine.")] = None,
    method: Annotated[str, typer.Option(help="The method of the request.")] = "GET",
    header: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'NAME: VALUE'", help="A header of the request, or @FILE with one header per line. Repeatable."
        ),
    ] = None,
    cacert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Trust the authorities in this file, in PEM, and no others.")
    ] = None,
    insecure: Annotated[bool, typer.Option("--insecure", "-k", help="Accept any certificate.")] = False,
    tls_max: Annotated[TLSVersion | None, typer.Option(help="The newest TLS version of the client.")] = None,
    no_follow: Annotated[bool, typer.Option("--no-follow", help="End at the first redirect.")] = False,
    expect: Annotated[str | None, typer.Option(help="A text that the answer must contain.")] = None,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="The kubeconfig file of the cluster. Without a stack: any cluster.")
    ] = None,
    context: Annotated[
        str | None, typer.Option(help="The context in the kubeconfig. Default: the current one.")
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Write the whole observation to this file, without secrets.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Draw the trace as one page in this file.")
    ] = None,
    replay: Annotated[
        Path | None, typer.Option(help="Judge the bundle in this file again; look at no running system.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="With --watch: the number of looks.")] = None,
    every: Annotated[
        float, typer.Option(min=0, help="With --watch: seconds after which to look again in any case.")
    ] = 30.0,
    short: Annotated[bool, typer.Option("--short", help="Print only the verdict and the way to it.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print all three values of each hop: planned, declared, found.")
    ] = False,
    from_node: Annotated[
        bool, typer.Option("--from-node", help="Start the request in the node, not on this machine.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Send the request every second; look again when the answer changes.")
    ] = False,
) -> None:
    """Follows a request to its pod and back. Prints the first broken hop, the cause and the remedy.

    Read-only: changes nothing, runs nothing in a pod, and needs no Pulumi. A method that may change something is sent
    once; the requests to the other hops use GET. With --kubeconfig and --host it follows a request into any cluster.

    Exit status: 0 the request is answered as expected, 1 it is not or something is wrong, 2 nothing could be observed.
    """
    if watch and (replay or method.upper() not in SAFE):
        stop(f"--watch repeats the request: leave it out with {'--replay' if replay else method}")
    try:
        request = _RequestOptions(
            host,
            path,
            port,
            method,
            _headers(header or []),
            expect,
            from_node,
            scheme=str(scheme) if scheme else None,
            ca_file=_authorities(cacert),
            insecure=insecure,
            tls_max=str(tls_max) if tls_max else None,
            follow=not no_follow,
        )
        if url:
            request = _by_url(url, request)
        if replay:
            see: Callable[[], Observation] = partial(read_bundle, replay)
        elif stack is None and kubeconfig:
            see = partial(_look, _alone(request), Way(kubeconfig, context))
        else:
            see = _of_stack(stack or "local", request, kubeconfig, context)
        task = _Look(see, bundle, page)
        show_trace = show_short if short else partial(show, verbose=verbose)
        ended = _watch(task, form, count, every) if watch else _once(task, form, show_trace)
    except (OptionError, StackError, ProjectError) as error:
        stop(error)
    raise typer.Exit(ended)


# What is followed


@dataclass(frozen=True)
class _RequestOptions:
    """The request that the options describe; None for an option that was not given."""

    host: str | None
    path: str | None
    port: int | None
    method: str
    headers: Mapping[str, str]
    expect: str | None
    from_node: bool
    scheme: str | None = None
    ca_file: str | None = None
    insecure: bool = False
    tls_max: str | None = None
    follow: bool = True

    def asked(self, host: str, path: str, port: int) -> FollowedRequest:
        """The complete request.

        host, path, port: the values for options that were not given.

        Raises OptionError.
        """
        host, path, port = self.host or host, self.path or path, self.port or port
        if not _HOST.fullmatch(host):
            raise OptionError(
                f"--host is {host!r}, and it is a name without scheme, port or path, such as web.localhost"
            )
        if not path.startswith("/") or re.search(r"[\s#]|[^\x21-\x7e]", path):
            raise OptionError(
                f"--path is {path!r}, and it starts with / and holds no space or #; write those as %20, %23"
            )
        if not _TOKEN.fullmatch(self.method):
            raise OptionError(f"--method is {self.method!r}, and it is one word, such as POST")
        return FollowedRequest(
            scheme="https" if self.scheme == "https" else "http",
            host=host,
            path=path,
            port=port,
            method=self.method.upper(),
            headers=self.headers,
            expect=self.expect,
            from_node=self.from_node,
            ca_file=self.ca_file,
            insecure=self.insecure,
            tls_max={"1.2": "1.2", "1.3": "1.3"}.get(self.tls_max or ""),
            follow=self.follow,
        )


def _by_url(url: str, request: _RequestOptions) -> _RequestOptions:
    """The request of a URL. Raises OptionError."""
    for option in ("scheme", "host", "path", "port"):
        if getattr(request, option) is not None:
            raise OptionError(f"--url and --{option} both name the request: remove one of them")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in USUAL_PORTS or not parts.hostname or parts.username is not None or parts.fragment:
        raise OptionError("--url is not of the form http[s]://HOST[:PORT]/PATH; its user and fragment are not sent")
    path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    where = {"scheme": parts.scheme, "host": parts.hostname, "path": path, "port": port or USUAL_PORTS[parts.scheme]}
    return replace(request, **where)  # type: ignore[arg-type]


def _authorities(path: Path | None) -> str | None:
    """The absolute path of a file with certificates of authorities. Raises OptionError."""
    if path is None:
        return None
    try:
        ssl.create_default_context(cafile=str(path))
    except ssl.SSLError:
        raise OptionError(f"--cacert {path} holds no certificate in PEM (BEGIN CERTIFICATE)") from None
    except OSError as error:
        raise OptionError(f"--cacert {path} cannot be read: {error.strerror}") from None
    return str(path.resolve())


def _headers(given: Sequence[str]) -> dict[str, str]:
    """The headers by name. Raises OptionError, whose text never contains a value."""
    found: dict[str, str] = {}
    for entry in given:
        lines, where = [entry], "--header"
        if entry.startswith("@"):
            where = f"--header {entry}"
            try:
                lines = Path(entry[1:]).read_text(encoding="latin-1").splitlines()
            except OSError as error:
                raise OptionError(f"{where} cannot be read: {error.strerror}") from None
        for line in lines:
            name, colon, value = line.partition(":")
            if not line.strip():
                continue
            if not colon or not _TOKEN.fullmatch(name) or re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
                raise OptionError(f"{where}: a header is NAME: VALUE on one line, such as 'Accept: text/html'")
            found[name] = value.strip()
    return found


def _alone(request: _RequestOptions) -> FollowedRequest:
    """A request without a stack. Raises OptionError."""
    if request.host is None:
        raise OptionError(
            "--kubeconfig without a stack needs --host too, or --url: the host name of the request to follow"
        )
    return request.asked(request.host, "/", USUAL_PORTS[request.scheme or "http"])


def _of_stack(
    name: str, request: _RequestOptions, kubeconfig: Path | None, context: str | None
) -> Callable[[], Observation]:
    """A function that observes the path of a stack. Raises OptionError, StackError, ProjectError."""
    return _of_settings(name, read(stack_file(project_folder(), name)), request, kubeconfig, context)


GRPC_CALL: Mapping[str, Any] = {"method": "POST", "grpc": True}
"""The fields of a followed request that is a gRPC call, beside its headers."""


def observation_of_stack(
    name: str,
    settings: Settings,
    host: str,
    path: str | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    port: int | None = None,
) -> Observation:
    """Observes one of a stack's routes.

    name: the stack's name.
    settings: the stack's settings.
    host: host name of the route.
    path: path to ask for. Default: None, the first route's of the host.
    headers: of the request. Default: None, no headers.
    port: of this machine. Default: None, the one that the first publishing node has for the route's scheme.

    Raises ProjectError.
    """
    request = _RequestOptions(host, path, port, "GET", headers or {}, None, from_node=False)
    return _of_settings(name, settings, request, None, None)()


def _of_settings(
    name: str, settings: Settings, request: _RequestOptions, kubeconfig: Path | None, context: str | None
) -> Callable[[], Observation]:
    project = project_folder()
    every = [route for service in settings.services for route in service.routes]
    of_host = [route for route in every if request.host in (None, route.host)]
    of_path = [route for route in of_host if request.path is not None and request.path.startswith(route.path)]
    route = max(of_path, key=lambda route: len(route.path), default=next(iter(of_host), every[0]))
    port: int | None = settings.cluster.http_port
    secure = (None, *(one.https_port for one in settings.cluster.publishers))
    if request.scheme is None and route.tls and request.port in secure:
        insecure = request.insecure or (route.signed_elsewhere and request.ca_file is None)
        request = replace(request, scheme="https", insecure=insecure)
    if request.scheme == "https" and route.tls is True and request.ca_file is None:
        own = authority_file(authority_folder())
        request = replace(request, ca_file=str(own) if own.exists() else None)
    if request.scheme == "https" and request.port is None:
        port = settings.cluster.https_port
        if port is None:
            raise OptionError(
                f"--scheme https: the stack {name} publishes no https; set its cluster.httpsPort, or give --port"
            )
    if request.path is None and not request.headers:
        # The route's own request, as in the output `curl`.
        request = replace(request, headers=met_by(route.conditions))
    # Reading the outputs takes as long as all the rest, so a watch reads them once.
    read_outputs = cache(partial(outputs, project, name))
    if settings.contour.existing and settings.cluster.listen_address is None and request.port is None:
        with suppress(BackendError):
            port = _published_port(read_outputs(), route.host) or port
    asked = request.asked(route.host, route.asked, port or settings.cluster.http_port)
    if route.protocol == "h2c" and asked.method == "GET" and not (set(asked.headers) - set(met_by(route.conditions))):
        asked = asked.model_copy(update={**GRPC_CALL, "headers": {**GRPC_HEADERS, **asked.headers}})
    folder = kubeconfig_folder(project, settings)
    way = Way(kubeconfig, context or (None if kubeconfig else settings.cluster.existing), folder)
    stack = TracedStack(name=name, settings=settings, makefile=has_makefile(project))
    return partial(_look, asked, way, stack, read_outputs)


def _published_port(found: Mapping[str, Any], host: str) -> int | None:
    """The port of a host name in a stack's outputs: that of a Contour that the stack found."""
    hops = (hop for hop in published_hops(found.get("hops")) if hop.name is HopName.NAME and hop.address == host)
    return next((hop.port for hop in hops), None)


# Looking


def _look(
    asked: FollowedRequest,
    way: Way,
    stack: TracedStack | None = None,
    outputs: Callable[[], Mapping[str, Any]] | None = None,
) -> Observation:
    """Observes the path. On a terminal, a line shows the parts that are still running."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return redacted(look(asked, way, stack, outputs))
    with console.status("looking") as line:

        def show_progress(parts: Mapping[str, float | None]) -> None:
            waiting = [part for part, seconds in parts.items() if seconds is None]
            done = f"{len(parts) - len(waiting)} of {len(parts)} seen"
            line.update(one_line(console, f"{done}, looking at {', '.join(waiting)}" if waiting else done))

        return redacted(look(asked, way, stack, outputs, show_progress))


def read_bundle(path: Path) -> Observation:
    """Reads a bundle. Raises OptionError."""
    try:
        return redacted(Observation.model_validate_json(read_bounded(path)))
    except OSError as error:
        raise OptionError(f"--replay {path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise OptionError(
            f"--replay {path} is not a bundle of this version ({where or 'the whole'}: {first['msg']}); "
            "hops trace --bundle FILE writes one"
        ) from None


@dataclass(frozen=True)
class _Look:
    """An observation to make, and the files to write.

    see: makes the observation.
    bundle: file for the observation; None for none.
    page: file for the HTML page; None for none.
    """

    see: Callable[[], Observation]
    bundle: Path | None
    page: Path | None

    def traced(self) -> Trace:
        """Observes, judges, and writes the files. Raises OptionError."""
        seen = self.see()
        traced = trace(seen)
        if self.bundle:
            _write("--bundle", self.bundle, seen.model_dump_json(indent=1, by_alias=True) + "\n")
        if self.page:
            _write("--html", self.page, html(traced))
        return traced


def _write(option: str, path: Path, text: str) -> None:
    """Writes the file of an option. Raises OptionError."""
    try:
        write(path, text, private=True)
    except OSError as error:
        raise OptionError(f"{option} {path} cannot be written: {error.strerror or error}") from None


def _once(task: _Look, form: TraceFormat, show_trace: Callable[[Trace], None]) -> int:
    traced = task.traced()
    match form:
        case TraceFormat.JSON:
            print_json(as_json(traced))
        case TraceFormat.JUNIT:
            echo(junit(traced), nl=False)
        case TraceFormat.TEXT:
            show_trace(traced)
    return status(traced)


def _watch(task: _Look, form: TraceFormat, count: int | None, every: float) -> int:
    """Traces again and again. Returns the exit status of the last trace. Raises OptionError."""
    if form is TraceFormat.JUNIT:
        raise OptionError("--watch prints text or JSON, an object a line; JUnit knows no second look")
    console = Console()
    looks: list[int] = []
    traced: Trace | None = None
    try:
        while count is None or len(looks) < count:
            if traced:
                _until_it_changes(traced.asked, every)
            traced = task.traced()
            looks.append(status(traced))
            if form is TraceFormat.JSON:
                echo(as_text(as_json(traced)))
                continue
            if console.is_terminal:
                console.clear()
            show(traced)
            well = looks.count(0)
            echo(f"\nlook {len(looks)} at {traced.taken}: {well} well, {len(looks) - well} not; Ctrl-C ends it\n")
    except KeyboardInterrupt:
        echo(err=True)
    return looks[-1] if looks else 0


def _until_it_changes(asked: FollowedRequest, every: float) -> None:
    """Waits until the answer to the request changes, for `every` seconds at most.

    A trace takes a second of CPU time and a request some milliseconds: watching must not slow down the path.
    """
    end = time.monotonic() + every
    before = None
    while (left := end - time.monotonic()) > 0:
        if not asked.from_node:
            answer = from_client(asked, resolve(asked.host), ())[0]
            now = (answer.status, answer.failure, answer.by_pod, answer.expected)
            if before not in (None, now):
                return
            before = now
        time.sleep(min(1.0, left))
