"""Networks on a CPU, run by compiled kernels; docs/compiled_networks.md describes the memory layout and the reasons."""
