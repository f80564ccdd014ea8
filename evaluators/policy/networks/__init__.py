"""Forward passes of many policies at once, each with its own parameters: compiled on a CPU, batched elsewhere."""
