"""HTML as tables of blocks, elements and marks, by one native walk."""
