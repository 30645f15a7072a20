"""Routes: what Ingresses, HTTPProxies and Gateway API routes declare, and where they lead. Pure."""
