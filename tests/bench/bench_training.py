"""Tokens per second of the training stage, next to a bare PyTorch loop over the same batches.

The recipe is that of `conf/training/micro_sft.yaml`, for one epoch. Both are run in turn, since the
machine is not as fast from minute to minute, and compared by their medians.

Run: python tests/bench/bench_training.py [--traces 1000] [--rounds 3] [--threads 2]
"""

import argparse
import random
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from ablations.studies.cells import Studies
from distill.compute import ComputeConfig
from distill.micro import pretrain, scripted_teacher, sign_puzzle
from distill.models import hub
from distill.models.config import PromptConfig, StudentConfig
from distill.trace.records import Problem, Trace, write_records
from distill.training.config import TrainingConfig
from distill.training.order import training_order
from distill.training.rows import Row
from distill.training.tokenize import build_rows
from distill.training.train import train_student

PROMPT = PromptConfig(
    name="micro",
    user="Problem: {question}",
    thought_open="Thought:\n",
    thought_close="\nSolution: ",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    wanted = parser.parse_args()
    recipe = Studies().one(["training=micro_sft"]).config.training
    training = replace(recipe, epochs=1)
    compute = ComputeConfig(threads=wanted.threads, progress=False)
    bares, ours = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pretrain.save(pretrain.build_model(pretrain.Recipe()), folder / "base")
        student = StudentConfig(name="micro", model=str(folder / "base"))
        corpus = write_corpus(folder / "corpus", wanted.traces)
        for turn in range(wanted.rounds):
            bares.append(bare(student, training, corpus, compute))
            ours.append(through_trl(student, training, corpus, compute, folder / f"out{turn}"))
    print(f"bare loop   {', '.join(f'{rate:,.0f}' for rate in bares)} tokens/s")
    print(f"the stage   {', '.join(f'{rate:,.0f}' for rate in ours)} tokens/s")
    print(f"ratio       {median(ours) / median(bares):.2f} of the medians (target 0.85)")


def write_corpus(folder: Path, count: int) -> Path:
    folder.mkdir()
    traces = []
    for puzzle in sign_puzzle.problems("train", count, 0):
        problem = Problem.of(puzzle.question, puzzle.answer, "sign_puzzle", "train")
        written = scripted_teacher.write(puzzle.question, random.Random(problem.id), False)
        traces.append(Trace.of(problem, "scripted", 0, *written))
    write_records(folder / "traces.jsonl", traces)
    return folder


def through_trl(
    student: StudentConfig,
    training: TrainingConfig,
    corpus: Path,
    compute: ComputeConfig,
    out: Path,
) -> float:
    """Tokens per second after step 1."""
    out.mkdir()
    seen: list[tuple[float, int]] = []
    train_student(
        student,
        training,
        PROMPT,
        corpus,
        corpus,
        [],
        compute=compute,
        log=lambda row: seen.append((time.perf_counter(), row["tokens"])),
        out=out,
    )
    return (seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0])


def bare(
    student: StudentConfig, training: TrainingConfig, corpus: Path, compute: ComputeConfig
) -> float:
    """The same rows and batches with nothing around PyTorch; tokens per second after step 1."""
    import torch
    from transformers import AutoModelForCausalLM, get_cosine_schedule_with_warmup

    hub.set_up(compute)
    model_source = hub.base_model(student)
    tokenizer = hub.load_tokenizer(model_source)
    rows: list[Row] = []
    build_rows(tokenizer, PROMPT, corpus, corpus, [], training.max_tokens, rows.append)
    lengths = [len(row.input_ids) for row in rows]
    planned = training_order(lengths, [row.undamaged for row in rows], training.batch, training)
    model = AutoModelForCausalLM.from_pretrained(**model_source.source, dtype=torch.float32).train()
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=training.learning_rate,
        betas=(training.adam_beta1, training.adam_beta2),
        weight_decay=0,
        fused=True,
    )
    scheduler = get_cosine_schedule_with_warmup(
        optimizer, round(training.warmup * planned.steps), planned.steps
    )
    batches = [
        order[start : start + planned.batch]
        for order in planned.epochs
        for start in range(0, len(order), planned.batch)
    ][: planned.steps]
    begun = 0.0
    for step, batch in enumerate(batches):
        if step == 1:
            begun = time.perf_counter()
        ids, labels = (
            padded([rows[i].input_ids for i in batch], tokenizer.pad_token_id),
            padded([rows[i].labels for i in batch], -100),
        )
        mask = torch.arange(ids.shape[1]) < torch.tensor([[lengths[i]] for i in batch])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(
            logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), training.max_grad_norm)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad(set_to_none=True)
    return (planned.tokens[-1] - planned.tokens[0]) / (time.perf_counter() - begun)


def padded(rows, fill):
    """Lists of numbers as one tensor, filled up on the right."""
    import torch

    tensors = [torch.tensor(row) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=fill)


if __name__ == "__main__":
    main()
