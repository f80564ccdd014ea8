"""What a genome is worth: tasks, the batched trainer, and the executors that run them."""
