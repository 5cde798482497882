"""What a study asks: its runs as checked configs, and which artifacts they share."""
