"""Every prompt in `conf/prompt/`, by name."""

from pathlib import Path
from typing import Any

import yaml

from distill.models.config import PromptConfig
from distill.store.identity import CHECKOUT

FOLDER = CHECKOUT / "conf" / "prompt"


def _fields(path: Path) -> dict[str, Any]:
    """What a file says, over what the prompts that it begins with say."""
    own = yaml.safe_load(path.read_text(encoding="utf-8"))
    made: dict[str, Any] = {}
    for name in own.pop("defaults", ()):
        made |= {} if name == "_self_" else _fields(FOLDER / f"{name}.yaml")
    return made | own


PROMPTS = {path.stem: PromptConfig(**_fields(path)) for path in sorted(FOLDER.glob("*.yaml"))}
