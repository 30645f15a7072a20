"""Serves the components to programs in any language: `pulumi package add` reads this folder; it does not return."""

import sys
from pathlib import Path

from pulumi.provider.experimental import component_provider_host

# Run as a folder, this file finds its neighbours only by the project's own path.
sys.path.insert(0, str(Path(__file__).absolute().parents[1]))

from components import Calico, Contour, Ingress, KindCluster, Workload

component_provider_host(
    name="ingress-hops", components=[Calico, Contour, Ingress, KindCluster, Workload], version="0.1.0"
)
