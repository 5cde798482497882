"""Running language models: weights, prompts, chat, engines. No benchmarks and no stages here."""
