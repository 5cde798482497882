"""Tiny tokenizers of the kinds that students have, each made offline in milliseconds."""

from functools import partial

from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

TEXTS = [
    "<think>\nWait, I add 1 and 1. That makes 2.\n</think>\n\nSo \\boxed{2}.",
    "system user assistant What is 5+5? It is 10 < 11, not |x|. The end.",
] * 8

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA2 = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}"
    "{{ '[INST] ' + m['content'] + ' [/INST]' }}{% else %}"
    "{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)
TURNS = (
    "{{ bos_token }}{% for m in messages %}{{ '<|user|>' + m['content'] + '</s>' }}{% endfor %}"
    "{{ '<|assistant|>' }}"
)
DATED = "{{ 'Today: ' + strftime_now('%d %b %Y %H:%M:%S.%f') + '\n\n' }}" + CHATML
IM = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def byte_level(template=CHATML, *, normalizer=None, prefix=False, extra=()):
    """GPT-2's kind; of Qwen's with normalizer NFC."""
    made = Tokenizer(models.BPE())
    made.normalizer = normalizer
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(TEXTS, trainer)
    made.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in IM])
    made.add_tokens(list(extra))
    return wrapped(made, template, eos="<|im_end|>", pad="<|endoftext|>")


def sentencepiece(template=LLAMA2, *, bos=True):
    """Llama 2's kind: a blank before every text, unknown characters as bytes."""
    bytes_ = [f"<0x{i:02X}>" for i in range(256)]
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    made.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<unk>", "<s>", "</s>", *bytes_], show_progress=False
    )
    made.train_from_iterator(TEXTS, trainer)
    if bos:
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
        )
    return wrapped(made, template, eos="</s>", bos="<s>", unk="<unk>")


def unigram(template=TURNS):
    """T5's kind, in which `</s>` is a piece of the vocabulary, found in any text."""
    names = ["<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>"]
    letters = sorted({c for text in TEXTS for c in text.replace(" ", "▁")} | set("/<>|s▁"))
    pieces = [(name, 0.0) for name in names] + [(letter, -5.0) for letter in letters]
    made = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first")
    made.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="first")
    return wrapped(made, template, eos="</s>", bos="<s>", unk="<unk>", more=names[3:])


def words(template=TURNS):
    """Whole words in lower case: BERT's kind, which gives no blanks back."""
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "<|user|>", "<|assistant|>", "<s>", "</s>"]
    known = sorted({w for text in TEXTS for w in text.lower().split()} | set(" \n.,<>/|s[]"))
    made = Tokenizer(
        models.WordPiece({w: i for i, w in enumerate([*names, *known])}, unk_token="[UNK]")
    )
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    return wrapped(made, template, eos="</s>", bos="<s>", unk="[UNK]", more=names[4:6])


def split_by_blanks(template=TURNS):
    """A vocabulary of whole words, of which `</s>` is one."""
    names = ["<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>", "a", "b", "<think>\n"]
    made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(names)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_next")
    made.decoder = decoders.Fuse()
    return wrapped(made, template, eos="</s>", bos="<s>", unk="<unk>", more=names[3:5])


def greedy(template=TURNS):
    """Phi-3's kind: control tokens that swallow the blanks beside them, not declared special."""
    made = byte_level(template).backend_tokenizer
    swallowing = partial(AddedToken, normalized=False, special=False)
    made.add_tokens([swallowing("<|user|>", rstrip=True), swallowing("<|assistant|>", rstrip=True)])
    made.add_tokens([swallowing("</s>", rstrip=True), swallowing("<s>", lstrip=True)])
    return wrapped(made, template, eos="</s>", bos="<s>")


def wrapped(made, template, *, eos=None, bos=None, pad=None, unk=None, more=()):
    """As a tokenizer of transformers."""
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        chat_template=template,
        eos_token=eos,
        bos_token=bos,
        pad_token=pad,
        unk_token=unk,
        additional_special_tokens=list(more),
        clean_up_tokenization_spaces=False,
    )


KINDS = {
    "byte_level": byte_level,
    "nfc": lambda: byte_level(normalizer=normalizers.NFC()),
    "prefix": lambda: byte_level(prefix=True),
    "runs": lambda: byte_level(extra=[AddedToken("\n\n"), AddedToken("   "), AddedToken("<h1>")]),
    "sentencepiece": sentencepiece,
    "unigram": unigram,
    "greedy": greedy,
    "words": words,
    "split_by_blanks": split_by_blanks,
}
"""Name of a kind -> makes one. Those after `greedy` do not give every text back."""
