"""General benchmarks are tasks of lm-evaluation-harness, whose log is read into our rows."""

import gc
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.compute import ComputeConfig
from distill.evaluation.scores import scores, write_samples
from distill.models import engines, hub
from distill.models.config import EngineConfig, PromptConfig, SamplingConfig, StudentConfig
from distill.models.template import DATE, fixed_date
from distill.store.artifacts import write_json
from distill.store.identity import content_hash, local_path, version
from distill.trace.keywords import DEFAULT, count_keywords, list_file
from distill.trace.records import digest

VERSION = 5

LENIENT = "flexible-extract"
"""The filter of a task that finds the answer in a longer reply; used where a task has it."""

BACKENDS = {"transformers": "hf", "vllm": "vllm"}
"""Engine -> its name in lm-evaluation-harness."""

VERDICTS = ("exact_match", "prompt_level_strict_acc", "acc")
"""The metrics that say whether a response is right; of a task, the first that it has. Of MGSM
it is `exact_match`, of IFEval the next, of multiple choice as in MMLU and ARC `acc`."""


def pins(
    task: str,
    sampling: SamplingConfig,
    engine: EngineConfig,
    prompt: PromptConfig,
    student: StudentConfig,
    trained: Any,
    keywords: str = DEFAULT,
    begun: Any = None,
) -> dict[str, Any]:
    """What decides the scores besides the arguments: model, harness, task, keywords, date."""
    folder = local_path(task)
    libraries = ("lm_eval", "torch", "transformers", "peft", "vllm")
    return {
        "model": hub.resolve(student),
        "libraries": {name: version(name) for name in libraries},
        "task": content_hash(folder.parent) if folder else None,
        "keywords": content_hash(list_file(keywords)),
        "date": DATE,
    }


def unusable(task: str, engine: EngineConfig, sampling: SamplingConfig) -> str:
    """Why the task cannot be run so on this engine, as far as is known without the harness."""
    if engine.kind not in BACKENDS:
        return f"a harness task needs engine {' or '.join(BACKENDS)}, got {engine.kind!r}"
    if engine.kind == "transformers" and sampling.presence_penalty:
        return (
            f"a harness task on engine transformers has no presence_penalty, got "
            f"{sampling.presence_penalty}; take engine=vllm, or leave it at 0"
        )
    if not version("lm_eval"):
        return f"harness task {task!r} needs lm-evaluation-harness: pip install lm-eval"
    if task.endswith((".yaml", ".yml")) and local_path(task) is None:
        return f"there is no file {task!r}, seen from here or the checkout"
    return ""


def evaluate_with_harness(
    task: str,
    sampling: SamplingConfig,
    engine: EngineConfig,
    prompt: PromptConfig,
    student: StudentConfig,
    trained: Path | None,
    keywords: str = DEFAULT,
    begun: Path | None = None,
    *,
    compute: ComputeConfig,
    out: Path,
) -> None:
    """Score the student on a task of lm-evaluation-harness, with one row per question.

    Prompts, few-shot examples and grading are the task's own. How long responses may be and how
    they are sampled are ours, since the harness's limits (1,280 tokens for IFEval) would cut off
    thoughts. The harness grades what follows the thought; a response whose thought never closed is
    wrong. Writes the same files as `evaluate_student`; until it is done, the harness's cache of
    replies is in `out` too. `task` is a task or group of the harness, or a local YAML file that
    defines one; where `trained`, an artifact of the stage `train`, is None, the base is scored, or
    the one that training begins at in `begun`. `keywords` names the list whose words are counted.

    Raises:
        ValueError: lm-evaluation-harness is not installed, cannot use this engine or has no such
            task, or the task has no metric that says which responses are right.
    """
    if problem := unusable(task, engine, sampling):
        raise ValueError(problem)
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    model = hub.trained_model(student, trained, begun)
    tokenizer = hub.load_tokenizer(model)
    local = local_path(task)
    engines.free()
    try:
        results = simple_evaluate(
            model=BACKENDS[engine.kind],
            model_args=_model_arguments(model, sampling, engine, prompt, compute),
            tasks=[local.stem if local else task],
            task_manager=TaskManager(include_path=str(local.parent) if local else None),
            batch_size=engine.batch if engine.kind == "transformers" else "auto",
            device=hub.set_up(compute),
            use_cache=str(out / "replies"),
            apply_chat_template=tokenizer.chat_template is not None,
            gen_kwargs=_drawn(sampling),
            log_samples=True,
            bootstrap_iters=0,
            torch_random_seed=sampling.seed,
        )
    except KeyError as error:
        if "not a registered task" not in str(error):
            raise
        raise ValueError(
            f"harness task {task!r} is none that the harness knows; `lm-eval ls tasks` lists them, "
            "and a task of your own is a YAML file"
        ) from error
    rows = [
        row
        for name, logged in sorted(results["samples"].items())
        for row in _rows(name, logged, prompt, tokenizer, keywords)
    ]
    gc.collect()  # the harness's model
    write_samples(out / "samples.parquet", rows)
    write_json(out / "summary.json", scores(rows))
    for cache in out.glob("replies*"):
        cache.unlink()


def _tag(close: str) -> str:
    """The mark that ends a thought, without white space, in which models vary."""
    tag = re.match(r"<[^<>\s]+>", close.strip())
    return tag[0] if tag else close


def _model_arguments(
    model: hub.Model,
    sampling: SamplingConfig,
    engine: EngineConfig,
    prompt: PromptConfig,
    compute: ComputeConfig,
) -> dict[str, Any]:
    shared: dict[str, Any] = {
        "pretrained": model.name,
        "revision": model.revision or "main",
        "dtype": str(engine.dtype),
        "think_end_token": _tag(prompt.thought_close),
        "chat_template_args": fixed_date(),
    }
    if engine.kind == "transformers":
        more = {"peft": str(model.adapter)} if model.adapter else {}
        return shared | more | {"attn_implementation": model.attention}
    more = {"lora_local_path": str(model.adapter)} if model.adapter else {}
    parallel = {
        "tensor_parallel_size": compute.tensor_parallel,
        "gpu_memory_utilization": compute.memory_share,
        "seed": sampling.seed,
    }
    if engine.context:
        parallel["max_model_len"] = engine.context
    return shared | more | parallel


def _drawn(sampling: SamplingConfig) -> dict[str, Any]:
    """All of it spelt out: the harness would take what is not from the generation config."""
    kwargs = {
        "max_gen_toks": sampling.max_new_tokens,
        "do_sample": sampling.temperature > 0,
        "repetition_penalty": sampling.repetition_penalty,
    }
    if sampling.presence_penalty:
        kwargs["presence_penalty"] = sampling.presence_penalty
    drawn = ("temperature", "top_p", "top_k", "min_p") if sampling.temperature > 0 else ()
    return kwargs | {name: getattr(sampling, name) for name in drawn}


def _rows(
    task: str,
    logged: Sequence[Mapping[str, Any]],
    prompt: PromptConfig,
    tokenizer: Any,
    keywords: str,
) -> Iterator[dict[str, Any]]:
    """Rows of one task from the harness's log: those of the filter `LENIENT`, or else the first."""
    filters = [sample["filter"] for sample in logged]
    counted = LENIENT if LENIENT in filters else filters[0]
    for sample in logged:
        if sample["filter"] != counted:
            continue
        metric = next((name for name in VERDICTS if name in sample), None)
        if metric is None:
            raise ValueError(
                f"harness task {task} has none of the metrics {', '.join(VERDICTS)}; "
                f"it has {', '.join(sample['metrics'])}"
            )
        question = json.dumps(sample["doc"], sort_keys=True, ensure_ascii=False)
        generated = isinstance(sample["resps"][0][0], str)
        response = sample["resps"][0][0] if generated else ""
        closed = not prompt.thought_open or prompt.thought_open not in response
        read = sample["filtered_resps"][0]
        yield {
            "problem_id": digest(task, str(sample["doc_id"]), question),
            "sample": 0,
            "question": question,
            "answer": str(sample["target"]),
            "response": response,
            "thought_closed": closed,
            "extracted": str(read) if generated else None,
            "boxed": None,
            "correct": closed and float(sample[metric]) == 1.0,
            "why": f"{task}: {metric} = {sample[metric]}",
            "tokens": len(tokenizer(response)["input_ids"]) if generated else 0,
            "truncated": not closed,
            "keywords": count_keywords(response, keywords),
        }
