"""Parts of documents that recur: paragraphs, long passages, items of evaluation sets."""
