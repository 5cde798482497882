"""Students of one GPU, as tiny random models of their architectures with their chat templates.

Real traces are read, verified, trained on, served and graded. The templates are those that TRL's
package has of the published models; tokenizer and weights are made here.

Run: pytest -m "slow or not slow" tests/training/test_published_students.py
"""

# ruff: noqa: RUF001 (DeepSeek writes its tokens with wide bars)
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import pandas
import pytest
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from distill import pipeline
from distill.models import hub
from distill.models.config import PromptConfig
from distill.models.prompt import chat_ids, messages, opening
from distill.run.compose import build
from distill.stages import Stage
from distill.store.artifacts import Store
from distill.store.identity import CHECKOUT
from distill.trace.records import read_traces
from distill.training.config import Method
from distill.training.rows import IGNORED
from tests.micro_corpus import built_rows
from tests.odd_tokenizers import wrapped

TRACES = CHECKOUT.parent / "shared" / "data" / "traces" / "qwq_r1distill_gsm8k_math500.jsonl"
TEMPLATES = Path(str(importlib.util.find_spec("trl").origin)).parent / "chat_templates"
COUNT = 20


@dataclass(frozen=True)
class Published:
    """What of a published model decides its rows and how it is run."""

    architecture: str
    asked: str
    """A prompt of a question; the template writes all around it."""

    special: tuple[str, ...]
    end: str
    pad: str
    begin: str | None = None
    thinks: bool = False
    """Whether its tokenizer has tokens for the marks of a thought."""

    opened: str = ""
    """What the template writes of the response."""

    tied: bool = True


IM = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
QWEN3 = "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n"
QWEN2_5 = (
    "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    f"<|im_end|>\n{QWEN3}"
)
LLAMA = (
    "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: "
    "December 2023\nToday Date: 26 Jul 2024\n\n<|eot_id|><|start_header_id|>user"
    "<|end_header_id|>\n\nQ<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
)
TURNS = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
BARS = tuple(f"<｜{name}｜>" for name in ("begin▁of▁sentence", "end▁of▁sentence"))
R1 = "<｜begin▁of▁sentence｜><｜User｜>Q<｜Assistant｜><think>\n"

PUBLISHED = {
    "qwen2_5": Published("Qwen2", QWEN2_5, IM, "<|im_end|>", "<|endoftext|>"),
    "qwen3": Published("Qwen3", QWEN3, IM, "<|im_end|>", "<|endoftext|>", thinks=True),
    "qwen3_instruct_2507": Published(
        "Qwen3", QWEN3, IM, "<|im_end|>", "<|endoftext|>", thinks=True
    ),
    "llama3_2": Published(
        "Llama", LLAMA, (*TURNS, "<|pad|>"), "<|eot_id|>", "<|pad|>", "<|begin_of_text|>"
    ),
    "deepseek_r1_distill": Published(
        *("Qwen2", R1, (*BARS, "<｜User｜>", "<｜Assistant｜>"), BARS[1], BARS[1], BARS[0]),
        thinks=True,
        opened="<think>\n",
        tied=False,
    ),
}
"""Chat template of TRL -> the models that have it."""

ROPE = {
    **{"rope_type": "llama3", "rope_theta": 5e5, "factor": 32.0, "low_freq_factor": 1.0},
    **{"high_freq_factor": 4.0, "original_max_position_embeddings": 8192},
}


@pytest.fixture(scope="module")
def rows():
    """The shortest thoughts of QwQ-32B on GSM8K, as a recorded teacher's rows."""
    if not TRACES.is_file():
        pytest.skip(f"{TRACES} is not there")
    found = map(json.loads, TRACES.read_text(encoding="utf-8").splitlines())
    whole = [
        {
            **{"id": row["id"], "question": row["question"], "answer": row["gold_answer"]},
            **{"thought": row["reasoning"], "solution": row["solution"]},
        }
        for row in found
        if row["model"] == "qwen/QwQ-32B" and row["benchmark"] == "gsm8k"
        if row["gold_answer"] and row["solution"] and not row["truncated"]
    ]
    return sorted(whole, key=lambda row: len(row["thought"]))[: 2 * COUNT]


@pytest.fixture(scope="module")
def path(rows, tmp_path_factory):
    """The rows as a file."""
    made = tmp_path_factory.mktemp("traces") / "traces.jsonl"
    made.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return made


def tokenizer_of(name, rows):
    """Byte-level BPE with the published model's control tokens and template."""
    model = PUBLISHED[name]
    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator((row["thought"] for row in rows), trainer)
    made.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in model.special])
    if model.thinks:
        made.add_tokens([AddedToken(t, normalized=False) for t in ("<think>", "</think>")])
    template = (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")
    return wrapped(made, template, eos=model.end, bos=model.begin, pad=model.pad)


@pytest.fixture(scope="module")
def student(rows, tmp_path_factory):
    """Name of a template -> folder of a tiny random model that has it."""
    import torch
    import transformers

    def student(name):
        model, tokenizer = PUBLISHED[name], tokenizer_of(name, rows)
        more = {"rope_parameters": ROPE} if model.architecture == "Llama" else {}
        config = getattr(transformers, f"{model.architecture}Config")(
            vocab_size=len(tokenizer),
            hidden_size=128,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=32,  # the least that vLLM serves on a CPU; Qwen2 divides the size by its heads
            max_position_embeddings=131_072 if more else 32_768,
            tie_word_embeddings=model.tied,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=tokenizer.bos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            **more,
        )
        torch.manual_seed(0)
        folder = tmp_path_factory.mktemp(name)
        getattr(transformers, f"{model.architecture}ForCausalLM")(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return student


def overrides(path, student, folder):
    """A run on the traces in `path`."""
    benchmark = "evaluation.benchmarks.gsm8k.dataset"
    return [
        *("teacher=recorded", f"teacher.path={path}", "dataset.problems=0", "prompt=think"),
        *(f"size.traces={COUNT}", f"student.model={student}", "training.max_tokens=2048"),
        *("training.epochs=4", "training.batch=1", "training.learning_rate=0.005"),
        *("evaluation=gsm8k", f"{benchmark}.path={path}", f"{benchmark}.format=json_lines"),
        *(f"{benchmark}.problems={COUNT}", "evaluation.sampling.max_new_tokens=24"),
        *("+sampling@evaluation.sampling=qwen3_thinking", "engine.dtype=float32"),
        *("compute.threads=1", "compute.progress=false", "tracking=none"),
        *(f"artifacts={folder}/a", f"runs={folder}/r"),
    ]


def opens_a_thought(name, config, made, answers) -> None:
    """Whether generation opens a thought: the template does, or the student has learned to.

    These models are too small to have learned it by heart, so the mean log-probability of the token
    that opens a thought is compared with the untrained model's.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    if opened := PUBLISHED[name].opened:
        assert answers["response"].str.startswith(opened).all()
        return

    def opening_of(model):
        network = AutoModelForCausalLM.from_pretrained(model.name, dtype=torch.float32)
        if model.adapter:
            network = PeftModel.from_pretrained(network, model.adapter)
        tokenizer, nats = hub.load_tokenizer(hub.base_model(config.student)), []
        first = tokenizer.encode("<think>\n", add_special_tokens=False)[0]
        for question in answers["question"]:
            asked = chat_ids(tokenizer, messages(config.prompt, question))
            with torch.no_grad():
                logits = network(torch.tensor([asked])).logits[0, -1]
            nats.append(float(logits.log_softmax(-1)[first]))
        return sum(nats) / len(nats)

    trained = hub.trained_model(config.student, made[Stage.train].path)
    least = 1 if config.training.method is Method.sft else 0
    assert opening_of(trained) > opening_of(hub.base_model(config.student)) + least


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_the_template_writes_the_published_models_prompt(name, rows):
    tokenizer, model = tokenizer_of(name, rows), PUBLISHED[name]
    plain = PromptConfig(name="p", thought_open="<think>\n", thought_close="\n</think>\n\n")
    ids = chat_ids(tokenizer, messages(plain, "Q"))
    assert tokenizer.decode(ids) == model.asked
    assert opening(tokenizer, ids, "<think>\n") == model.opened


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_row_of_a_real_trace_holds_the_whole_thought_once(
    name, path, student, hydra_compose, tmp_path
):
    config = build(hydra_compose(*overrides(path, student(name), tmp_path), "until=corrupt"))
    made = {step.stage: step.artifact for step in pipeline.run(config, Store(tmp_path).produce)}
    folder = made[Stage.corrupt].path
    tokenizer = hub.load_tokenizer(hub.base_model(config.student))
    built, counts = built_rows(tokenizer, config.prompt, folder, folder, [], 2048)
    assert counts["rows"] == COUNT
    model = PUBLISHED[name]
    for row, trace in zip(built, read_traces(folder / "traces.jsonl"), strict=True):
        text = f"<think>\n{trace.thought}\n</think>\n\n{trace.solution}{model.end}"
        written = tokenizer.decode([token for token in row.labels if token != IGNORED])
        assert model.opened + written == text
        whole = tokenizer.decode(row.input_ids)
        assert whole.count("<think>") == whole.count("</think>") == 1
        asked = config.prompt.user.replace("{question}", trace.problem.question)
        assert whole == model.asked.replace("Q<", f"{asked.strip()}<", 1) + written


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "training"),
    [
        *((name, "micro_sft") for name in sorted(PUBLISHED)),
        ("qwen3", "micro_lora"),
        ("qwen2_5", "micro_lora training.quantization=nf4"),
        ("llama3_2", "micro_lora training.quantization=nf4"),
    ],
)
def test_real_traces_are_verified_trained_on_served_and_graded(
    name, training, path, student, hydra_compose, tmp_path
):
    if "nf4" in training:
        pytest.importorskip("bitsandbytes", reason="the extra `qlora` is not installed")
    words = [*overrides(path, student(name), tmp_path), *f"training={training}".split()]
    config = build(hydra_compose(*words))
    made = {step.stage: step.artifact for step in pipeline.run(config, Store(tmp_path).produce)}
    verified = made[Stage.verify].summary()
    trained = made[Stage.train].summary()
    assert trained["rows"] == COUNT and trained["dropped"] == 0, verified
    curve = [json.loads(line)["loss"] for line in
             (made[Stage.train].path / "curve.jsonl").read_text().splitlines()]  # fmt: skip
    whole = config.training.method is Method.sft  # an adapter of a random model learns little
    assert sum(curve[-5:]) < (0.9 if whole else 1) * sum(curve[:5])
    answers = pandas.read_parquet(made[Stage.evaluate].path / "samples.parquet")
    assert len(answers) == answers["problem_id"].nunique() == COUNT
    assert answers["correct"].notna().all()
    opens_a_thought(name, config, made, answers)
