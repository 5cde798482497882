"""Import of model outputs from elsewhere: read, re-graded and recorded as runs."""
