"""Networks of many architectures that are trained and evaluated together: compiled on a CPU, stacked elsewhere."""
