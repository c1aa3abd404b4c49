"""A finished model for others: transformers, llama.cpp, its card, and text from it."""
