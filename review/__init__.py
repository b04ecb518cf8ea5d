"""From output to public."""
