"""Environments that policies play, many stepped side by side."""
