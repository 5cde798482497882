"""Students: the stage that fine-tunes one, its row order, checkpoints and processes.

Anything that changes weights enters here.
"""
