"""The `trainer` command: one file for each group of verbs."""
