"""The Pulumi program: see `stacks/program.py` for what it does and `hops/model/settings.py` for what it can be told."""

from stacks.program import run

run()
