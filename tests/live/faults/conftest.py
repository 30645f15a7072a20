"""Faults are put into one running path, one after the other, in an order of chance."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path as File

import pytest

from tests.live.faults import elsewhere, path
from tests.live.faults.catalogue import SEED, sampled
from tests.live.faults.fault import FAULTS, Fault
from tests.live.faults.run import Run
from tests.project import Project

FOLDER = File(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The gate takes a sample of the faults, and what leaves no path behind comes last of them."""
    taken, last = sampled(), [fault for fault in FAULTS.values() if fault.last]
    own = [number for number, item in enumerate(items) if File(item.fspath).is_relative_to(FOLDER)]
    for number in own:
        if _fault(items[number]) in taken:
            items[number].add_marker("gate")
    ordered = sorted((items[number] for number in own), key=lambda item: _fault(item) in last)
    for number, item in zip(own, ordered, strict=True):
        items[number] = item
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter:
        reporter.write_line(f"faults: what is left to chance comes of INGRESS_HOPS_SEED={SEED}")


def _fault(item: pytest.Item) -> Fault | None:
    """The fault that a test puts in, None where it puts in none or two."""
    fault = getattr(item, "callspec", None) and item.callspec.params.get("fault")  # type: ignore[attr-defined]
    return fault if isinstance(fault, Fault) else None


@pytest.fixture(scope="module")
def run(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The path that faults are put into, and what has been said of them so far."""
    with ExitStack() as stack:

        @cache
        def another() -> path.Elsewhere:
            return stack.enter_context(elsewhere.up(running, tmp_path_factory.mktemp("elsewhere")))

        running = stack.enter_context(path.up(project, another))
        yield Run(running)
