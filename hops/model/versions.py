"""Every version that the project installs, each on one line; `tests/hops/test_versions.py` holds them together."""

from dataclasses import dataclass

_PUBLISHED = {
    "calico": "https://raw.githubusercontent.com/projectcalico/calico/v{}/manifests/calico-vxlan.yaml",
    "contour": "https://raw.githubusercontent.com/projectcontour/contour/v{}/examples/render/contour.yaml",
}


@dataclass(frozen=True)
class Manifest:
    """A file of Kubernetes objects as its project publishes it for one release."""

    name: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.name}-v{self.version}.yaml"

    @property
    def url(self) -> str:
        return _PUBLISHED[self.name].format(self.version)


CALICO = Manifest("calico", "3.31.0", "0f7dc29b56dafe1d9566991d008a7944f5a319ab3e5fa9caccfb0d7d778fcdd7")
CONTOUR = Manifest("contour", "1.33.6", "1d2e45c4bb31bea93085231d9b50e2c95ad92432253872b683e672eb7cecbbd8")
ENVOY = "1.38.3"
PULUMI = "3.259.0"
KIND = "0.32.0"
# From the release notes of kind 0.32.0, which name one digest for each Kubernetes minor.
NODE_IMAGE = "kindest/node:v1.34.8@sha256:02722c2dedddcfc00febf5d27fbeb9b7b2c14294c82109ff4a85d89ac9ba3256"
WORKLOAD_IMAGE = "python:3.13-slim"
