"""The build folder: what it looks like, how files get into it whole, what stands in its tables."""
