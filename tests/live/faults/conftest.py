"""Faults are put into one running path, one after the other, in an order of chance."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from tests.live.faults import elsewhere, path
from tests.live.faults.catalogue import SEED, sampled
from tests.live.faults.run import Run
from tests.project import Project


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The gate takes a sample of the faults."""
    taken = {str(fault.number) for fault in sampled()}
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("fault") and item.callspec.id in taken:
            item.add_marker("gate")
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter:
        reporter.write_line(f"faults: what is left to chance comes of INGRESS_HOPS_SEED={SEED}")


@pytest.fixture(scope="package")
def run(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The path that faults are put into, and what has been said of them so far."""
    with ExitStack() as stack:

        @cache
        def another() -> path.Elsewhere:
            return stack.enter_context(elsewhere.up(running, tmp_path_factory.mktemp("elsewhere")))

        running = stack.enter_context(path.up(project, another))
        yield Run(running)
