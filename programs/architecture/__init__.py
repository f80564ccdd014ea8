"""Architectures: cells, their spaces and canonical form, networks of cells, and the cost of networks."""
