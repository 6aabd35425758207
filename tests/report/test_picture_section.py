"""The report shows what the best candidate does, from pictures inside the page and no others."""

import io
import re
from collections.abc import Mapping
from typing import Any

import pytest
from PIL import Image

from evonas.history import History, Objective
from evonas.report import picture_section
from evonas.report.html import html
from evonas.report.picture_section import media_type


def picture(form: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), "teal").save(file, form)
    return file.getvalue()


def page_with(history: History, objectives: list[Objective], shown: Mapping[str, Any]) -> str:
    return html(history, objectives, "digits", {}, shown=shown)


@pytest.mark.parametrize(
    ("form", "kind"), [("PNG", "image/png"), ("GIF", "image/gif"), ("WEBP", "image/webp")]
)
def test_a_picture_is_embedded_by_what_it_is(
    history: History, objectives: list[Objective], form: str, kind: str
) -> None:
    page = page_with(history, objectives, {"a battle": picture(form)})
    assert page.count(f'src="data:{kind};base64,') == 1
    assert "a battle</figcaption>" in page


@pytest.mark.parametrize(
    "file", [b"", b"<svg onload='x'/>", b"BM" + bytes(60), b"RIFF0000WAVE", picture("JPEG")]
)
def test_a_file_of_another_kind_is_not_embedded(
    history: History, objectives: list[Objective], file: bytes
) -> None:
    assert media_type(file) is None
    page = page_with(history, objectives, {"a battle": file})
    assert "data:" not in page.partition("<body>")[2]
    assert "a battle: this is no PNG, WebP or GIF file" in page


def test_a_page_may_load_pictures_from_itself_and_nothing_else(
    history: History, objectives: list[Objective]
) -> None:
    page = page_with(history, objectives, {"a battle": picture("PNG")})
    assert "; img-src data:&quot;" in page or '; img-src data:"' in page
    assert not re.findall(r'src="(?!data:image/)', page)


def test_a_page_without_pictures_may_load_none(
    history: History, objectives: list[Objective]
) -> None:
    assert "img-src" not in page_with(history, objectives, {})


def test_what_is_too_large_is_said_and_left_out(
    history: History, objectives: list[Objective]
) -> None:
    file = picture("PNG") + bytes(picture_section.MAX_BYTES)
    page = page_with(history, objectives, {"a battle": file})
    assert len(page) < picture_section.MAX_BYTES
    assert f"a battle: {len(file):,} bytes are more than {picture_section.MAX_BYTES:,}" in page


def test_more_pictures_than_a_page_holds_are_counted(
    history: History, objectives: list[Objective]
) -> None:
    shown = {f"battle {at}": picture("PNG") for at in range(picture_section.MAX_PICTURES + 3)}
    page = page_with(history, objectives, shown)
    assert page.count("<img ") == picture_section.MAX_PICTURES
    assert "3 more are left out" in page


def test_a_caption_is_text(history: History, objectives: list[Objective]) -> None:
    caption = '"><script>alert(1)</script>'
    page = page_with(history, objectives, {caption: picture("PNG"), f"{caption}2": b"no"})
    assert "<script>alert" not in page
