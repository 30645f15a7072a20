"""Serves the pack to the Pulumi engine; it doesn't return."""

from pathlib import Path

from pulumi_policy import PolicyPack

from policy.dispatcher import Dispatcher
from policy.operation import listen

dispatcher = Dispatcher(Path(__file__).absolute().parents[1] / "stacks")
listen(dispatcher.hear, dispatcher.seen)
PolicyPack("ingress-hops", policies=dispatcher.policies())
