r"""Answers are written in one plain notation, in which the other modules read them.

Delimiters, sizes, fonts and doubled backslashes go; symbols of Unicode and plain notation (`√2`,
`sqrt(2)`, `3pi`) become LaTeX; a currency stands behind its number as `\text{ dollar}`.
"""

import re
from functools import lru_cache

_SYMBOLS = {
    **dict.fromkeys("\u2212\u2013\u2014\u2010\u2011", "-"),
    **dict.fromkeys("\u00a0\u202f\u2009\u2007~", " "),
    **{"×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "÷": r"/", "π": r"\pi ", "∞": r"\infty "},
    **{"≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "…": r"\ldots "},
    **{"\u222a": r"\cup ", "∈": r"\in ", "∅": r"\emptyset ", "\u211d": r"\mathbb{R}"},
    **{"°": r"^\circ ", "±": r"\pm ", "½": r"\frac{1}{2}", "¼": r"\frac{1}{4}"},
    **{
        "¾": r"\frac{3}{4}",
        "θ": r"\theta ",
        "\u03b1": r"\alpha ",
        "β": r"\beta ",
        "λ": r"\lambda ",
    },
    **{"²": "^2", "³": "^3", "⁴": "^4", "√": r"\sqrt "},
}
_TABLE = str.maketrans(_SYMBOLS)
_CURRENCIES = {r"\$": "dollar", "€": "euro", "£": "pound", "¥": "yen", "₹": "rupee"}
_SIGN = "|".join(map(re.escape, _CURRENCIES))
_AMOUNT = r"(?:\d[\d,]*(?:\.\d+)?|\.\d+)"
_ROUND = r"\(((?:[^()]|\([^()]*\))*)\)"
_COUNTS = dict(zip(["zero", "one", "two", "three", "four", "five", "six"], "0123456", strict=True))
_FONTS = r"\\(?:text\w*|mbox|hbox|mathrm|mathsf|rm)"
REWRITES = tuple(
    (re.compile(pattern), by)
    for pattern, by in (
        (r"\$|\\displaystyle(?![a-zA-Z])|(?<!\\)\\[()\[\]]", " "),
        (r"(?<!\\)\\(?:[,;: ]|qquad|quad|hspace\{[^{}]*\})", " "),
        (r"\\(?:left|right|[bB]igg?[lrm]?)(?![a-zA-Z])\s*\.?", ""),
        (r"\{\s*\\rm(?![a-zA-Z])([^{}]*)\}", r"\\text{\1}"),
        (_FONTS + r"\s*\{\s*(and|or|,)\s*\}", r" \1 "),
        (_FONTS + r"\s*\{\s*([-+]?[\d.,]*\d)\s*\}", r"\1"),
        (_FONTS + r"\s*\{\s*(\d[\d.,]*)(\s[^{}]*)\}$", r"\1\\text{\2}"),
        ("^" + _FONTS + r"\s*\{[^{}]*\b(?:is|are)[: ]*\}", ""),
        (r"\\log_\{?e\}?(?![a-zA-Z])", r"\\ln "),
        (r"_\s*\{\s*" + _FONTS + r"\s*\{(\w+)\}\s*\}", r"_{\1}"),
        (_FONTS + r"\s*\{", r"\\text{"),
        (r"\\(?:math(?:bf|it)|boldsymbol|bm|operatorname|vec|hat|f?box(?:ed)?)(?![a-zA-Z])\s*", ""),
        (
            r"(?<=\d)\s*\^?\s*(?:\{\s*\\text\{\s*(?:st|nd|rd|th)\s*\}\s*\}|\\text\{\s*(?:st|nd|rd|th)"
            r"\s*\}|\{\s*(?:st|nd|rd|th)\s*\}|(?:st|nd|rd|th)(?![a-zA-Z]))",
            "",
        ),
        (r"\.\.\.|\\[cd]?dots(?![a-zA-Z])", r"\\ldots "),
        (r"^\\\{\s*\w(?:\s*\\in\s*\\mathbb\s*\{?\w\}?)?\s*(?:\\mid(?![a-z])|\||:)(.*)\\\}$", r"\1"),
        (r"[(\[]\s*\\begin\{array\}\s*\{[^{}]*\}", r"\\begin{pmatrix}"),
        (r"\\end\{array\}\s*[)\]]", r"\\end{pmatrix}"),
        (r"\\(begin|end)\{(?:[bB]|small)?matrix\}", r"\\\1{pmatrix}"),
        (r"(?<=\d)\s*\\Omega$", r"\\text{ ohm}"),
        (r"\\mu\s*\\text\{\s*", r"\\text{micro"),
        (r"\\\{\s*\\\}|\\varnothing(?![a-zA-Z])", r"\\emptyset "),
        (r"\\mathbb\s*\{?\s*R\s*\}?|\\R(?![a-zA-Z])", r"\\mathbb{R}"),
        (r"\\text\{\s*all real(?: number)?s?\s*\}|^all real(?: number)?s?$", r"\\mathbb{R}"),
        (r"\\langle(?![a-zA-Z])", "("),
        (r"\\rangle(?![a-zA-Z])", ")"),
        (r"\\lbrace(?![a-zA-Z])", r"\\{"),
        (r"\\rbrace(?![a-zA-Z])", r"\\}"),
        (r"\\[lr]?vert(?![a-zA-Z])", "|"),
        (
            r"(?<![\\A-Za-z])(pi|sqrt|sin|cos|tan|log|ln|infinity|theta|alpha|beta)(?![A-Za-z])",
            r"\\\1",
        ),
        (r"\\infinity", r"\\infty"),
        (r"(\\sqrt(?:\[[^\[\]]*\])?)\s*" + _ROUND, r"\1{\2}"),
        (r"\\sqrt\s*([0-9a-zA-Z])", r"\\sqrt{\1}"),
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (r"\\frac\s*([0-9a-zA-Z])\s*([0-9a-zA-Z])", r"\\frac{\1}{\2}"),
        (r"\\frac\s*([0-9a-zA-Z])\s*\{", r"\\frac{\1}{"),
        (r"(\\frac\s*\{[^{}]*\})\s*([0-9a-zA-Z])", r"\1{\2}"),
        (r"\\(?:leq|leqslant)(?![a-zA-Z])|<=", r"\\le "),
        (r"\\(?:geq|geqslant)(?![a-zA-Z])|>=", r"\\ge "),
        (r"\\neq(?![a-zA-Z])|!=", r"\\ne "),
        (r"\\lt(?![a-zA-Z])", "<"),
        (r"\\gt(?![a-zA-Z])", ">"),
        (r"\\colon(?![a-zA-Z])", ":"),
        (r"\*\*", "^"),
        (r"\\%", "%"),
        (r"\\degree(?![a-zA-Z])|\^\s*\{\s*\\circ\s*\}", r"^\\circ"),
        (r"\^\{(\w)\}", r"^\1"),
    )
)


@lru_cache(maxsize=4096)
def tidy(answer: str) -> str:
    """The answer in one notation: without delimiters, spacing and sizes, symbols spelt one way."""
    text = answer.strip().strip("*").translate(_TABLE)
    if text.isdecimal():
        return text
    if r"\begin" not in text or r"\\begin" in text:  # elsewhere two end a row
        text = text.replace("\\\\", "\\")
    text = re.sub(r"\\!|(?<!\\)\{\}", "", re.sub(r"\{,\}|(?:\\!)?,\s*\\!\s*", ",", text))
    if len(re.findall(r"(?<!\\)\$", text)) % 2:
        text = re.sub(r"^(-?)\s*\$|(?<!\\)\$$", r"\1\\$", text)
    text = re.sub(rf"({_SIGN})\s*({_AMOUNT})", lambda m: _amount(m[2], m[1]), text)
    text = re.sub(rf"({_AMOUNT})\s*({_SIGN})", lambda m: _amount(m[1], m[2]), text)
    text = re.sub(_SIGN, "", text)
    for pattern, by in REWRITES:
        text = pattern.sub(by, text)
    text = re.sub(r"\s+", " ", text).strip().strip("*").rstrip(".,;: ").lstrip(",;: ").strip()
    word = re.sub(r"\\text\{\s*(\w+)\s*\}", r"\1", text).lower()
    return _COUNTS.get(word, text)


def _amount(number: str, sign: str) -> str:
    return rf"{number}\text{{ {_CURRENCIES[sign]} }}"
