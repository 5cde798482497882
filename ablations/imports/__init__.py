"""Model outputs from elsewhere, read, graded again and recorded as runs."""
