"""The trainer gets the steps, the rows and the numbers that the config and the order say."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from distill.compute import ComputeConfig
from distill.models import hub
from distill.models.config import Dtype, PromptConfig, StudentConfig
from distill.training import lora, mapped, sharding
from distill.training.config import Batching, Job, Method, Part, TrainingConfig
from distill.training.order import TrainingOrder
from distill.training.rows import IGNORED, TRAINED, Row, with_labels
from distill.training.trainer import make_arguments

TRAINING = TrainingConfig(
    name="x", batch=6, epochs=2.0, learning_rate=3e-4, schedule="cosine", warmup=0.25,
    adam_beta1=0.8, adam_beta2=0.95, weight_decay=0.07, max_grad_norm=0.6, max_tokens=40, seed=11,
)  # fmt: skip
COMPUTE = ComputeConfig(batch_per_device=2, checkpoint_every=7, progress=False)
ORDER = TrainingOrder([[0, 1]], batch=6, steps=10, steps_per_epoch=5, tokens=[])


def job(training=TRAINING, compute=COMPUTE):
    there = Path("there")
    prompt = PromptConfig(name="p", user="{question}")
    parts = [Part(prompt, there, there, [])]
    return Job(StudentConfig(name="s", model="m"), training, parts, None, compute, Path("out"))


def arguments(training=TRAINING, order=ORDER, **compute):
    return make_arguments(job(training, replace(COMPUTE, **compute)), order, "cpu")


def test_every_number_of_the_recipe_reaches_the_trainer():
    made = arguments()
    assert (made.max_steps, made.seed, made.save_steps) == (10, 11, 7)
    assert (made.learning_rate, made.lr_scheduler_type) == (3e-4, "cosine")
    assert (made.adam_beta1, made.adam_beta2) == (0.8, 0.95)
    assert (made.weight_decay, made.max_grad_norm) == (0.07, 0.6)
    assert Path(made.output_dir) == Path("out", "checkpoints")
    assert made.logging_steps == 1 and not made.logging_nan_inf_filter
    assert made.bf16 and not arguments(replace(TRAINING, autocast=False)).bf16
    assert made.use_cpu and not made.dataloader_pin_memory
    assert not made.gradient_checkpointing
    assert arguments(gradient_checkpointing=True).gradient_checkpointing
    assert made.report_to == [] and made.disable_tqdm
    assert not made.fsdp and made.ddp_find_unused_parameters is False


@pytest.mark.parametrize(
    ("schedule", "name"),
    [("linear", "linear"), ("cosine", "cosine"), ("constant", "constant_with_warmup")],
)
def test_the_rate_rises_during_the_share_of_steps_that_is_the_warm_up_under_every_schedule(
    schedule, name
):
    for warmup, steps in ((0.0, 0), (0.25, 3), (0.3, 3), (1.0, 10)):
        made = arguments(replace(TRAINING, schedule=schedule, warmup=warmup))
        assert (made.lr_scheduler_type, made.warmup_steps) == (name, steps)


def test_only_packed_rows_have_a_length_that_the_trainer_knows():
    assert arguments().max_length is None and not arguments().packing
    made = arguments(replace(TRAINING, batching=Batching.packed))
    assert made.packing and made.max_length == 40


@pytest.mark.parametrize("batch", [1, 5, 6, 12])
@pytest.mark.parametrize("processes", [1, 2, 5])
@pytest.mark.parametrize("at_once", [0, 1, 2, 3])
def test_passes_over_all_processes_hold_a_step_or_are_refused(batch, processes, at_once):
    order, share = replace(ORDER, batch=batch), math.ceil(batch / processes)
    compute = {"processes": processes, "batch_per_device": at_once}
    if at_once and at_once < share and share % at_once:
        where = f" in each of {processes} processes" if processes > 1 else ""
        said = f"batch_per_device={at_once} must divide the rows of a step{where}, {share}"
        with pytest.raises(ValueError, match=said):
            arguments(order=order, **compute)
        return
    made = arguments(order=order, **compute)
    rows, passes = made.per_device_train_batch_size, made.gradient_accumulation_steps
    assert batch <= rows * passes * processes < batch + processes
    assert rows == min(at_once, share) if at_once else (rows, passes) == (share, 1)


def row(number, tokens):
    return Row(f"{number}", [number] * tokens, 1, undamaged=100 - tokens)


@pytest.fixture
def dataset_of(tmp_path, monkeypatch):
    """Rows and a config -> the data set that is mapped from their file, and its order."""

    def build(tokenizer, parts, limit, keep):
        for one in rows:
            keep(one)
        return {"rows": len(rows), "longest": 0, "highest": 0}

    rows = []
    monkeypatch.setattr(mapped, "build_parts", build)
    monkeypatch.setattr(mapped, "_check_fit", lambda *fit: None)
    monkeypatch.setattr(hub, "load_tokenizer", lambda base: None)
    monkeypatch.setattr(hub, "base_model", lambda *student: None)

    def dataset_of(given, training):
        rows[:] = given
        made = replace(job(training), out=tmp_path)
        mapped.write_rows(made)
        assert not (set(mapped.read_rows(made)[2]) - {"rows"})
        return mapped.read_rows(made)[:2]

    return dataset_of


def labels(dataset):
    return with_labels(lambda rows: [one["labels"] for one in rows])(list(dataset))


@pytest.mark.parametrize("batching", [Batching.plain, Batching.grouped])
def test_the_data_set_has_the_rows_as_they_are(dataset_of, batching, monkeypatch):
    monkeypatch.setattr(mapped, "AT_ONCE", 20)  # the file then has several parts
    rows = [row(i, 2 + i % 5) for i in range(15)]
    dataset, order = dataset_of(rows, replace(TRAINING, batching=batching))
    assert dataset.column_names == ["input_ids", TRAINED]
    assert dataset["input_ids"] == [one.input_ids for one in rows]
    assert labels(dataset) == [one.labels for one in rows]
    assert (order.batch, order.steps_per_epoch, order.steps) == (6, 3, 6)
    assert order.tokens[-1] == 2 * sum(len(one.input_ids) for one in rows)
    if batching is Batching.grouped:  # by what they were before the damage
        first = order.epochs[0][:6]
        assert [rows[i].undamaged for i in first] == sorted(rows[i].undamaged for i in first)


def test_a_step_has_as_many_packs_as_hold_its_traces_on_average(dataset_of):
    rows = [row(i, 10) for i in range(24)]
    for batch, packs in ((8, 2), (12, 3), (1, 1), (24, 6)):
        packed = replace(TRAINING, batching=Batching.packed, batch=batch)
        dataset, order = dataset_of(rows, packed)
        assert len(dataset) == 6 and {len(ids) for ids in dataset["input_ids"]} == {40}
        assert order.batch == packs
        assert order.steps_per_epoch == math.ceil(6 / packs)
        assert order.tokens[-1] == 2 * 240
    assert [label for one in labels(dataset) for label in one].count(IGNORED) == 24


def test_packs_are_those_of_rows_with_labels_in_memory(dataset_of, monkeypatch):
    from datasets import Dataset
    from trl import pack_dataset

    monkeypatch.setattr(mapped, "AT_ONCE", 5000)
    rows = [row(i, 2 + i * 7919 % 37) for i in range(2500)]
    columns = {"input_ids": [r.input_ids for r in rows], "labels": [r.labels for r in rows]}
    wanted = pack_dataset(Dataset.from_dict(columns), 40, "bfd")
    dataset, _ = dataset_of(rows, replace(TRAINING, batching=Batching.packed))
    for name in ("input_ids", "seq_lengths"):
        assert dataset[name][:] == wanted[name][:]
    assert labels(dataset) == wanted["labels"][:]


def test_a_token_takes_little_more_than_four_bytes_of_a_file_and_none_of_memory(
    dataset_of, tmp_path
):
    import pyarrow as pa

    rows = (row(i, 40) for i in range(20_000))
    before = pa.total_allocated_bytes()
    dataset, _ = dataset_of(rows, TRAINING)
    assert pa.total_allocated_bytes() - before < 100_000
    (file,) = (tmp_path / "rows").glob("*.arrow")
    assert file.stat().st_size < 4.5 * 800_000
    (mapped_file,) = dataset.cache_files
    assert mapped_file["filename"] == str(file)


def test_rows_that_an_attempt_left_are_made_again(dataset_of, tmp_path):
    (tmp_path / "rows").mkdir()
    for name in (mapped.ROWS, mapped.PACKS, mapped.COUNTS):
        (tmp_path / "rows" / name).write_text("half")
    for batching in (Batching.packed, Batching.plain):
        dataset, _ = dataset_of(
            [row(i, 10) for i in range(8)], replace(TRAINING, batching=batching)
        )
        assert sum(map(len, dataset["input_ids"])) == 80


def test_the_blank_row_of_several_processes_is_never_trained_on(dataset_of):
    for batching in (Batching.grouped, Batching.packed):
        rows = [row(i, 10) for i in range(8)]
        one, _ = dataset_of(rows, replace(TRAINING, batching=batching))
        more = sharding.with_blank_row(one)
        assert len(more) == len(one) + 1 and more[:-1] == one[:]
        assert set(labels(more)[-1]) == {IGNORED}
        assert len(labels(more)[-1]) == len(more[-1]["input_ids"]) > 1
        assert more[-1].get("seq_lengths") in (None, [len(more[-1]["input_ids"])])


def test_weights_are_shared_by_several_processes_on_gpus_alone_and_each_needs_one():
    import torch

    found = {(n, at): sharding.sharded(n, at) for n in (1, 2) for at in ("cpu", "cuda")}
    assert [key for key, shared in found.items() if shared] == [(2, "cuda")]
    there = torch.cuda.device_count()
    with pytest.raises(ValueError, match=rf"processes={there + 1} need a GPU .* sees {there}"):
        sharding.fsdp(there + 1)


def test_shared_weights_are_summed_in_float32_and_multiplied_as_autocast_says(monkeypatch):
    import torch

    for autocast, products in ((True, torch.bfloat16), (False, None)):
        policy = sharding.precision(replace(TRAINING, autocast=autocast))
        assert (policy.param_dtype, policy.reduce_dtype) == (products, torch.float32)
        assert policy.output_dtype is None
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "")
    assert sharding.fsdp(2)["fsdp_config"]["version"] == 2


@pytest.mark.parametrize(
    ("named", "targets"),
    [("all-linear", "all-linear"), ("q_proj,v_proj", {"q_proj", "v_proj"}), ("a", {"a"})],
)
def test_the_adapter_is_the_one_that_the_config_says(named, targets):
    training = TrainingConfig(
        name="x", method=Method.lora, lora_rank=3, lora_alpha=5, lora_dropout=0.25,
        lora_targets=named, dtype=Dtype.float32,
    )  # fmt: skip
    made = lora._adapter(training)
    assert (made.r, made.lora_alpha, made.lora_dropout) == (3, 5, 0.25)
    assert made.target_modules == targets and made.task_type == "CAUSAL_LM"
