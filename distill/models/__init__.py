"""Whatever runs a language model: names resolved to weights, prompts, chat completion, engines.

Nothing here knows traces or benchmarks.
"""
