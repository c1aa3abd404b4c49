"""report.html: its page, the sections of it, and what they draw beyond the card's facts."""
