"""From bytes to text: the Japanese gate, charsets verified and decoded, mojibake undone."""
