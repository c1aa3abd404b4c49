"""Block and allow lists of hosts and URLs."""
