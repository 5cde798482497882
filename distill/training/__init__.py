"""Training of students: methods, tokenised rows and their order, checkpoints, processes.

Whatever changes weights. CONTRIBUTING.md says how to add a training method.
"""
