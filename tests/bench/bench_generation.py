"""Tokens per second of an engine next to the library it uses: same prompts, same machine.

Run: python tests/bench/bench_generation.py [--engine vllm] [--prompts 256] [--threads 2]
"""

import argparse
import time

from distill.compute import ComputeConfig
from distill.micro import sign_puzzle
from distill.models import engines, hub
from distill.models.config import Dtype, EngineConfig, PromptConfig, SamplingConfig
from distill.models.engines import transformers
from distill.models.prompt import chat_ids, messages
from distill.store.identity import CHECKOUT

PROMPT = PromptConfig(user="Problem: {question}", thought_open="", thought_close="")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=("transformers", "vllm"), default="transformers")
    parser.add_argument("--student", default=str(CHECKOUT / "distill/micro/students/micro"))
    parser.add_argument("--prompts", type=int, default=256)
    parser.add_argument("--new", type=int, default=300, help="new tokens at most")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--dtype", choices=[*Dtype], default="float32")
    wanted = parser.parse_args()
    model = hub.Model(wanted.student)
    engine = EngineConfig(kind=wanted.engine, dtype=Dtype(wanted.dtype))
    compute = ComputeConfig(threads=wanted.threads, progress=False)
    sampling = SamplingConfig(max_new_tokens=wanted.new)
    tokenizer = hub.load_tokenizer(model)
    puzzles = sign_puzzle.problems("validation", wanted.prompts, 0)
    prompts = [chat_ids(tokenizer, messages(PROMPT, puzzle.question)) for puzzle in puzzles]

    def ours() -> int:
        seeds = [0] * len(prompts)
        made = engines.generate(engine, model, prompts, seeds, sampling, compute=compute)
        return sum(completion.tokens for _, completion in made)

    def bare() -> int:
        if wanted.engine == "vllm":
            return bare_vllm(prompts, wanted.new)
        network = transformers._load(model, engine, hub.set_up(compute))
        end = tokenizer.eos_token_id
        return sum(
            bare_transformers(network, tokenizer, prompts[at : at + engine.batch], wanted.new, end)
            for at in range(0, len(prompts), engine.batch)
        )

    ours(), bare()  # loads the model, and warms it up
    rates: dict[str, list[float]] = {"engine": [], "bare": []}
    for _ in range(wanted.times):  # in turns, so that a busy machine is busy for both
        for name, run in (("engine", ours), ("bare", bare)):
            begun = time.perf_counter()
            tokens = run()
            seconds = time.perf_counter() - begun
            rates[name].append(tokens / seconds)
            print(f"{name:8} {tokens / seconds:8,.0f} tokens/s ({tokens:,} in {seconds:.1f} s)")
    best = {name: max(values) for name, values in rates.items()}
    print(f"{wanted.engine}: ratio {best['engine'] / best['bare']:.2f} of the bare engine")


def bare_vllm(prompts: list[list[int]], new: int) -> int:
    """Tokens that vLLM's own loop makes for these prompts, each up to its end token."""
    from vllm import SamplingParams, TokensPrompt

    from distill.models.engines import vllm

    (llm,) = vllm._loaded.values()
    asked = [TokensPrompt(prompt_token_ids=ids) for ids in prompts]
    made = llm.generate(asked, SamplingParams(temperature=0, max_tokens=new), use_tqdm=False)
    return sum(len(output.outputs[0].token_ids) for output in made)


def bare_transformers(network, tokenizer, prompts, new, end):
    """Tokens that `generate` makes for these prompts, each up to its end token."""
    padded = tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt")
    made = network.generate(**padded, do_sample=False, max_new_tokens=new)
    answers = made[:, padded["input_ids"].shape[1] :].tolist()
    return sum(ids.index(end) + 1 if end in ids else len(ids) for ids in answers)


if __name__ == "__main__":
    main()
