"""RP: rules for what keeps a request from its pod between the ingress controller and the process."""
