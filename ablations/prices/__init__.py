"""What a study asks of models and machines, and what that costs, before anything runs."""
