"""Who may come in, what they may use, what is remembered: the ground floor."""
