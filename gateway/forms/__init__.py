"""What people type at the ground floor, a file for each concern."""
