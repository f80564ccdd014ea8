"""Forward passes of many policies at once, each with parameters of its own: compiled on a CPU, stacked elsewhere."""
