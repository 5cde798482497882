"""Published rates have sources; a user's own come first, and mistakes in them are named."""

import csv
import json

import pytest

from ablations.prices.rates import ANY, BRIEFLY, PUBLISHED, QUANTITIES, Rates, read
from ablations.prices.sizes import Shape, size
from ablations.reference import FOLDER, problem_counts
from distill.store.identity import CHECKOUT

HEADER = "quantity,what,on,value,source,date,verified\n"


@pytest.fixture
def own(tmp_path):
    """(rows) -> a file of a user's rates."""

    def write(*rows, header=HEADER):
        path = tmp_path / "rates.csv"
        path.write_text(header + "".join(f"{row}\n" for row in rows))
        return path

    return write


def test_every_published_rate_has_a_source_and_prices_have_a_date():
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["quantity"] for row in rows} == set(QUANTITIES)
    assert all(row["source"] and row["verified"] in ("yes", "no") for row in rows)
    assert all(row["date"] for row in rows if "price" in row["quantity"])
    assert len({(row["quantity"], row["what"], row["on"]) for row in rows}) == len(rows)


def test_every_gpu_with_a_price_has_a_peak_and_a_bandwidth():
    rates = Rates()
    gpus = rates.named("gpu_price")
    assert rates.gpu in gpus
    assert gpus == rates.named("peak") == rates.named("bandwidth")


def test_benchmarks_with_a_fixed_number_of_problems_have_it_in_one_place():
    assert not set(Rates().named("problems")) & set(problem_counts())


def test_a_rate_of_what_has_none_is_unknown_and_says_which():
    assert Rates().get("read_price", "my-model").missing == ("read_price of my-model",)
    assert Rates().get("generation", "M", "H100").missing == ("generation of M on H100",)


def test_a_rate_of_everything_stands_for_what_is_not_named():
    rates = Rates()
    assert rates.get("question_tokens", "mine") == rates.get("question_tokens", ANY)
    assert rates.get("training_use", "M", "H200").value == rates.get("training_use", ANY).value


def test_your_rates_come_before_the_published_ones_and_need_no_source(own):
    path = own("gpu_price,H100,1.5", "gpu_price,TPU,9", header="quantity,what,value\n")
    rates = Rates(path, gpu="TPU")
    assert rates.get("gpu_price", "H100").value == 1.5
    assert "your rate" in rates.get("gpu_price", "H100").sources[0]
    assert rates.own("gpu_price", "H100") and not rates.own("gpu_price", "H200")
    assert rates.get("gpu_price", "H200") == Rates().get("gpu_price", "H200")


def test_a_file_that_a_spreadsheet_marked_as_utf_8_is_read(own):
    assert read(own("peak,M,,1,,,", header="\ufeff" + HEADER)).keys() == {("peak", "M", "")}


def test_a_column_that_is_there_twice_is_refused(own):
    with pytest.raises(ValueError, match="each once; got quantity, what, value, value"):
        read(own("peak,M,1,2", header="quantity,what,value,value\n"))


def test_a_rate_of_exactly_this_comes_before_one_of_the_same_gpu(own):
    rates = Rates(own("generation,M,,5,,,", "generation,*,H200,7,,,", "generation,N,H200,9,,,"))
    found = [rates.get("generation", what, "H200").value for what in ("M", "N", "another")]
    assert found == [5, 9, 7]


def test_your_rate_of_anywhere_comes_before_the_published_one_of_a_place(own):
    rates = Rates(own("generation,Qwen/Qwen3-14B,,5,,,", "generation,Qwen/Qwen3-32B,L4,6,,,"))
    assert rates.get("generation", "Qwen/Qwen3-14B", "H100").value == 5
    assert rates.get("generation", "Qwen/Qwen3-32B", "H100").value == 1131.55


def test_a_rate_that_nobody_verified_says_so_and_your_lengths_are_named_one_by_one(own):
    path = own("gpu_price,H100,1", "question_tokens,mine,3", header="quantity,what,value\n")
    rates = Rates(path)
    assert rates.get("gpu_price", "H100").sources == ("gpu_price of H100: 1, your rate",)
    assert rates.get("question_tokens", "mine").sources == (
        "question_tokens of mine: 3, your rate",
    )
    assert rates.get("question_tokens", "another").sources == (BRIEFLY,)
    (peak,) = rates.get("peak", "H100").sources
    assert peak.endswith("dense bfloat16, not verified")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("price,H100,,1,,,", "line 2: unknown quantity 'price'; known: gpu_price"),
        ("gpu_price,H100,,much,,,", "dollars for an hour of a GPU: .* got 'much'"),
        ("gpu_price,H100,,-1,,,", "number >= 0, got '-1'"),
        ("gpu_price,,,1,,,", "needs a `what`"),
        ("gpu_price,H100,,nan,,,", "got 'nan'"),
        ("read_price,M,,1,234,,,", "line 2: more values than columns; one with a comma is quoted"),
        ("peak,M,,1,,,\npeak,M,,2,,,", "line 3: a second value of peak M; keep one"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(own, row, says):
    with pytest.raises(ValueError, match=says):
        read(own(row))


def test_a_file_without_the_columns_of_rates_is_refused(own, tmp_path):
    with pytest.raises(ValueError, match="the columns of rates are quantity, what"):
        read(own("1,2", header="a,b\n"))
    with pytest.raises(ValueError, match="got quantity, what, value, gpu"):
        read(own("peak,H100,1,H100", header="quantity,what,value,gpu\n"))
    with pytest.raises(ValueError, match="cannot be read"):
        read(tmp_path / "none.csv")


def test_a_gpu_without_a_price_is_refused_with_the_choices():
    with pytest.raises(
        ValueError, match=r"no price .* 'B200'; known: H100, H200, .*gpu_price,B200"
    ):
        Rates(gpu="B200")


def rows_of_models():
    """The rows of `models.csv` that have a shape."""
    with (FOLDER / "models.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["hidden"]]


@pytest.mark.parametrize("row", rows_of_models(), ids=lambda row: row["name"])
def test_a_shape_has_as_many_parameters_as_its_model_card_says(row):
    found = size(row["name"])
    assert found.shape.parameters == pytest.approx(float(row["parameters"]), rel=0.015)


def test_a_local_model_is_sized_by_its_config():
    found = size("distill/micro/students/micro")
    assert found.shape == Shape(192, 512, 4, 3, 3, 64, 435, True)
    recorded = 1_854_720  # as its trainings count them: norms are not in ours
    assert found.parameters == pytest.approx(recorded, rel=0.002)


def test_what_a_config_does_not_say_of_a_shape_is_as_usual(tmp_path):
    said = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2}
    said |= {"num_attention_heads": 4, "vocab_size": 32}
    for number, more in enumerate(({}, {"head_dim": None, "num_key_value_heads": None})):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(said | more))
        assert size(str(folder)).shape == Shape(8, 16, 2, 4, 4, 2, 32, tied=True)


def test_a_model_is_sparse_where_a_token_meets_a_part_of_it():
    assert size("deepseek-ai/DeepSeek-R1").sparse and not size("Qwen/Qwen3-32B").sparse
    assert not size("distill/micro/students/micro").sparse


def test_a_model_that_nobody_knows_has_no_size(tmp_path):
    assert size("somebody/else") is None
    (tmp_path / "config.json").write_text('{"model_type": "rwkv"}')
    assert size(str(tmp_path)) is None


def test_students_and_teachers_of_the_options_have_a_size():
    from omegaconf import OmegaConf

    for group in ("student", "teacher"):
        for path in (CHECKOUT / "conf" / group).glob("*.yaml"):
            model = OmegaConf.load(path).get("model")
            assert model is None or size(model), path.name


def test_training_flops_follow_what_is_multiplied():
    shape = Shape(8, 16, 2, 2, 1, 4, 32, False)
    weights = 2 * (8 * (2 * 8 + 2 * 4) + 3 * 8 * 16) + 32 * 8
    assert shape.multiplied == weights
    assert shape.parameters == weights + 32 * 8
    assert shape.training_flops(0, adapter=False, recomputed=False) == 6 * weights
    assert shape.training_flops(0, adapter=True, recomputed=True) == 6 * weights
    assert shape.training_flops(10, False, True) == 8 * weights + 2 * 2 * 8 * 10 * 4
