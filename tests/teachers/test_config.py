"""Options of teachers and verification are one value where they mean nothing, and refused in words.

Run: pytest tests/teachers/test_config.py
"""

import re

import pytest

from distill.data.config import DatasetConfig, FilterConfig
from distill.models.config import AskConfig, EngineConfig
from distill.teachers.config import TeacherConfig, VerificationConfig, recorded_problems

JUDGE = AskConfig(name="judge", model="org/judge", user="{question}", engine=EngineConfig())


def test_a_revision_is_that_of_a_reward_model_on_the_hub_and_of_nothing_else(tmp_path):
    def revision(model):
        made = VerificationConfig(name="v", reward_model=model, reward_revision="v2")
        return made.reward_revision

    assert revision("org/model") == "v2"
    assert revision(None) == revision(str(tmp_path)) == "main"


@pytest.mark.parametrize("decides", ["undecided", "all"])
def test_a_judge_and_a_deciding_reward_model_are_refused_together_and_each_alone_is_taken(decides):
    scores = {"reward_model": "org/model", "reward_decides": decides, "reward_threshold": 0.5}
    assert VerificationConfig(name="v", **scores).reward_decides == decides
    assert VerificationConfig(name="v", judge=JUDGE).judge is JUDGE
    kept = VerificationConfig(name="v", judge=JUDGE, reward_model="org/model")
    assert (kept.judge, kept.reward_decides) == (JUDGE, "nothing")
    with pytest.raises(ValueError, match=r"a judge \('org/judge'\) and a reward model .* name one"):
        VerificationConfig(name="v", judge=JUDGE, **scores)


def test_of_the_data_set_of_a_recorded_teacher_only_how_many_problems_and_which_is_read():
    teacher = TeacherConfig(kind="recorded", hub="org/traces")
    asked = DatasetConfig(kind="recorded", problems=7, seed=3)
    read = recorded_problems(teacher, asked)
    assert (read.kind, read.hub, read.problems, read.seed) == ("recorded", "org/traces", 7, 3)
    other = recorded_problems(teacher, DatasetConfig(kind="sign_puzzle", problems=7, seed=3))
    assert (other.kind, other.hub, other.problems, other.seed) == ("recorded", "org/traces", 0, 0)


@pytest.mark.parametrize(("least", "most"), [(1.0, 2.0), (2.0, 2.0), (None, 2.0), (2.0, None)])
def test_bounds_of_difficulty_may_meet(least, most):
    made = FilterConfig(name="f", min_difficulty=least, max_difficulty=most)
    assert (made.min_difficulty, made.max_difficulty) == (least, most) and made.active


def test_bounds_of_difficulty_may_not_cross():
    said = re.escape("filter.min_difficulty=3.0 must not be above filter.max_difficulty=2.0")
    with pytest.raises(ValueError, match=said):
        FilterConfig(name="f", min_difficulty=3.0, max_difficulty=2.0)
