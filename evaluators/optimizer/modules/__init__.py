"""Ordinary modules of torch, trained by many candidates at once."""
