"""The `corpus` command: a file of verbs for each group."""
