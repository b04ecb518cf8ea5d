"""From prompt to output."""
