"""Records of a crawl by range requests: which, and how politely."""
