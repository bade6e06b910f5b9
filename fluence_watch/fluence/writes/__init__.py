"""Changes: what is asked for, and what became of it."""
