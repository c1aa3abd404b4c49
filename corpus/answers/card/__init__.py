"""The data card, README.md and README.ja.md: its page, and the sections of it by topic."""
