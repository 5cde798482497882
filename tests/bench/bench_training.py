"""Tokens per second of the training stage, next to a bare PyTorch loop and to TRL's own defaults.

The recipe is that of `conf/training/micro_sft.yaml`, for one epoch, with both kernels. All are run
in turn, since the machine is not as fast from minute to minute, and compared by their medians. Each
is measured from its second step on, when its layers are compiled.

Run: python tests/bench/bench_training.py [--traces 1000] [--rounds 3] [--threads 2]
"""

import argparse
import os
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
from distill.training import kernel
from distill.training.config import Kernel, TrainingConfig
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
    recipe = replace(Studies().one(["training=micro_sft"]).config.training, epochs=1)
    compute = ComputeConfig(threads=wanted.threads, progress=False)
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.setdefault(kernel.CACHE, str(folder / "compiled"))
        pretrain.save(pretrain.build_model(pretrain.Recipe()), folder / "base")
        student = StudentConfig(name="micro", model=str(folder / "base"))
        corpus = write_corpus(folder / "corpus", wanted.traces)
        for turn in range(wanted.rounds):
            for kind in Kernel:
                training = replace(recipe, kernel=kind)
                for what, measure in (("a bare loop", bare), ("the stage", through_trl)):
                    out = folder / f"{measure.__name__}-{kind}-{turn}"
                    rate = measure(student, training, corpus, compute, out)
                    rates.setdefault(f"{what}, {kind}", []).append(rate)
            rate = trl_alone(student, recipe, corpus, compute, folder / f"alone-{turn}")
            rates.setdefault("TRL's defaults", []).append(rate)
    for what, found in rates.items():
        print(f"{what:24} {', '.join(f'{rate:,.0f}' for rate in found)} tokens/s")
    middle = {what: median(found) for what, found in rates.items()}
    for one, other, aim in (
        ("the stage, compiled", "the stage, eager", 1.8),
        ("the stage, compiled", "a bare loop, compiled", 0.95),
        ("the stage, compiled", "TRL's defaults", 2.8),
        ("the stage, eager", "a bare loop, eager", 0.95),
    ):
        print(f"{one} / {other}: {middle[one] / middle[other]:.2f} (at least {aim})")


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


def trl_alone(
    student: StudentConfig,
    training: TrainingConfig,
    corpus: Path,
    compute: ComputeConfig,
    out: Path,
) -> float:
    """TRL's trainer as it comes, on texts, for as many steps; tokens per second after step 1."""
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    hub.set_up(compute)
    tokenizer = hub.load_tokenizer(hub.base_model(student))
    rows: list[Row] = []
    build_rows(tokenizer, PROMPT, corpus, corpus, [], training.max_tokens, rows.append)
    texts = [
        {
            "prompt": tokenizer.decode(row.input_ids[: row.prompt_tokens]),
            "completion": tokenizer.decode(row.input_ids[row.prompt_tokens :]),
        }
        for row in rows
    ]
    at: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *args, **rest):
            at.append(time.perf_counter())

    arguments = SFTConfig(
        output_dir=str(out),
        num_train_epochs=1,
        per_device_train_batch_size=training.batch,
        learning_rate=training.learning_rate,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
    )
    trainer = SFTTrainer(
        model=student.model,
        args=arguments,
        train_dataset=Dataset.from_list(texts),
        processing_class=tokenizer,
        callbacks=[Clock()],
    )
    trainer.train()
    tokens = sum(len(row.input_ids) for row in rows) * (len(at) - 1) / len(at)
    return tokens / (at[-1] - at[0])


def bare(
    student: StudentConfig,
    training: TrainingConfig,
    corpus: Path,
    compute: ComputeConfig,
    out: Path,
) -> float:
    """The same rows and batches with nothing around PyTorch; tokens per second after step 1."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, get_cosine_schedule_with_warmup

    hub.set_up(compute)
    model_source = hub.base_model(student)
    tokenizer = hub.load_tokenizer(model_source)
    rows: list[Row] = []
    build_rows(tokenizer, PROMPT, corpus, corpus, [], training.max_tokens, rows.append)
    lengths = [len(row.input_ids) for row in rows]
    planned = training_order(lengths, [row.undamaged for row in rows], training.batch, training)
    compiled = training.kernel is Kernel.compiled
    attention = "sdpa"
    if compiled:
        config = AutoConfig.from_pretrained(**model_source.source)
        attention = kernel.attention_for(config, attention, "cpu")
    model = AutoModelForCausalLM.from_pretrained(
        **model_source.source, dtype=torch.float32, attn_implementation=attention
    ).train()
    if compiled:
        kernel.compile_layers(model)
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
            padded([rows[i].input_ids for i in batch], tokenizer.pad_token_id, compiled),
            padded([rows[i].labels for i in batch], -100, compiled),
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


def padded(rows, fill, compiled):
    """Lists of numbers as one tensor, filled up on the right."""
    import torch

    tensors = [torch.tensor(row) for row in rows]
    whole = torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=fill)
    more = -whole.shape[1] % kernel.MULTIPLE if compiled else 0
    return torch.nn.functional.pad(whole, (0, more), value=fill)


if __name__ == "__main__":
    main()
