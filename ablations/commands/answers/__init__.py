"""What the commands print that are more than a call of another room."""
