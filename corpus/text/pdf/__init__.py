"""PDF: text layers to blocks, by the places of characters on pages (docs/sources/pdf.md)."""
