"""Exports of candidates: a module for each kind, a function for each target."""
