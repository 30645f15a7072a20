"""The Pulumi program: `stacks/program.py` says what it does, `docs/settings.md` lists its settings."""

from stacks.program import run

run()
