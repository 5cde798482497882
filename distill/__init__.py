"""One run: problems -> traces -> verified -> selected -> corrupted -> student -> scores."""

import os

# Threads of torch that wait would otherwise spin: beside any busy process a training step takes 15
# times as long. Read when torch is imported, so it is set before anything else of this package.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
