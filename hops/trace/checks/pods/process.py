"""What can break: hop 7, a process of the pod that runs and cannot take a request."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from hops.kubernetes import objects
from hops.kubernetes.values import JSON
from hops.model.finding import Finding
from hops.model.hop import HopName
from hops.trace.code import Code
from hops.trace.facts.envoy_drift import suffers
from hops.trace.facts.path_facts import PathFacts, identity
from hops.trace.facts.remedies import command, kubectl, make
from hops.trace.readers.kernel import PodProcess, processes

stopped = Code(
    code="T66",
    hop=HopName.POD,
    title="The pod's process is stopped",
    symptom="The connection is accepted and no byte comes. Envoy answers 504 after the route's timeout.",
    cause="The process received SIGSTOP, or a debugger has stopped it. The kernel still accepts connections for it, "
    "so a TCP probe succeeds.",
    confirmed_by="The node shows the process in the state T or t. A process that runs and does not answer is T44.",
    remedy="Continue the process with SIGCONT, or end the debugger.",
    references=("https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html",),
)
exhausted = Code(
    code="T67",
    hop=HopName.POD,
    title="The pod's process has no file descriptor left",
    symptom="The connection is accepted and no byte comes. Once the queue is full, connections are refused or time "
    "out. The app's log contains `too many open files`.",
    cause="Each connection needs a file descriptor, and the process has as many open as its limit allows: it leaks "
    "them, or the limit is too low.",
    confirmed_by="The node shows as many open descriptors of the process as its limit (`Max open files`).",
    remedy="Recreate the pod, which closes them. Then fix the leak, or raise the limit.",
    references=("https://man7.org/linux/man-pages/man2/getrlimit.2.html",),
)


def _first(view: PathFacts, broken: Callable[[PodProcess], bool]) -> Iterator[tuple[Mapping[str, JSON], PodProcess]]:
    """The first broken process of each pod of a request that suffers."""
    for pod in view.pods if suffers(view) else ():
        space = view.namespace(pod)
        found = (one for one in processes(space.processes) if broken(one)) if space else iter(())
        for one in islice(found, 1):
            yield pod, one


def _stopped(view: PathFacts) -> Iterator[Finding]:
    for pod, one in _first(view, lambda process: process.state in ("T", "t")):
        node, held = objects.node_of(pod), "by a debugger" if one.state == "t" else "by SIGSTOP"
        message = f"The process {one.command} is stopped {held}."
        remedy = command("docker", "exec", node, "kill", "-CONT", one.pid) if one.state == "T" else ""
        look = "" if remedy else command("docker", "exec", node, "grep", "TracerPid", f"/proc/{one.pid}/status")
        evidence = [f"{node}: process {one.pid} ({one.command}) has the state {one.state}"]
        yield stopped.finding(identity(pod), message, remedy, evidence, look=look)


def _exhausted(view: PathFacts) -> Iterator[Finding]:
    for pod, one in _first(view, lambda process: 0 < (process.limit or 0) <= process.descriptors):
        who = identity(pod)
        message = f"The process {one.command} has all of its {one.limit} file descriptors open."
        evidence = [f"{objects.node_of(pod)}: {one.command} ({one.pid}) has {one.descriptors} of {one.limit} open"]
        again = kubectl(view, "delete", "pod", who.name, namespace=who.namespace)
        if view.makes_service and not (view.backend and view.backend.deployment):
            again += f" && {make(view)}"
        look = kubectl(view, "logs", who.name, "--tail", "20", namespace=who.namespace)
        yield exhausted.finding(who, message, again, evidence, look=look)


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (_stopped, _exhausted)
