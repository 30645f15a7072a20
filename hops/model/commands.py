"""The commands of a project as its user types them."""

import shlex

HOPS = ".venv/bin/hops"
"""The program `hops` in a shell in the project's folder."""


def of_stack(verb: str, stack: str, *, makefile: bool, replace: bool = False) -> str:
    """The command for a stack.

    verb: `up`, `preview`, `trace` or `down`.
    stack: the stack's name.
    makefile: whether the project has the Makefile of ingress-hops; one that `hops init` made has none.
    replace: whether an `up` may rebuild the cluster. Default: no.
    """
    if makefile:
        return shlex.join(("make", verb, f"STACK={stack}", *(("REPLACE=1",) if replace else ())))
    return shlex.join((HOPS, verb, stack, *(("--replace",) if replace else ())))


def env(stack: str, *, makefile: bool) -> str:
    """The command that prints what a shell needs for the stack. makefile: as of `of_stack`."""
    return shlex.join(("make", "-s", "env", f"STACK={stack}") if makefile else (HOPS, "env", stack))
