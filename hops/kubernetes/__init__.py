"""Readers of Kubernetes objects, which rules, plan and trace share. Pure."""
