"""How fast the rules are: alone, in `hops check` beside checkov, and in a preview; prints Markdown tables.

The sides of a table run in turns on this machine. Run it with nothing else on the machine: `make bench-rules`. checkov
gets an environment of its own below `.tools`, where one can be made, or `--checkov` names another one's program.
"""

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from bench.objects import objects
from bench.shapes import SHAPES
from hops.cli.check import uncollected
from hops.cli.manifests import read
from hops.kubernetes.inventory import Inventory
from hops.model.finding import Place
from hops.rules.configuration import configure
from hops.rules.judge import judge

ROOT = Path(__file__).parents[1]
PROGRAM = """
import pulumi
import pulumi_kubernetes as kubernetes

from bench.objects import objects

KINDS = {
    "Deployment": kubernetes.apps.v1.Deployment,
    "Service": kubernetes.core.v1.Service,
    "Ingress": kubernetes.networking.v1.Ingress,
    "NetworkPolicy": kubernetes.networking.v1.NetworkPolicy,
}
opts = pulumi.ResourceOptions(provider=kubernetes.Provider("nowhere", kubeconfig="/nowhere/config"))
for one in objects(pulumi.Config().require_int("objects"), broken=0):
    name = f"{one['kind']}-{one['metadata']['name']}"
    KINDS[one["kind"]](name, metadata=one["metadata"], spec=one["spec"], opts=opts)
"""

# What the engine and the SDK take for any pack at all.
EMPTY = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

policy = ResourceValidationPolicy("none", "Judges nothing.", lambda args, report: None, EnforcementLevel.MANDATORY)
PolicyPack("empty", [policy])
"""


@dataclass(frozen=True)
class Taken:
    """One run. cpu: of the program and all that it ran, which a busy machine lengthens less than the wall's time."""

    wall: float
    cpu: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--checkov", type=Path, help="its program, in an environment of its own")
    given = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {sys.version.split()[0]}; seconds\n")
    _rules(given.rounds)
    _shapes(given.rounds)
    _check(given.rounds, given.checkov or _checkov())
    _pack(given.rounds)


def _in_turns(rounds: int, sides: Mapping[str, Callable[[], object]]) -> dict[str, list[Taken]]:
    taken: dict[str, list[Taken]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            gc.collect()
            wall, cpu = time.perf_counter(), _cpu()
            side()
            taken[name].append(Taken(time.perf_counter() - wall, _cpu() - cpu))
    return taken


def _cpu() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _wall(taken: Iterable[Taken]) -> float:
    return statistics.median(one.wall for one in taken)


def _spent(taken: Iterable[Taken]) -> float:
    return statistics.median(one.cpu for one in taken)


def _rules(rounds: int) -> None:
    print(
        "| objects in memory | median | all | CPU | objects a second, of CPU | of the round trip's CPU | goal |\n"
        "|---|---|---|---|---|---|---|"
    )
    for count in (1_000, 10_000, 100_000):
        declared = [(one, Place("file", number)) for number, one in enumerate(objects(count))]
        taken = _in_turns(
            rounds,
            {
                # What the machine can do just then: the same program is twice as fast an hour later.
                "a round trip through JSON": partial(_round_trip, declared),
                "the rules": partial(_judged, declared),
            },
        )
        trip, rules = taken.values()
        for name, values in taken.items():
            speeds = f"{count / _wall(values):,.0f}, {count / _spent(values):,.0f}"
            ratio = f"{_spent(rules) / _spent(trip):.1f}" if values is rules else ""
            goal = "20,000" if values is rules and count == 10_000 else ""
            print(f"| {count:,}, {name} | {_values(values)} | {speeds} | {ratio} | {goal} |")
    print()


@uncollected()
def _round_trip(declared: Iterable[tuple[Any, Place]]) -> None:
    for body, _ in declared:
        json.loads(json.dumps(body))


@uncollected()
def _judged(declared: Iterable[tuple[Any, Place]]) -> None:
    if not judge(Inventory(declared, today=datetime.now(UTC).date()), configure()):
        sys.exit("the rules found nothing where something is wrong")


def _shapes(rounds: int) -> None:
    few, many = 5_000, 50_000
    print(
        "Objects in shapes in which a rule compares many with many; microseconds of CPU an object.\n\n"
        f"| shape | {few:,} objects | {many:,} objects | ratio |\n|---|---|---|---|"
    )
    for name, made in SHAPES.items():
        each = []
        for count in (few, many):
            declared = [(one, Place("file", number)) for number, one in enumerate(made(count))]
            taken = _in_turns(rounds, {name: partial(_judged_shape, declared)})
            each.append(_spent(taken[name]) / count * 1e6)
        print(f"| {name} | {each[0]:.0f} | {each[1]:.0f} | {each[1] / each[0]:.1f} |", flush=True)
    print()


@uncollected()
def _judged_shape(declared: Iterable[tuple[Any, Place]]) -> None:
    judge(Inventory(declared, today=datetime.now(UTC).date()), configure())


def _check(rounds: int, checkov: Path | None) -> None:
    if checkov is None:
        print("checkov could not be installed here, so nothing stands beside `hops check`.\n")
    else:
        print(f"checkov {_run([str(checkov), '--version']).strip()}, its checks of the framework kubernetes.\n")
    print("| the same files | median | all | CPU | of checkov, of its CPU |\n|---|---|---|---|---|")
    with TemporaryDirectory() as folder:
        for count in (1_000, 10_000):
            files = Path(folder, str(count))
            files.mkdir()
            listed = list(objects(count))
            for number in range(0, count, 4):
                text = yaml.dump_all(listed[number : number + 4], Dumper=_Plain, sort_keys=False)
                (files / f"app-{number // 4}.yaml").write_text(text)
            hops = [str(Path(sys.prefix, "bin", "hops")), "check", str(files)]
            sides: dict[str, Callable[[], object]] = {
                "PyYAML with libyaml": partial(_parsed, files),
                "reading the YAML": partial(read, [str(files)]),
                "`hops check`": partial(_run, hops, 1),
            }
            if checkov:
                words = [str(checkov), "--directory", str(files), "--framework", "kubernetes", "--quiet", "--compact"]
                sides["checkov"] = partial(_run, words, 1)
            taken = _in_turns(rounds, sides)
            for name, values in taken.items():
                ratio = ""
                if checkov and name == "`hops check`":
                    other = taken["checkov"]
                    ratio = f"{_wall(values) / _wall(other):.3f}, {_spent(values) / _spent(other):.3f}"
                print(f"| {count:,} objects in {count // 4:,} files: {name} | {_values(values)} | {ratio} |")
    print()


@uncollected()
def _parsed(folder: Path) -> None:
    for file in folder.iterdir():
        list(yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader))


def _pack(rounds: int) -> None:
    print(
        "| preview | median | all | CPU | more than without, of CPU | more than the empty pack, of CPU | goal |\n"
        "|---|---|---|---|---|---|---|"
    )
    with TemporaryDirectory() as folder:
        project, empty, state = (Path(folder, name) for name in ("project", "empty", "state"))
        for path in (project, empty, state):
            path.mkdir()
        runtime = {"name": "python", "options": {"toolchain": "pip", "virtualenv": sys.prefix}}
        (project / "Pulumi.yaml").write_text(json.dumps({"name": "bench", "runtime": runtime}))
        (project / "__main__.py").write_text(PROGRAM)
        (empty / "PulumiPolicy.yaml").write_text(json.dumps({"version": "0.1.0", "runtime": runtime}))
        (empty / "__main__.py").write_text(EMPTY)
        environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PYTHONPATH": str(ROOT),
        }
        where = ["--stack", "bench", "--non-interactive", "--cwd", str(project)]
        _run(["pulumi", "stack", "init", *where[1:]], 0, environment)
        for count in (0, 1_000, 10_000):
            _run(["pulumi", "config", "set", "objects", str(count), *where], 0, environment)
            preview = ["pulumi", "preview", "--suppress-outputs", *where]
            packs = {
                "without": [],
                "an empty pack": ["--policy-pack", str(empty)],
                "ours": ["--policy-pack", str(ROOT / "policy")],
            }
            taken = _in_turns(
                rounds, {name: partial(_run, [*preview, *pack], 0, environment) for name, pack in packs.items()}
            )
            plain, floor, ours = taken.values()
            for name, values in taken.items():
                more = _more(values, plain) if values is not plain else ""
                beyond = _more(ours, floor) if values is ours else ""
                goal = "0.5" if values is ours and count == 1_000 else ""
                print(f"| {count:,} resources, {name} | {_values(values)} | {more} | {beyond} | {goal} |", flush=True)


def _more(taken: Sequence[Taken], than: Sequence[Taken]) -> str:
    return f"{_wall(taken) - _wall(than):.2f}, {_spent(taken) - _spent(than):.2f}"


def _values(taken: Sequence[Taken]) -> str:
    return f"{_wall(taken):.2f} | {', '.join(f'{one.wall:.2f}' for one in taken)} | {_spent(taken):.2f}"


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, _: Any) -> bool:
        return True


def _checkov() -> Path | None:
    """The program in an environment of its own, or None where it can't be had."""
    folder = ROOT / ".tools" / "checkov"
    program = folder / "bin" / "checkov"
    if not program.exists():
        words = [[sys.executable, "-m", "venv", str(folder)], [str(folder / "bin" / "pip"), "install", "checkov"]]
        if any(subprocess.run(line, capture_output=True, check=False).returncode for line in words):
            return None
    return program


def _run(words: Sequence[str], expected: int = 0, environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != expected:
        sys.exit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
