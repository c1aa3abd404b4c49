"""What two texts are compared by: normalised text, shingles, MinHash, addresses."""
