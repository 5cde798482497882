"""Pages in headless Chromium, at the width of a phone and of a screen, in the dark and in print.

Run: pytest tests/ablations/report/test_page.py. Skipped where there is no Chromium.
"""

import json
import re
import shutil
import subprocess
from html import unescape

import pytest

from ablations.__main__ import main

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--allow-file-access-from-files", "--enable-logging=stderr", "--virtual-time-budget=5000"),
)
WIDTHS = (400, 1400)
ARMS = {
    "training=none": [False, True, False, False],
    "corruption=none": [True, True, True, False],
    "corruption=random_digits corruption.fraction=0.67": [True, True, False, False],
    "corruption=shuffle_steps corruption.fraction=0.67": [False, True, False, False],
}

# A page is looked at from outside, in frames as wide as the screens, since it has no script itself.
FRAMES = """
<body>{frames}<pre id="seen"></pre><script>
const boxes = (page, what) => [...page.querySelectorAll(what)].map(e => e.getBoundingClientRect());
addEventListener("load", () => {{
  const seen = [...document.querySelectorAll("iframe")].map(frame => {{
    const page = frame.contentDocument, root = page.documentElement;
    return {{
      width: frame.clientWidth,
      scroll: Math.max(root.scrollWidth, page.body.scrollWidth),
      pictures: boxes(page, "svg, img").map(box => [box.width, box.height]),
      sides: boxes(page, ".side").map(box => [box.left, box.top]),
      columns: boxes(page, ".text").every(box => box.right <= root.clientWidth),
      page: getComputedStyle(page.body).backgroundColor,
      ink: getComputedStyle(page.body).color,
      unresolved: [...page.querySelectorAll("a[href]")].map(a => a.getAttribute("href"))
        .filter(href => !page.querySelector(href)),
    }};
  }});
  document.getElementById("seen").textContent = JSON.stringify(seen);
}});
</script></body>
"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture
def browse(tmp_path):
    """(file, flags) -> what Chromium prints to both streams."""

    def browse(file, *flags):
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        command = [CHROMIUM, *FLAGS, profile, *flags, file.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout, done.stderr

    return browse


@pytest.fixture
def look(browse, tmp_path):
    """Page -> what is seen of it at each of `WIDTHS`, and lines that the console was told."""

    def look(file, *flags):
        frame = '<iframe src="{}" style="width:{}px;height:900px;border:0"></iframe>'
        frames = "".join(frame.format(file.as_uri(), width) for width in WIDTHS)
        outer = tmp_path / "frames.html"
        outer.write_text(FRAMES.format(frames=frames))
        dom, log = browse(outer, "--dump-dom", *flags)
        seen = re.search(r'<pre id="seen">(.*?)</pre>', dom, re.DOTALL)
        return json.loads(unescape(seen[1])), re.findall(r".*CONSOLE.*", log)

    return look


@pytest.fixture(scope="module")
def pages():
    return []


@pytest.fixture
def page(make_run, tmp_path, pages):
    """The page of a study with a section that was run, made once."""
    if pages:
        return pages[0]
    for place, (label, right) in enumerate(ARMS.items()):
        make_run(label.split(), right, f"{place}a")
    out = tmp_path / "page.html"
    asked = [
        f"artifacts={tmp_path}/artifacts",
        "corruption=none,random_digits,shuffle_steps,delete_steps",
        "corruption.fraction=0.67",
    ]
    folder = ["--runs", str(tmp_path / "runs" / "smoke"), "--out", str(out)]
    assert main(["report", "smoke", *asked, *folder]) == 0
    pages.append(out)
    return out


def test_what_is_looked_for_would_be_seen(look, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text('<p style="width:2000px">wide</p><a href="#no">x</a><script>boom()</script>')
    seen, console = look(bad)
    assert [one["scroll"] > one["width"] for one in seen] == [True, True]
    assert seen[0]["unresolved"] == ["#no"]
    assert any("boom is not defined" in line for line in console)


def test_a_page_fits_phone_and_screen_shows_its_pictures_and_reports_no_error(look, page):
    seen, console = look(page)
    assert console == []
    assert [one["width"] for one in seen] == list(WIDTHS)
    for one in seen:
        assert one["scroll"] <= one["width"]
        assert one["columns"]
        assert one["unresolved"] == []
        assert len(one["pictures"]) == 2
        assert all(width > 300 and height > 150 for width, height in one["pictures"])
    phone, screen = ([[x, y] for x, y in one["sides"]] for one in seen)
    assert len(screen) == 6
    assert screen[0][1] == screen[1][1] and screen[0][0] < screen[1][0], "side by side"
    assert phone[0][0] == phone[1][0] and phone[0][1] < phone[1][1], "one below the other"


def test_a_dark_screen_gets_a_dark_page(look, page):
    def brightness(colour):
        return sum(int(part) for part in re.findall(r"\d+", colour)[:3]) / 3

    light, _ = look(page)
    dark, _ = look(page, "--blink-settings=preferredColorScheme=0")
    assert brightness(light[0]["page"]) > 200 > 100 > brightness(light[0]["ink"])
    assert brightness(dark[0]["page"]) < 60 < 180 < brightness(dark[0]["ink"])


def test_it_can_be_printed(browse, page, tmp_path):
    pdf = tmp_path / "page.pdf"
    browse(page, f"--print-to-pdf={pdf}", "--no-pdf-header-footer")
    assert pdf.read_bytes().startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes())) >= 2


def test_a_shown_trace_fits_too(look, tmp_path):
    out = tmp_path / "trace.html"
    corpus = ["dataset.problems=20", "size.traces=5", f"artifacts={tmp_path}/artifacts"]
    assert main(["show", "corruption=delete_steps", *corpus, "--html", str(out)]) == 0
    seen, console = look(out)
    assert console == []
    assert all(one["scroll"] <= one["width"] and len(one["sides"]) == 2 for one in seen)
