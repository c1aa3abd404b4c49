"""Training: processes, sharding, optimiser, schedule, loop, checkpoints, evaluation, log."""
