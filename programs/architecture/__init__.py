"""Architectures: cells, their spaces and canonical form, what a network of them costs, and the network itself."""
