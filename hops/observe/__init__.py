"""Looks at a running path. Reads only, and runs nothing inside Envoy, Contour or a workload."""
