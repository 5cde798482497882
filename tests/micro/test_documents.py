"""No held-out numbers in any document, and noise changes digits only."""

import itertools
import re
from dataclasses import asdict

from distill.micro.document_writers import WRITERS
from distill.micro.documents import Mix, documents
from distill.micro.sign_puzzle import split_of

COUNT = 4000


def take(seed: int, noise: float) -> list[str]:
    return list(itertools.islice(documents(seed, Mix(), noise), COUNT))


def test_documents_name_train_numbers_only() -> None:
    checked = 0
    for text in take(0, 0.0):
        tuples = [found.split() for found in re.findall(r"between ([\d ]+) to make", text)]
        tuples += [
            re.findall(r"\d+", found) for found in re.findall(r"\d(?:[+-]\d)+(?=[.}])", text)
        ]
        for numbers in tuples:
            if len(numbers) == 4:
                checked += 1
                assert split_of([int(number) for number in numbers]) == "train", text
    assert checked > COUNT / 2


def test_no_document_is_a_long_trace_of_the_task() -> None:
    for text in take(1, 0.0):
        if text.startswith("Problem: Use"):
            assert "Thought" not in text
            assert "try" not in text


def test_noise_replaces_digits_and_nothing_else() -> None:
    clean, noisy = take(0, 0.0), take(0, 0.2)
    changed = 0
    for before, after in zip(clean, noisy, strict=True):
        changed += before != after
        assert re.sub(r"\d", "0", before) == re.sub(r"\d", "0", after)
        if before.startswith("Problem"):
            assert before.split("\n")[0] == after.split("\n")[0]
    assert 0.15 < changed / COUNT < 0.22


def test_every_weight_has_a_writer_and_a_seed_its_documents() -> None:
    assert list(asdict(Mix())) == list(WRITERS)
    assert abs(sum(asdict(Mix()).values()) - 1) < 1e-9
    assert take(0, 0.2) == take(0, 0.2) != take(1, 0.2)
