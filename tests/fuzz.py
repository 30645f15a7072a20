"""Feeds everything that reads with mutated inputs, and counts what goes wrong: `python -m tests.fuzz`.

The inputs are mutations of the project's own examples. A seed makes the same inputs again.
"""

import argparse
import json
import math
import random
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from pydantic import ValidationError

from hops.cli.output import as_text
from hops.cli.stacks.stack_file import StackError
from hops.cli.stacks.stack_file import read as read_stack
from hops.cli.trace import OptionError
from hops.cli.trace import read_bundle as read_observation
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.values import UNKNOWN
from hops.model.finding import Place
from hops.model.settings.stack_config import SettingsError
from hops.pull_requests.events import EventsError
from hops.pull_requests.markdown import comment
from hops.pull_requests.report import pull_request
from hops.rules.catalogue import RULES
from hops.rules.configuration import configure
from hops.rules.configuration import read as read_policy
from hops.rules.files.documents import UnreadableError, documents
from hops.rules.files.edit import NotWrittenError, written
from hops.rules.judge import judge
from hops.trace.formats import as_json, junit
from hops.trace.html.page import html
from hops.trace.verdict import trace
from tests.hops.trace.observations import healthy
from tests.recordings.record import recorded

INPUTS = 200_000
LONGEST = 10
"""Seconds for one input; what takes longer hangs."""
SECRET = "hunter2hunter2"  # noqa: S105 - planted
_PROJECT = Path(__file__).parents[1]
_TODAY = date(2026, 1, 1)
_EXPECTED = (
    *(OptionError, EventsError, NotWrittenError, SettingsError, StackError, UnreadableError),
    ValidationError,
)
_STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 65536, 10**400, 1.5, math.nan, math.inf, "", " ", "\x00", "a" * 300, "\ud800"),
    *("\x1b[2J", "../../etc/passwd", "$(id)", "'\"`", "10.0.0.0/99", "::1", "999999999999999999999", "<b>@x</b>"),
    *([], {}, [[]], [None], {"": None}, [1, "a", {}], {"a": {"b": ["c"]}}),
)
_TOKENS = (
    *("\n", "  ", "- ", ": ", "{", "}", "[", "]", "&a ", "*a ", "<<: *a", "!!int ", "!!binary ", "|", ">", "'", '"'),
    *(
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "\t",
        "\r\n",
        "\ufeff",
        "\u2028",
        "\x85",
        "#",
        "null",
        "~",
        "0x1f",
        "1e999",
        ".nan",
    ),
)


class HangError(BaseException):
    """An input took longer than it may; a BaseException, so that nothing handles it on the way."""


@contextmanager
def _bounded(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# Inputs


def _mutated(value: Any, chance: random.Random) -> Any:
    """A JSON value with some of its parts changed."""
    value = json.loads(json.dumps(value))
    for _ in range(chance.choice((1, 1, 2, 5))):
        path = [value]
        while isinstance(path[-1], dict | list) and path[-1] and (len(path) < 3 or chance.random() < 0.85):
            inside = path[-1]
            path.append(
                inside[chance.choice(list(inside)) if isinstance(inside, dict) else chance.randrange(len(inside))]
            )
        parents = [item for item in path[:-1] if item]
        if not parents:
            return deepcopy(chance.choice(_STRANGE))
        parent = parents[-1]
        key = chance.choice(list(parent)) if isinstance(parent, dict) else chance.randrange(len(parent))
        match chance.randrange(5):
            case 0:
                del parent[key]
            case 1 if isinstance(parent, list):
                parent += parent[:]
            case 2:
                parent[key] = _nested(parent[key], chance.choice((1, 30, 150)))
            case _:
                parent[key] = deepcopy(chance.choice(_STRANGE))
    return value


def _changed(value: Any, chance: random.Random) -> Any:
    """A JSON value of the same type, some of whose parts may be changed."""
    if chance.random() < 0.5:
        return value
    changed = _mutated(value, chance)
    return changed if isinstance(changed, type(value)) else value


def _nested(value: Any, deep: int) -> Any:
    for _ in range(deep):
        value = [value]
    return value


def _torn(text: str, chance: random.Random) -> str:
    """A text with some of its characters changed."""
    for _ in range(chance.choice((1, 1, 2, 8))):
        start = chance.randrange(len(text) + 1)
        end = min(start + chance.choice((0, 1, 5, 40)), len(text))
        middle = chance.choice(("", chance.choice(_TOKENS), text[start:end] * 2, chr(chance.randrange(0x250))))
        text = text[:start] + middle + text[end:]
    return text


def _unknown(value: Any, chance: random.Random) -> Any:
    """A value of a preview, in which some parts are not known."""
    if chance.random() < 0.03:
        return UNKNOWN
    if isinstance(value, dict):
        return {key: _unknown(item, chance) for key, item in value.items()}
    return [_unknown(item, chance) for item in value] if isinstance(value, list) else value


# Readers: each takes one mutated input, and returns what is damaged or leaked


class Fuzz:
    """The readers with the examples that they start from. folder: for the files of an input."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "input"
        examples = [text for rule in RULES.values() for text in (rule.bad, rule.good) if "!unknown" not in text]
        self._manifests = examples
        self._objects = [body for text in examples for body in documents(text) if isinstance(body, dict)]
        self._stacks = [path.read_text() for path in (_PROJECT / "stacks").glob("Pulumi.*.yaml")]
        self._events = [recorded(name).splitlines() for name in ("clean", "open", "fails", "no-cluster")]
        self._bundle = healthy()
        self.readers: Mapping[str, tuple[int, Callable[[random.Random], list[str]]]] = {
            "manifests and kind configurations, read": (140, self._read),
            "objects, judged": (20, self._judged),
            "pack properties with unknown values, judged": (20, self._declared),
            "files, patched": (9, self._patched),
            "settings of rules": (5, self._policy),
            "stack files": (4, self._stack),
            "event streams": (1, self._stream),
            "bundles": (1, self._replayed),
        }

    def _read(self, chance: random.Random) -> list[str]:
        documents(_torn(chance.choice(self._manifests), chance))
        return []

    def _judge(self, bodies: list[Any]) -> list[str]:
        found = judge(Inventory([(body, Place("a", i)) for i, body in enumerate(bodies)], today=_TODAY), configure())
        return [finding.message for finding in found if "this is a bug of the rule" in finding.message]

    def _judged(self, chance: random.Random) -> list[str]:
        return self._judge([_mutated(body, chance) for body in chance.sample(self._objects, 3)])

    def _declared(self, chance: random.Random) -> list[str]:
        return self._judge([_unknown(_mutated(body, chance), chance) for body in chance.sample(self._objects, 3)])

    def _patched(self, chance: random.Random) -> list[str]:
        text = _torn(chance.choice(self._manifests), chance)
        bodies = [(body, Place("a", i)) for i, body in enumerate(documents(text)) if isinstance(body, dict)]
        patches = [f.patch for f in judge(Inventory(bodies, today=_TODAY), configure()) if f.patch]
        if not patches:
            return []
        try:
            changed = written(text, *patches)
        except NotWrittenError:
            changed = written(text, patches[0])
        comments = {line.strip() for line in text.splitlines() if line.lstrip().startswith("#")}
        lost = comments - {line.strip() for line in changed.splitlines()}
        return [f"comment lost: {line}" for line in lost]

    def _policy(self, chance: random.Random) -> list[str]:
        example = {"rules": {"HP01": {"level": "advisory", "parameters": {"allowed": [{"port": 80}]}}}}
        configure(read_policy(_mutated(example, chance)))
        return []

    def _stack(self, chance: random.Random) -> list[str]:
        text = _torn(chance.choice(self._stacks), chance)
        self._file.write_bytes(text.encode(errors="surrogatepass"))
        read_stack(self._file)
        return []

    def _stream(self, chance: random.Random) -> list[str]:
        lines = list(chance.choice(self._events))
        for _ in range(3):
            index = chance.randrange(len(lines))
            lines[index] = _torn(lines[index], chance)
            index = chance.randrange(len(lines))
            try:
                lines[index] = json.dumps(_mutated(json.loads(lines[index]), chance))
            except ValueError:
                continue
        comment(pull_request("\n".join(lines), None, {}))
        return []

    def _replayed(self, chance: random.Random) -> list[str]:
        observation = json.loads(json.dumps(self._bundle))
        for item in observation["cluster"]["objects"]:
            if item["kind"] == "Pod":
                for container in item["spec"]["containers"]:
                    container["env"] = [{"name": "X", "value": SECRET}]
                    container["args"] = [f"--password={SECRET}"]
        match chance.randrange(6):
            case 0:
                observation = _mutated(observation, chance)
            case 1:
                node = chance.choice(observation["nodes"])
                for key in ("nat", "filter", "links", "routes", "conntrack"):
                    node[key] = _torn(node.get(key, ""), chance)
                for space in node["namespaces"]:
                    space |= {key: _torn(space[key], chance) for key in ("links", "routes", "sockets")}
            case 2:
                observation["envoys"] = [
                    {key: _changed(item, chance) for key, item in envoy.items()} for envoy in observation["envoys"]
                ]
            case 3:
                observation["docker"]["containers"] = [
                    _changed(item, chance) for item in observation["docker"]["containers"]
                ]
            case _:
                observation["cluster"]["objects"] = [
                    _changed(item, chance) for item in observation["cluster"]["objects"]
                ]
        text = json.dumps(observation)
        self._file.write_text(text if chance.random() < 0.9 else _torn(text, chance), errors="replace")
        seen = read_observation(self._file)
        traced = trace(seen)
        outputs = (seen.model_dump_json(), as_text(as_json(traced)), junit(traced), html(traced))
        return ["a secret"] if any(SECRET in output for output in outputs) else []


def run(
    inputs: int, seed: int, *, shown: int = 20, progress: Callable[[str], object] = print
) -> dict[str, Counter[str]]:
    """Counts by reader: inputs, refused, tracebacks, hangs, damaged or leaked.

    inputs: how many in total.
    seed: of the first input; the others follow from it.
    shown: how many faults are printed.
    progress: prints a line.
    """
    counts: dict[str, Counter[str]] = {}
    with TemporaryDirectory() as folder:
        fuzz = Fuzz(Path(folder))
        whole = sum(share for share, _ in fuzz.readers.values())
        for name, (share, reader) in fuzz.readers.items():
            counts[name] = Counter()
            for number in range(max(1, inputs * share // whole)):
                counts[name]["inputs"] += 1
                key = f"{seed} {name} {number}"
                try:
                    with _bounded(LONGEST):
                        faults = reader(random.Random(key))
                except _EXPECTED:
                    counts[name]["refused"] += 1
                    continue
                except HangError:
                    kind, faults = "hangs", [f"longer than {LONGEST} s"]
                except Exception:  # noqa: BLE001 - it is what is looked for
                    kind, faults = "tracebacks", [traceback.format_exc(limit=-3)]
                else:
                    kind = (
                        "secrets" if "a secret" in faults else "tracebacks" if name != "files, patched" else "damaged"
                    )
                if faults:
                    counts[name][kind] += 1
                    shown -= 1
                    if shown >= 0:
                        progress(f"{key}: {faults[0]}")
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=INPUTS)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = perf_counter()
    counts = run(given.inputs, given.seed)
    columns = ("inputs", "refused", "tracebacks", "hangs", "damaged", "secrets")
    print(f"| reader | {' | '.join(columns)} |\n|---{'|---' * len(columns)}|")
    total: Counter[str] = Counter()
    for name, counted in counts.items():
        total += counted
        print(f"| {name} | {' | '.join(f'{counted[column]:,}' for column in columns)} |")
    print(f"| all | {' | '.join(f'{total[column]:,}' for column in columns)} |")
    print(f"\n{perf_counter() - began:.0f} s, seed {given.seed}, Python {sys.version.split()[0]}")
    sys.exit(bool(total["tracebacks"] + total["hangs"] + total["damaged"] + total["secrets"]))


if __name__ == "__main__":
    main()
