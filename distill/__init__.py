"""One run: problems -> traces -> verified -> selected -> corrupted -> student -> scores."""
