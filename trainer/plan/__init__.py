"""Before a run: what it needs and costs on a machine, and what a corpus is good for."""
