"""Running language models: model names resolved to weights, prompts, chat completion, engines.

Code that needs to know about benchmarks or stages does not belong here.
"""
