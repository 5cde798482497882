"""Tokens a second of the transformers engine beside `generate` of transformers, same prompts.

Run: python tests/bench/bench_generation.py [--problems 200] [--threads 2]
"""

import argparse
import tempfile
import time
from pathlib import Path

from distill import engines, hub
from distill.config import ComputeConfig, EngineConfig, PromptConfig, SamplingConfig
from distill.engines.transformers import _load
from distill.micro import pretrain, sign_puzzle
from distill.prompt import prompt_ids
from distill.store import CHECKOUT

PROMPT = PromptConfig(
    name="micro",
    user="Problem: {question}",
    thought_open="Thought:\n",
    thought_close="\nSolution: ",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--student", type=Path, default=CHECKOUT / "distill/micro/students/micro")
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--new", type=int, default=300, help="new tokens at most")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--times", type=int, default=2)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = wanted.student
        if not folder.exists():
            print(f"{folder} is not there: untrained weights of its size, which seldom end")
            folder = Path(name)
            pretrain.save(pretrain.build_model(pretrain.Recipe()), folder)
        compare(hub.Model(str(folder)), wanted)


def compare(model: hub.Model, wanted: argparse.Namespace) -> None:
    engine = EngineConfig()
    compute = ComputeConfig(threads=wanted.threads, progress=False)
    sampling = SamplingConfig(max_new_tokens=wanted.new)
    device = hub.set_up(compute)
    tokenizer = hub.load_tokenizer(model)
    puzzles = sign_puzzle.problems("validation", wanted.problems, 0)
    prompts = [prompt_ids(tokenizer, PROMPT, puzzle.question) for puzzle in puzzles]
    network = _load(model, engine, device)
    rates = []
    for _ in range(wanted.times):
        begun = time.perf_counter()
        made = engines.generate(
            engine, model, prompts, [0] * len(prompts), sampling, compute=compute
        )
        tokens = sum(completion.tokens for _, completion in made)
        seconds = time.perf_counter() - begun
        rates.append(tokens / seconds)
        print(f"engine      {rates[-1]:8,.0f} tokens/s ({tokens:,} tokens, {seconds:.1f} s)")
    begun = time.perf_counter()
    tokens = sum(
        generated(network, prompts[start : start + engine.batch], tokenizer, wanted.new)
        for start in range(0, len(prompts), engine.batch)
    )
    rate = tokens / (time.perf_counter() - begun)
    print(f"generate    {rate:8,.0f} tokens/s ({tokens:,} tokens)")
    print(f"ratio       {max(rates) / rate:8.2f}")


def generated(network, prompts, tokenizer, new):
    """Tokens that `generate` makes for these prompts, each up to its end token."""
    padded = tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt")
    made = network.generate(**padded, do_sample=False, max_new_tokens=new)
    answers = made[:, padded["input_ids"].shape[1] :].tolist()
    end = tokenizer.eos_token_id
    return sum(ids.index(end) + 1 if end in ids else len(ids) for ids in answers)


if __name__ == "__main__":
    main()
