"""Web pages: HTTP, charsets, HTML, main text, and what they say of rights."""
