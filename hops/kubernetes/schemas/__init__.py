"""The schemas of the API server for the kinds that Kubernetes, Contour and Calico publish."""
