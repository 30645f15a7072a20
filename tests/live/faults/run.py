"""One run: a fault in, a trace, the fault out again, and what came of it on record."""

import json
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict
from datetime import UTC, datetime

import pytest

from tests.live.faults.catalogue import SEED, chance
from tests.live.faults.fault import Broken, Fault
from tests.live.faults.healthy import VARIANTS
from tests.live.faults.kubernetes import StuckError, until
from tests.live.faults.path import Path, Reported
from tests.live.faults.score import Row, Subject
from tests.project import ROOT

FOLDER = ROOT / ".ingress-hops" / "faults"
"""What a run leaves: the rows of each section, and the bundle of each trace."""

_TRIES = 3
"""How often a fault is put in that the node mends by itself while the trace looks."""

Injection = Callable[[], AbstractContextManager[Broken]]


class Run:
    """What has been tried on a path, and what was said of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, list[Row]] = {}
        self._met: dict[str, str] = {}
        FOLDER.mkdir(parents=True, exist_ok=True)

    def fault(self, fault: Fault) -> Row:
        injections = [self._injection(fault)]
        subject = Subject(str(fault.number), fault.title, fault.symptom, fault.expected, fault.stopping)
        return self._tried("faults", subject, injections, bundle=f"{fault.number:02}", last=fault.last)

    def pair(self, one: Fault, other: Fault, section: str = "pairs") -> Row:
        """Two faults at once, as a row of a section.

        The one further on comes first, while it can still be seen to take effect, unless no other can
        take effect after it.
        """
        name, title = f"{one.number}+{other.number}", f"{one.title}; {other.title}"
        turns = (one, other) if other.deafens else (other, one)
        expected, stopping = (*one.expected, *other.expected), (*one.stopping, *other.stopping)
        subject = Subject(name, title, "", expected, stopping)
        return self._tried(section, subject, [self._injection(fault) for fault in turns], bundle=name)

    def healthy(self, name: str) -> Row:
        title, variant = VARIANTS[name]
        return self._tried("healthy", Subject(name, title, "200", (), ()), [lambda: variant(self.path)], bundle=name)

    def _injection(self, fault: Fault) -> Injection:
        return lambda: fault.inject(self.path, chance(fault.number))

    def _tried(
        self, section: str, of: Subject, injections: Sequence[Injection], *, bundle: str, last: bool = False
    ) -> Row:
        """What came of it. A path that is not whole afterwards ends the run."""
        stuck: AssertionError = StuckError("the node mends it before the trace has looked")
        for _ in range(_TRIES):
            began = time.monotonic()
            try:
                reported = self._with(bundle, injections)
            except AssertionError as error:
                stuck = error
                break
            finally:
                if not last:
                    self._whole_again(of.name)
            if reported:
                return self._record(section, of.row(reported, time.monotonic() - began), reported.versions)
        self._record(section, of.not_put_in(str(stuck)), {})
        raise stuck

    def _with(self, name: str, injections: Sequence[Injection]) -> Reported | None:
        """None where the node mended a fault before the trace had looked."""
        with ExitStack() as stack:
            there = []
            for injection in injections:
                there.append(stack.enter_context(injection()))
                until(f"{name} takes effect", there[-1].there)
            reported = self._trace(name, there)
            faded = any(broken.fades and not broken.there() for broken in there)
        return None if faded else reported

    def _whole_again(self, name: str) -> None:
        try:
            until("a request is answered and every pod is ready", self.path.whole, 180)
        except StuckError as stuck:
            before = "".join(traceback.format_exception(stuck.__context__)) if stuck.__context__ else ""
            pytest.exit(f"after {name} the path is not whole again, so nothing can follow: {stuck}\n{before}", 3)

    def _trace(self, name: str, there: Sequence[Broken]) -> Reported:
        options = [option for broken in there for option in broken.options]
        files = {key: text for broken in there for key, text in broken.files.items()}
        environment = {key: text for broken in there for key, text in broken.environment.items()}
        stack = all(broken.stack for broken in there)
        return self.path.trace(options, files, FOLDER / f"{name}.json", stack=stack, environment=environment)

    def _record(self, section: str, of: Row, versions: Mapping[str, str]) -> Row:
        rows = self.rows.setdefault(section, [])
        rows.append(of)
        self._met |= met(versions)
        result = {
            "date": datetime.now(UTC).date().isoformat(),
            "seed": SEED,
            "versions": self._met,
            "rows": [asdict(item) for item in rows],
        }
        (FOLDER / f"{section}.rows.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
        return of


def met(versions: Mapping[str, str]) -> dict[str, str]:
    """What a trace met, the kernel without what its builder adds. A broken path may hide some of it."""
    kept = {name: versions[name] for name in sorted(versions) if name != "system"}
    return kept | ({"kernel": kept["kernel"].partition("-")[0]} if "kernel" in kept else {})
