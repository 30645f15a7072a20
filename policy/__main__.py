"""Serves the pack to the Pulumi engine; it doesn't return."""

import os
from pathlib import Path

from pulumi_policy import PolicyPack

from policy.dispatcher import Dispatcher
from policy.operation import listen

# A repository that `hops init` made has its stacks elsewhere.
project = os.environ.get("INGRESS_HOPS_PROJECT") or Path(__file__).absolute().parents[1]
dispatcher = Dispatcher(Path(project) / "stacks")
listen(dispatcher.hear, dispatcher.seen)
PolicyPack("ingress-hops", policies=dispatcher.policies())
