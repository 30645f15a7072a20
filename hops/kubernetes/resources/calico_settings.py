"""Calico's own settings: Installation of its operator, and FelixConfiguration.

Source: https://docs.tigera.io/calico/latest/reference/installation/api, libcalico-go, FelixConfigurationSpec.
"""

from collections.abc import Iterator, Mapping

from hops.kubernetes.values import JSON, at, flag, sequence, text


def data_plane(installation: Mapping[str, JSON]) -> str | None:
    """The data plane of the Linux nodes, such as `BPF`; None where the Installation does not say."""
    return text(at(dict(installation), "spec", "calicoNetwork", "linuxDataplane"))


def pools(installation: Mapping[str, JSON]) -> Iterator[tuple[str, JSON]]:
    """The addresses of each pool of an Installation, after their JSON pointer."""
    for index, pool in enumerate(sequence(at(dict(installation), "spec", "calicoNetwork", "ipPools"))):
        yield f"/spec/calicoNetwork/ipPools/{index}/cidr", at(pool, "cidr")


def ebpf(felix: Mapping[str, JSON]) -> bool | None:
    """Whether a FelixConfiguration turns the data plane BPF on; None where it does not say."""
    return flag(at(dict(felix), "spec", "bpfEnabled"))
