"""The commands that print what this version knows: rules, codes and settings."""
