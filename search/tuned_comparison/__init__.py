"""A fair comparison of optimizers: tuned with the same trials, then trained with paired seeds on held-out data."""
