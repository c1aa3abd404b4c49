"""Published Japanese tasks, asked as llm-jp-eval asks them, or ranked by likelihood."""
