"""Load networks, never with code of their own; what their configs say: positions, vocabulary."""

from typing import Any

from distill.models import hub

_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
"""Endings of files of weights that can run code when they are read."""

_LIMITS = (
    *("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "max_sequence_length"),
    *("seq_length", "max_target_positions"),
)
"""Names under which configs of transformers state how many positions a network was made for."""

_STRETCHED = ("linear", "dynamic", "yarn")
"""Kinds of RoPE scaling whose factor is not in that number yet (as vLLM reads them)."""


def load_network(model: hub.Model, auto: str = "AutoModelForCausalLM", **options: Any) -> Any:
    """The weights of a model, without its adapter, as a network of transformers.

    Args:
        model: which model.
        auto: class of transformers that picks the network's class.
        options: of its `from_pretrained`.

    Raises:
        ValueError: the model brings code of its own, or has no weights as safetensors: other files
            of weights can run code when they are read.
    """
    import transformers

    hub.refuse_code(model)
    refuse_pickles(model)
    source = model.source | {"use_safetensors": True}
    try:
        return getattr(transformers, auto).from_pretrained(**source, **options)
    except OSError as error:
        if "safetensors" not in str(error):
            raise
        raise ValueError(
            f"{model.name} must have its weights as safetensors, since other files of weights can "
            f"run code when they are read: {error}"
        ) from error


def refuse_pickles(model: hub.Model) -> None:
    """Raise ValueError if a local folder has no weights as safetensors."""
    if (folder := model.folder) and not any(folder.glob("*.safetensors")):
        others = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLED)
        there = f"only {', '.join(others)}" if others else "no weights at all"
        raise ValueError(
            f"{model.name} must have its weights as safetensors, since other files of weights can "
            f"run code when they are read; it has {there}. `save_pretrained` of transformers "
            "writes safetensors"
        )


def load_config(model: hub.Model) -> Any:
    """The config of a model, a `PreTrainedConfig` of transformers; ValueError as above."""
    from transformers import AutoConfig

    hub.refuse_code(model)
    return AutoConfig.from_pretrained(**model.source)


def positions(config: Any) -> int | None:
    """Tokens that a network was made for, in prompt and response; None if its config states none.

    The scaling of rotary embeddings counts: by YaRN with factor 4, 32,768 become 131,072.
    """
    text = config.get_text_config()
    stated = [getattr(text, name, None) for name in _LIMITS]
    limits = [limit for limit in stated if isinstance(limit, int) and limit > 0]
    if not limits:
        return None
    limit = min(limits)
    rope = getattr(text, "rope_parameters", None) or getattr(text, "rope_scaling", None) or {}
    for scaling in (rope, *rope.values()):  # one for all layers, or one for each type of layer
        if isinstance(scaling, dict) and _kind(scaling) in _STRETCHED:
            first = scaling.get("original_max_position_embeddings") or min(limits)
            limit = max(limit, round(first * float(scaling.get("factor") or 1)))
    return limit


def check_vocabulary(tokenizer: Any, config: Any, name: str, used: int = 0) -> None:
    """Raise ValueError if the tokenizer has tokens for which the network has no embedding.

    Control tokens that the tokenizer itself never writes may be without (Gemma 3's of images).
    `used` is the highest id that is known to be needed.
    """
    added = tokenizer.added_tokens_decoder.items()
    named = {tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.pad_token_id}
    unused = {i for i, token in added if token.special} - named
    highest = max(used, *(i for i in tokenizer.get_vocab().values() if i not in unused))
    rows = config.get_text_config().vocab_size
    if highest >= rows:
        raise ValueError(
            f"the tokenizer of {name} has ids up to {highest:,}, but the model has embeddings for "
            f"{rows:,} tokens (vocab_size): they do not belong together, or its embeddings must be "
            "resized first"
        )


def _kind(scaling: dict[str, Any]) -> Any:
    return scaling.get("rope_type") or scaling.get("type")
