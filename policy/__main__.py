"""Serves the pack to the Pulumi engine; it doesn't return."""

from pulumi_policy import PolicyPack

from policy.dispatcher import Dispatcher
from policy.operation import listen

dispatcher = Dispatcher()
listen(dispatcher.hear)
PolicyPack("ingress-hops", policies=dispatcher.policies())
