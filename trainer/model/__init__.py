"""The network, attention, and the arithmetic of its size and cost."""
