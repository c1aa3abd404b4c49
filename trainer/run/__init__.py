"""Training: processes, sharding, optimiser, schedule, loop, saves, evaluation, log."""
