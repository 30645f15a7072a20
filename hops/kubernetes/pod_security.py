"""What the Pod Security Standards forbid in a pod.

Source: k8s.io/pod-security-admission 0.36, policy/check_*.go: each check with the minor version that introduced it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hops.kubernetes.resources.pods import Pod, PodContainer
from hops.kubernetes.values import JSON, at, flag, mapping, number, pairs, pointer, sequence, text, texts

ENFORCE = "pod-security.kubernetes.io/enforce"
ENFORCE_VERSION = "pod-security.kubernetes.io/enforce-version"
LEVELS = ("restricted", "baseline", "privileged")
"""The levels, the strictest first."""
LATEST = 1_000
"""The minor version that stands for `latest`."""

_CAPABILITIES = frozenset(
    {
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE"),
        *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    }
)
_VOLUMES = frozenset(
    {
        *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "name", "persistentVolumeClaim"),
        *("projected", "secret"),
    }
)
_SYSCTLS: Mapping[str, int] = {
    **dict.fromkeys(
        (
            *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start"),
            *("net.ipv4.ping_group_range", "net.ipv4.tcp_syncookies"),
        ),
        0,
    ),
    "net.ipv4.ip_local_reserved_ports": 27,
    **dict.fromkeys(
        (
            *("net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"),
            "net.ipv4.tcp_keepalive_time",
        ),
        29,
    ),
    **dict.fromkeys(("net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"), 32),
}
"""The sysctls that baseline allows, each with the minor version that added it."""
_SELINUX: Mapping[str, int] = {
    **dict.fromkeys(("", "container_t", "container_init_t", "container_kvm_t"), 0),
    "container_engine_t": 31,
}
"""The SELinux types that baseline allows, each with the minor version that added it."""
_PROFILES = ("RuntimeDefault", "Localhost")
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_HANDLERS = (
    *(("livenessProbe",), ("readinessProbe",), ("startupProbe",)),
    *(("lifecycle", "postStart"), ("lifecycle", "preStop")),
)
_HOST_PROBES_SINCE = 34
_USER_NAMESPACES_SINCE = 35
"""From this version, a pod with `hostUsers: false` may run as root of its own user namespace."""
_RUN_AS_USER_SINCE = 23
_WINDOWS_SINCE = 25
"""From this version, `spec.os.name: windows` exempts a pod from the checks of Linux."""


def minor(version: str) -> int | None:
    """The minor version of `latest` or v1.N; None for any other text."""
    if version == "latest":
        return LATEST
    found = re.fullmatch(r"v1\.(\d{1,3})", version)
    return int(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class RefusedField:
    """What a level refuses in a pod.

    what: a noun with the name of the check.
    pointer: JSON pointer of the value inside the object; "" where several values make it.
    """

    what: str
    pointer: str = ""


def refusals(level: str, pod: Pod, version: int = LATEST) -> Iterator[RefusedField]:
    """What a level refuses in a pod.

    level: one of LEVELS; any other refuses nothing.
    pod: the pod.
    version: minor version of the standard. Default: the latest.
    """
    if level not in ("baseline", "restricted"):
        return
    own_users = version >= _USER_NAMESPACES_SINCE and flag(at(pod.spec, "hostUsers")) is False
    yield from _baseline(pod, version)
    for container in pod.containers:
        yield from _baseline_container(container, version)
        mount = text(at(container.body, "securityContext", "procMount")) or "Default"
        if mount != "Default" and (level == "restricted" or not own_users):
            yield RefusedField(f"procMount {mount} in container {container.name} (procMount)")
    if level == "restricted":
        yield from map(RefusedField, _restricted(pod, version, own_users=own_users))


def _baseline(pod: Pod, version: int) -> Iterator[RefusedField]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if flag(at(pod.spec, key)):
            yield RefusedField(f"{key} (hostNamespaces)", f"{pod.pointer}/{key}")
    for port in pod.host_ports:
        if port.host_port:
            yield RefusedField(f"hostPort {port.host_port} (hostPorts)", f"{port.pointer}/hostPort")
    yield from map(RefusedField, _baseline_spec(pod, version))


def _baseline_spec(pod: Pod, version: int) -> Iterator[str]:
    context = mapping(at(pod.spec, "securityContext"))
    for volume in sequence(at(pod.spec, "volumes")):
        if "hostPath" in mapping(volume):
            yield "a hostPath volume (hostPathVolumes)"
    for sysctl in sequence(context.get("sysctls")):
        name = text(at(sysctl, "name")) or ""
        if version < _SYSCTLS.get(name, LATEST + 1):
            yield f"the sysctl {name} (sysctls)"
    template = at(pod.resource.body, *pod.pointer.split("/")[1:-1], "metadata", "annotations")
    for key, value in pairs(template).items():
        if key.startswith(_APPARMOR) and value not in ("", "runtime/default") and not value.startswith("localhost/"):
            yield f"the AppArmor profile {value} (appArmorProfile)"
    yield from _context(context, "the pod", version)


def _context(context: Mapping[str, JSON], where: str, version: int) -> Iterator[str]:
    """What baseline refuses in the security context of a pod or of a container."""
    if flag(at(context.get("windowsOptions"), "hostProcess")):
        yield f"hostProcess in {where} (windowsHostProcess)"
    for key, check in (("appArmorProfile", "appArmorProfile"), ("seccompProfile", "seccompProfile_baseline")):
        kind = text(at(context.get(key), "type"))
        if kind and kind not in _PROFILES:
            yield f"{key} {kind} in {where} ({check})"
    options = mapping(context.get("seLinuxOptions"))
    if version < _SELINUX.get(text(options.get("type")) or "", LATEST + 1):
        yield f"the SELinux type {options['type']} in {where} (seLinuxOptions)"
    yield from (f"the SELinux {key} in {where} (seLinuxOptions)" for key in ("user", "role") if text(options.get(key)))


def _baseline_container(container: PodContainer, version: int) -> Iterator[RefusedField]:
    where = f"container {container.name}"
    yield from map(RefusedField, _baseline_container_context(container, where, version))
    for keys in _HANDLERS if version >= _HOST_PROBES_SINCE else ():
        for action in ("httpGet", "tcpSocket"):
            if text(at(container.body, *keys, action, "host")):
                what = f"host in {keys[-1]} of {where} (hostProbesAndHostLifecycle)"
                yield RefusedField(what, pointer(container.pointer, *keys, action, "host"))


def _baseline_container_context(container: PodContainer, where: str, version: int) -> Iterator[str]:
    context = mapping(at(container.body, "securityContext"))
    if flag(context.get("privileged")):
        yield f"the privileged {where} (privileged)"
    more = set(texts(at(context, "capabilities", "add"))) - _CAPABILITIES
    if more:
        yield f"the capability {min(more)} in {where} (capabilities_baseline)"
    yield from _context(context, where, version)


def _restricted(pod: Pod, version: int, *, own_users: bool) -> Iterator[str]:
    whole = mapping(at(pod.spec, "securityContext"))
    windows = version >= _WINDOWS_SINCE and text(at(pod.spec, "os", "name")) == "windows"
    for volume in sequence(at(pod.spec, "volumes")):
        for kind in mapping(volume):
            if kind not in _VOLUMES and kind != "hostPath":
                yield f"a volume of type {kind} (restrictedVolumes)"
    # A bad value of the pod counts even if every container has a good one.
    if flag(whole.get("runAsNonRoot")) is False and not own_users:
        yield "runAsNonRoot false in the pod (runAsNonRoot)"
    if number(whole.get("runAsUser")) == 0 and version >= _RUN_AS_USER_SINCE and not own_users:
        yield "runAsUser 0 in the pod (runAsUser)"
    for container in pod.containers:
        own = mapping(at(container.body, "securityContext"))
        root = flag(own.get("runAsNonRoot"))
        profile = text(at(own, "seccompProfile", "type")) or text(at(whole, "seccompProfile", "type"))
        conditions: tuple[tuple[int, bool, str, str], ...] = (
            (
                8,
                windows or flag(own.get("allowPrivilegeEscalation")) is False,
                "allowPrivilegeEscalation",
                "allowPrivilegeEscalation",
            ),
            (
                0,
                own_users or bool(flag(whole.get("runAsNonRoot")) if root is None else root),
                "no runAsNonRoot",
                "runAsNonRoot",
            ),
            (_RUN_AS_USER_SINCE, own_users or number(own.get("runAsUser")) != 0, "runAsUser 0", "runAsUser"),
            (
                22,
                windows or "ALL" in texts(at(own, "capabilities", "drop")),
                "capabilities that are not dropped",
                "capabilities_restricted",
            ),
            (
                22,
                windows or set(texts(at(own, "capabilities", "add"))) <= {"NET_BIND_SERVICE"},
                "added capabilities",
                "capabilities_restricted",
            ),
            # Baseline reports the profile Unconfined.
            (
                19,
                windows or profile in (*_PROFILES, "Unconfined"),
                "no seccompProfile",
                "seccompProfile_restricted",
            ),
        )
        yield from (
            f"{what} in container {container.name} ({check})"
            for since, met, what, check in conditions
            if version >= since and not met
        )
