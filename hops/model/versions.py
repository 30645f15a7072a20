"""Every version that the project installs, each on one line; `tests/hops/test_versions.py` holds them together."""

from dataclasses import dataclass

_PUBLISHED = {
    "calico": "https://raw.githubusercontent.com/projectcalico/calico/v{}/manifests/calico-vxlan.yaml",
    "contour": "https://raw.githubusercontent.com/projectcontour/contour/v{}/examples/render/contour.yaml",
    "contour-gateway": "https://raw.githubusercontent.com/projectcontour/contour/v{}/examples/gateway/00-crds.yaml",
}


@dataclass(frozen=True)
class Manifest:
    """A file of Kubernetes objects as its project publishes it for one release.

    name: of the project.
    version: without a leading v.
    sha256: of the file, as hexadecimal digits.
    """

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
GATEWAY_API = Manifest(
    "contour-gateway", CONTOUR.version, "3e7a27e4456ff3d68606a6a8516306aaff354d6f0950b32bb31930669b7bf8b8"
)
"""The definitions of the Gateway API 1.3.0, experimental channel: Contour reads kinds that the standard one lacks."""
ENVOY = "1.38.3"
PULUMI = "3.259.0"
# As Pulumi's release writes them into its Homebrew formula (github.com/pulumi/homebrew-tap, Formula/pulumi.rb).
PULUMI_SHA256 = {
    "linux-x64": "94ba357acac23d01474084c4b00098dc0f7bc70ce13f34c777459254a5f718e5",
    "linux-arm64": "edc8327463a72160bb36cf82cf5062da9c8a244290a706d9980988e7bf486853",
    "darwin-x64": "eaca4c3b8277bfa3ab061fa3b270d1c66358a0b2e613da8c5587a04b7226c534",
    "darwin-arm64": "57c27f179e527e2cf9f62b841a448af72a020e44b2fb4ee0d9bd85556c00c864",
}
KIND = "0.32.0"
# As kind publishes them beside the release, in kind-SYSTEM-PROCESSOR.sha256sum.
KIND_SHA256 = {
    "linux-amd64": "50030de23cf40a18505f20426f6a8506bedf13c6e509244bd1fa9463721b0f54",
    "linux-arm64": "b92cd615e97585de8ddade28ed5cd7feb4248d717c233eea5b03c37298900f5d",
    "darwin-amd64": "295ac6d0d634c9819c9907df45e3017d1f13166bd13c3404c45e79f7faa47498",
    "darwin-arm64": "dca67911095a110c2b5c36e26df6cac860c602033e456c0db47be498cdef1ebb",
}
# From the release notes of kind 0.32.0, which name one digest for each Kubernetes minor.
NODE_IMAGE = "kindest/node:v1.34.8@sha256:02722c2dedddcfc00febf5d27fbeb9b7b2c14294c82109ff4a85d89ac9ba3256"
WORKLOAD_IMAGE = "python:3.13-slim"
