"""Scoring of genomes: tasks, an evaluator for each kind of genome, and executors."""
