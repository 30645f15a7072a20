"""YAML files as people keep them: their documents, and edits that keep every other byte."""
