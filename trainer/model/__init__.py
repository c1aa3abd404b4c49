"""The network and its attention."""
