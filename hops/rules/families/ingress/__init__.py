"""IN: rules for Ingresses, HTTPProxies and Gateway API routes."""
