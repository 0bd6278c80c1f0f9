from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from desktop_app.analytics.audience import Audience, summarise
from desktop_app.analytics.crossings import Crossings
from desktop_app.analytics.report import ReportFacts, report_html, report_values
from desktop_app.messages import ENGLISH, Message
from desktop_app.paths import languages
from desktop_app.vision.geometry import Line
from desktop_app.window.style.translation import load_language
from tests.helpers.visitors import face, label, manifest, visit

CONFUSION = (np.eye(6, dtype=int) * 80 + 4).tolist()
BROWSER = shutil.which("chromium-headless-shell") or shutil.which("chromium")


class Page(HTMLParser):
    """The texts of a page; fails where an element is left open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in {"meta"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts += [data.strip()] if data.strip() else []


def audience(*, measured: bool = True, female: float | None = 0.9) -> Audience:
    visits = [visit(one, one, one + 4, label(0.1, 0.8, 0.1, female=female)) for one in range(1, 8)]
    visits += [visit(8, 3, 5, label(0.34, 0.33, 0.33, female=female)), visit(9, 2, 2.1)]
    return summarise(visits, manifest(CONFUSION if measured else ()), frames=120, duration_s=12)


def facts(**changes: object) -> ReportFacts:
    return ReportFacts(**{"source": "museum.mp4", "manifest": manifest(CONFUSION), "version": "1.2.3", **changes})  # type: ignore[arg-type]


def test_the_page_says_the_counts_and_how_sure_they_are() -> None:
    page = Page(
        report_html(audience(), facts(began_at=datetime(2026, 11, 26, 9, 30), notices=["One frame is damaged."]))
    )
    text = "\n".join(page.texts)
    rows = re.findall(r"^20-59\n7\n0\n(.*)\n(\d+) to (\d+)$", text, re.MULTILINE)
    assert len(rows) == 1
    assert int(rows[0][1]) <= 7 <= int(rows[0][2])
    for expected in ("museum.mp4, from 2026-11-26 09:30", "One frame is damaged.", "nobody is recognised", "208"):
        assert expected in text
    assert "Not counted: 1 sighting in fewer than three frames" in text


def test_the_page_needs_nothing_but_itself() -> None:
    page = report_html(audience(), facts())
    assert not Page(page).tags & {"script", "link", "img", "iframe", "a", "object"}
    assert not re.search(r"https?:|url\(|@import|src=", page)
    assert "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page


def test_the_page_speaks_another_language() -> None:
    notice = Message("One frame every {every} s was looked at.", every=2)
    page = report_html(audience(), facts(notices=[notice]), load_language("zh_CN"))
    texts = Page(page).texts
    assert '<html lang="zh-CN">' in page
    assert {"观众报告", "男", "女", "每 2 秒只分析一帧。", "museum.mp4"} <= set(texts)
    # What is left in English are names.
    names = re.compile(r"museum\.mp4|Tiny|Agelens 1\.2\.3")
    assert not [text for text in texts if re.search("[A-Za-z]{2}", names.sub("", text)) and "{" not in text]


def test_a_language_that_is_not_there_is_english() -> None:
    assert load_language("xx") == load_language("en") == ENGLISH


def test_scales_have_round_numbers() -> None:
    page = report_html(audience(), facts())
    assert re.search(r'class="grid" d="M24 [\d.]+H800"/><text class="muted" x="18"[^>]*>5</text>', page)
    assert [text for text in Page(page).texts if re.fullmatch(r"0:\d\d", text)][-1] == "0:12"


def test_names_are_no_markup() -> None:
    page = report_html(audience(), facts(source="<script>alert(1)</script>", notices=["<b>bold</b>"]))
    assert "<script" not in page
    assert "<b>bold" not in page
    assert "&lt;script&gt;" in page


def test_a_model_that_was_not_measured_gives_no_interval() -> None:
    page = report_html(audience(measured=False), facts(manifest=manifest()))
    assert "not measured" in page
    assert "the counts may be wrong by any amount" in page
    assert 'class="whisker"' not in page


def test_pages_of_all_kinds_are_whole() -> None:
    faces = [face(1, 0, label(0.9, 0.05, 0.05)), face(2, 3, label(0.9, 0.05, 0.05))]
    pictures = Page(report_html(summarise(faces, manifest(CONFUSION), frames=5, duration_s=0), facts()))
    assert "2 of 5" in pictures.texts
    assert "Perceived gender" not in Page(report_html(audience(female=None), facts())).texts
    lined = [
        replace(visit(1, 0, 4), crossings=(Crossings(12, 3),)),
        replace(visit(2, 0, 0.1), crossings=(Crossings(1, 0),)),
    ]
    line = Line(0.5, 0, 0.5, 0.9)
    crossed = Page(report_html(summarise(lined, manifest(), frames=40, duration_s=4, lines=[line]), facts()))
    assert {"1: from 50, 0 to 50, 90", "← 12", "→ 3"} <= set(crossed.texts)
    empty = Page(report_html(summarise([], manifest(CONFUSION), frames=5, duration_s=2), facts()))
    assert "Nothing was counted." in empty.texts


def test_the_values_are_those_of_the_page() -> None:
    values = json.loads(json.dumps(report_values(audience(), facts())))
    assert (values["visits"], values["brief"], values["unsure_ages"]) == (8, 1, 1)
    assert values["ages"][1]["sure"] == 7
    assert values["ages"][1]["low"] <= 7 <= values["ages"][1]["high"]
    assert values["began_at"] is None


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs Debian's chromium or chromium-headless-shell")
@pytest.mark.parametrize("language", languages())
def test_a_browser_draws_the_page_and_prints_it_on_two_sheets(tmp_path: Path, language: str) -> None:
    assert BROWSER is not None
    # As long as a page can be, with this model.
    visits = [
        replace(visit(one, one, one + 2, label(0.1, 0.8, 0.1)), crossings=(Crossings(1, 0), Crossings(0, 1)))
        for one in range(23)
    ]
    lines = [Line(0.5, 0, 0.5, 1), Line(0, 0.5, 1, 0.5)]
    counted = summarise(visits, manifest(CONFUSION), frames=240, duration_s=24, lines=lines)
    page = report_html(counted, facts(), load_language(language))
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    address = (tmp_path / "report.html").as_uri()
    for target in ("--print-to-pdf=report.pdf", "--screenshot=report.png"):
        subprocess.run([BROWSER, "--no-sandbox", target, address], cwd=tmp_path, capture_output=True, check=True)
    assert len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "report.pdf").read_bytes())) <= 2
    assert (tmp_path / "report.png").stat().st_size > 10_000
