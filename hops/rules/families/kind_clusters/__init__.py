"""KN: rules for kind clusters: published ports, pod network and pod security."""
