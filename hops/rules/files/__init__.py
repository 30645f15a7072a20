"""Reads YAML and JSON files, and edits them without changing any other byte."""
