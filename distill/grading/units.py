r"""The unit behind a value is read, and told from variables, scales and conditions.

In `\text{}` any words may be a unit or what is counted (`3\text{ red apples}`); bare ones only if
they are known or have five letters. Words that change the value are none (`3\text{ million}`,
`3\text{ or more}`), and bare letters are variables (`2xy`).
"""

import re

from distill.grading.numbers import number

TEXT = re.compile(r"\\text\{([^{}]*)\}")
_TEXTS = r"(?:\\text\{(?:[^{}]|\{[^{}]*\})*\}\s*(?:\^\s*(?:\{-?\d\}|-?\d))?[\s/]*)+"
_VALUE = r"(?P<value>.*?(?:[\d)}!]|\\circ|\\pi|\\infty))\s*"
_UNIT_TEXT = re.compile(rf"{_VALUE}(?P<unit>{_TEXTS})", re.DOTALL)
_PERCENT = re.compile(r"(?P<value>.*\S)\s*(?:%|\bpct|\bpercent(?:age points?)?)", re.DOTALL)
_KNOWN = (
    r"(?:[mck]m|ft|mi|yd|[mk]g|lb|oz|m[lL]|hrs?|mins?|secs?|mph|km/h|sq|cu|square|cubic|units?"
    r"|inch(?:es)?|feet|foot|(?:kilo|centi|milli)?(?:met(?:er|re)|gram|lit(?:er|re))s?|(?:yard|mile|pound|ounce|gallon|second"
    r"|minute|hour|day|week|month|year|degree|radian|dollar|cent|euro|point)s?)"
)
_UNIT_BARE = re.compile(
    rf"{_VALUE}(?P<unit>(?<![A-Za-z]){_KNOWN}(?![A-Za-z])(?:\^\s*\d)?"
    rf"(?:[\s/]+(?:per\s)?{_KNOWN}(?:\^\d)?)*"
    r"|(?<=\s)[a-z]*[aeiou][a-z]*(?<=[a-z]{5})(?: (?:of )?[a-z]{3,})*)"
)
_NO_UNIT = re.compile(
    r"\b(?:k|M|B|tens|hundred|thousand|\w*illion|lakh|crore|grand|gross|dozen|hal(?:f|ves)|third"
    r"|quarter|(?:four|fif|six|seven|eigh|nin|ten|twelf|hundred)th|negative|squared|cubed"
    r"|factorial|times|plus|minus|over|root|mod\w*|more|less|most|least|above|below|or|and|not|no|if"
    r"|base|for|when|where|even|odd|power)s?\b"
)
_SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_SPELT = {
    **{"cm": "centimeter", "mm": "millimeter", "km": "kilometer", "m": "meter", "ft": "feet"},
    **{"kg": "kilogram", "g": "gram", "s": "second", "sec": "second", "hr": "hour", "h": "hour"},
    **{"min": "minute", "mph": "mile hour", "sq": "square", "cu": "cubic", "inche": "inch"},
    **{"foot": "feet", "in": "inch", "mi": "mile", "yd": "yard", "lb": "pound", "l": "liter"},
}


def without_unit(text: str) -> tuple[str, str]:
    r"""Value and unit: (`28`, `%`), (`15`, `square centimeter`), (`3`, empty).

    `3 million` is 3 times a power of ten.
    """
    words = TEXT.sub(lambda m: m[1] if "perc" in m[1] or "pct" in m[1] else m[0], text)
    if match := _PERCENT.fullmatch(words):
        return match["value"], "%"
    value, unit = text, ""
    if match := _UNIT_TEXT.fullmatch(text) or _UNIT_BARE.fullmatch(text):
        said = re.sub(r"\\text|[{}\\]", " ", match["unit"]).strip()
        scale, _, rest = said.partition(" ")
        if scale in _SCALES and not _NO_UNIT.search(rest):
            value, said = rf"{match['value']} \cdot 10^{_SCALES[scale]}", rest
        elif not _NO_UNIT.search(said) and not re.search(r"(?<!\^)(?<!\^ )(?<!-)\d", said):
            value = match["value"]
        unit = _spelt(said) if value != text else ""
    bare = re.sub(r"\s*\^\s*\\circ$", "", value.strip())
    if bare != value.strip() and number(bare) is not None:
        return bare, unit or "degree"
    return value.strip(), unit


def _spelt(unit: str) -> str:
    """The words of a unit in order of the alphabet, abbreviations spelt out: `cubic meter`."""
    unit = (
        re.sub(r"(\S+?)\s*\^\s*(\d)", r"\1 \2", unit).replace("2", "square").replace("3", "cubic")
    )
    words = (re.sub(r"\W", "", word).lower() for word in re.split(r"[\s/]+", unit))
    single = (_SPELT.get(word, word) for word in words)
    spelt = [_SPELT.get(word.removesuffix("s"), word.removesuffix("s")) for word in single]
    return " ".join(sorted({word for word in spelt if word not in ("", "per")}))
