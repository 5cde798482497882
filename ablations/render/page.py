"""Renders self-contained HTML pages from templates, with figures inlined as SVG."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from ablations.render.drawing import save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMES = re.compile(r'(\bid="|url\(#|href="#)')


def render(template: str, **values: Any) -> str:
    """The HTML of a template in `ablations/templates/`; text is escaped, `Markup` is not.

    Raises:
        jinja2.UndefinedError: the template uses a value that is not given.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ablations"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(values)


def inline(figure: "Figure", name: str, alternative: str) -> Markup:
    """A figure as an `svg` element that can share a page with others.

    Args:
        figure: to draw.
        name: prefix of every id in it, so that no two figures of a page share an id.
        alternative: its content in words, for readers who do not see it.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder, "figure.svg")
        save(figure, file)
        text = file.read_text(encoding="utf-8")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = _NAMES.sub(rf"\g<1>{name}-", text[text.index("<svg") :])
    head, end, body = text.partition(">")
    view = re.search(r'viewBox="[^"]*"', head)
    if view is None:
        raise ValueError(f"figure {name} has no viewBox, so it cannot be scaled to a page")
    head = (
        f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" {view.group()} role="img" '
        f'aria-label="{escape(alternative)}"'
    )
    return Markup(head + end + body)
