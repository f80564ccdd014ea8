"""Networks of many architectures that are trained and asked together: compiled on a CPU, stacked elsewhere."""
