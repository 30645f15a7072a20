"""Reads the served folder and the listening port from the command line of a container."""

import re
import shlex
from argparse import ArgumentError, ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from posixpath import join, normpath
from typing import NoReturn

from hops.kubernetes.resources.pods import PodContainer
from hops.kubernetes.values import UNKNOWN, address, at, sequence, text, texts

_LOOPBACK = re.compile(r"(?:https?://)?(?:localhost|127(?:\.\d+){3}|\[?::1\]?)(?::\d+)?$")
_BINDS = frozenset(
    {"--bind", "--bind-address", "--listen", "--listen-address", "--web.listen-address", "--http-address"}
)
_BINDS_OF: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("python", "pypy", "gunicorn", "hypercorn", "rails"), frozenset({"-b"})),
    **dict.fromkeys(("caddy", "serve"), frozenset({"-l"})),
    **dict.fromkeys(("http-server",), frozenset({"-a"})),
    **dict.fromkeys(("php",), frozenset({"-S"})),
    **dict.fromkeys(("httpd",), frozenset({"-p"})),
    **dict.fromkeys(
        ("uvicorn", "flask", "fastapi", "granian", "hypercorn", "vite", "ng", "webpack-dev-server"),
        frozenset({"--host"}),
    ),
    **dict.fromkeys(("next",), frozenset({"-H", "--hostname"})),
}
"""The options of programs that name the address on which they listen."""


_DEFAULTS: Mapping[tuple[str, ...], frozenset[str]] = {
    ("fastapi", "dev"): frozenset({"--host"}),
    ("flask", "run"): frozenset({"--host", "-h"}),
    ("hypercorn",): frozenset({"--bind", "-b", "--config", "-c", "--insecure-bind", "--quic-bind"}),
    ("uvicorn",): frozenset({"--host", "--uds", "--fd"}),
}
"""The commands that listen on loopback without one of the options; another address may also be in a variable.

From fastapi_cli/cli.py, flask/cli.py, hypercorn/config.py and uvicorn/config.py.
"""
_DEFAULT = "127.0.0.1"


def loopback(container: PodContainer) -> str:
    """The loopback address on which the command of a container listens, as written; "" for another or none.

    Raises Undecidable if a word is unknown.
    """
    words = _command(container)[0]
    if not words:
        return ""
    program, rest = _name(words[0]), words[1:]
    if _PYTHON.fullmatch(program):
        program = "python"
        if "-m" in words[:-1] and rest[rest.index("-m") + 1] in _BINDS_OF:
            program, *rest = rest[rest.index("-m") + 1 :]
        elif rest and _name(rest[0]) == "manage.py":
            program, rest = "django-admin", rest[1:]
    options = _BINDS | _BINDS_OF.get(program, frozenset())
    for word, following in pairwise((*words, "")):
        option, equals, value = word.partition("=")
        value = value if equals else following
        if option in options and _LOOPBACK.fullmatch(value):
            return value
    return _loopback_by_default(program, rest, container)


def _loopback_by_default(program: str, words: Sequence[str], container: PodContainer) -> str:
    """The loopback address on which a program listens if nothing else is given; "" if it is given or uncertain."""
    if program == "django-admin":
        # The address is an argument without an option. Source: django/core/management/commands/runserver.py.
        given = [word for word in words[1:] if not word.startswith("-")]
        if "runserver" not in words[:1] or len(given) > 1:
            return ""
        return _DEFAULT if not given or given[0].isdecimal() else given[0] if _LOOPBACK.fullmatch(given[0]) else ""
    for command, options in _DEFAULTS.items():
        if program == command[0] and set(command[1:]) <= set(words):
            named = {word.partition("=")[0] for word in words}
            return "" if not options.isdisjoint(named) or _may_name_host(container) else _DEFAULT
    return ""


def _may_name_host(container: PodContainer) -> bool:
    """Whether a variable of the container may name the address on which its program listens."""
    names = (text(at(entry, "name")) or "" for entry in sequence(container.body.get("env")))
    return bool(container.body.get("envFrom")) or any(name.endswith("_HOST") for name in names)


@dataclass(frozen=True, slots=True)
class Server:
    """The server that a command line starts.

    folder: absolute path of the served folder; None if there is none or it is uncertain.
    port: port on which the process listens; None if uncertain.
    """

    folder: str | None = None
    port: int | None = None


_NOTHING = Server()


def server(container: PodContainer) -> Server:
    """The server that a container starts. Raises Undecidable if the result depends on an unknown word."""
    words, folder = _command(container)
    return (_served(words, folder) or Server(None, _listens(words))) if words else _NOTHING


def _command(container: PodContainer) -> tuple[Sequence[str], str | None]:
    """The words of the program that a container runs, empty if uncertain, and its working directory."""
    get = container.body.get
    command, args = get("command"), get("args")
    if not command and not args:
        return (), None
    words: Sequence[str] = (*texts(command), *texts(args))
    folder = text(get("workingDir"))
    if len(words) > 2 and _name(words[0]) in ("sh", "bash", "ash", "dash") and words[1] and _SCRIPT.fullmatch(words[1]):
        words, folder = _last_of(words[2], folder)
    return _unwrapped(words), folder


def absolute(path: str, folder: str) -> str:
    """The absolute, normalized form of a path relative to a folder."""
    return "/" + normpath(join(folder, path)).lstrip("/")


_SCRIPT = re.compile("-[a-z]*c")
# Pipes, redirections, substitutions and what runs in the background can change anything.
_UNSURE = re.compile(r"[|&<>$()`{}\\#]")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*")


def _name(word: str) -> str:
    return word.rpartition("/")[2]


def _last_of(script: str, folder: str | None) -> tuple[Sequence[str], str | None]:
    """The words of a script's last command, empty if uncertain, and its working directory."""
    if not script or _UNSURE.search(script.replace("&&", ";")):
        return (), folder
    try:
        commands = [shlex.split(command) for command in re.split(r"&&|;|\n", script) if command.strip()]
    except ValueError:
        return (), folder
    for command in commands[:-1]:
        if command[0] == "cd" and len(command) == 2:
            folder = absolute(command[1], folder or "/")
    return tuple(commands[-1]) if commands else (), folder


def _unwrapped(words: Sequence[str]) -> Sequence[str]:
    """Without what only starts another program."""
    while words and _name(words[0]) in ("busybox", "dumb-init", "env", "exec", "nohup", "npx", "tini"):
        words = words[1:]
        while words and (words[0] in ("--", "-y") or _ASSIGNMENT.fullmatch(words[0])):
            words = words[1:]
    return words


class _Options(ArgumentParser):
    """The parser for a program's options; unknown options are errors."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _options(folder: str, port: str, values: str = "", flags: str = "") -> _Options:
    """The options that give folder and port, an argument without a name where empty, and the others."""
    options = _Options(add_help=False, exit_on_error=False)
    for name, spellings in (("folder", folder), ("port", port)):
        if spellings:
            options.add_argument(*spellings.split(), dest=name)
        else:
            options.add_argument(name, nargs="?")
    for spelling in values.split():
        options.add_argument(spelling)
    for spelling in flags.split():
        options.add_argument(spelling, action="store_true")
    return options


_HTTP_SERVER = _options("-d --directory", "", "-b --bind -p --protocol --tls-cert --tls-key", "--cgi")
_SERVERS: Mapping[str, _Options] = {
    "caddy": _options("-r --root", "-l --listen", "-d --domain", "-b --browse -a --access-log -v --debug"),
    "http-server": _options("", "-p --port", "-a -c -t", "-s --silent --cors -g --gzip"),
    "httpd": _options("-h", "-p", "-u -r -c", "-f -i -v -vv"),
    "php": _options("-t", "-S"),
    "serve": _options("", "-l --listen -p --port", "-c --config", "-s --single -d --debug -n -L -C --cors -u -S"),
}
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*")
_PYTHON_FLAG = re.compile("-[bBdEiIOPqsSuvx]+")


def _served(words: Sequence[str], folder: str | None) -> Server | None:
    """What a file server says of itself; None for any other program."""
    program, rest = _name(words[0]), words[1:]
    if _PYTHON.fullmatch(program):
        while rest and rest[0] and _PYTHON_FLAG.fullmatch(rest[0]):
            rest = rest[1:]
        if len(rest) < 2 or rest[0] != "-m" or rest[1] not in ("http.server", "SimpleHTTPServer"):
            return None
        # The images of python start in /.
        return _read(_HTTP_SERVER, rest[2:], folder or "/", 8000)
    if program == "caddy":
        if not rest or rest[0] != "file-server":
            return None
        rest = rest[1:]
    return _read(_SERVERS[program], rest, folder) if program in _SERVERS else None


@lru_cache(maxsize=4096)
def _read(options: _Options, words: Sequence[str], folder: str | None, port: int | None = None) -> Server:
    try:
        given = options.parse_args(words)
    except (ArgumentError, ValueError):
        return _NOTHING
    if given.folder and (folder or given.folder.startswith("/")):
        folder = absolute(given.folder, folder or "/")
    elif given.folder or options is _SERVERS["http-server"]:
        # http-server looks for a folder `public` of its own first.
        folder = None
    return Server(absolute(folder, "/") if folder else None, _port(given.port) if given.port else port)


def _port(value: str) -> int | None:
    found = re.fullmatch(r"(?:.*:)?(\d{1,5})", value)
    return int(found[1]) if found else None


_PORTS = frozenset({"--http-port", "--listen-port", "--port"})
_ADDRESSES = frozenset({"--addr", "--address", "--bind", "--listen", "--listen-address", "--web.listen-address"})


def _listens(words: Sequence[str]) -> int | None:
    """The port of any other program, where its options name just one."""
    found: set[int | None] = set()
    for word, following in pairwise((*words, "")):
        if word is UNKNOWN:
            continue
        option, equals, value = word.partition("=")
        value = value if equals else following
        if option in _PORTS or (option == "-p" and _name(words[0]) in ("flask", "next")):
            found.add(_port(value) if value else None)
        elif option in _ADDRESSES and value and ":" in value:
            found.add(_port(value))
        elif option == "--host" and value not in ("*", "localhost") and not address(value):
            # It may be a client of that host.
            return None
    return found.pop() if len(found) == 1 else None
