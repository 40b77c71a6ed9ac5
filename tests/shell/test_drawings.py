"""A plan as a picture and as a page: each is what its name says, shows the plan, and fetches nothing."""

import io
import zlib
from pathlib import Path

import pytest
from PIL import Image

from controller.cli.papers import preview
from controller.drawings import drawn
from controller.errors import UserError


@pytest.mark.parametrize(("suffix", "begins"), [(".svg", b"<svg"), (".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_the_command_writes_what_the_name_asks_for(tmp_path: Path, suffix: str, begins: bytes) -> None:
    file = tmp_path / f"plan{suffix}"
    preview("quiet-room", file, None, None, tmp_path)
    assert file.read_bytes().startswith(begins)


def test_the_picture_has_the_lights_colours_on_near_black(tmp_path: Path) -> None:
    file = tmp_path / "plan.png"
    preview("psilocybin", file, None, None, tmp_path)
    picture = Image.open(file).convert("RGB")
    assert picture.width == 1920
    assert picture.getpixel((3, 3)) == (11, 8, 6)
    colours = picture.getcolors(maxcolors=1_000_000) or []
    warm = sum(
        count
        for count, colour in colours
        if isinstance(colour, tuple) and colour[0] > 90 and colour[0] > 1.5 * colour[2]
    )
    assert warm > 0.02 * picture.width * picture.height
    assert not [c for _, c in colours if isinstance(c, tuple) and c[2] > c[0] + 2]


def test_the_page_has_the_words_as_words_not_as_a_picture(tmp_path: Path) -> None:
    file = tmp_path / "plan.pdf"
    preview("psilocybin", file, None, None, tmp_path)
    assert b"/Font" in _unfolded(file.read_bytes())


def _unfolded(pdf: bytes) -> bytes:
    """Return a PDF with what is packed in it beside it."""
    found = [pdf]
    for part in pdf.split(b"stream")[1:]:
        try:
            found.append(zlib.decompressobj().decompress(part.lstrip(b"\r\n")))
        except zlib.error:
            continue
    return b"\n".join(found)


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    for name in ("plan.gif", "plan"):
        with pytest.raises(UserError, match=r"\.svg, \.png"):
            preview("quiet-room", tmp_path / name, None, None, tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_what_a_drawing_names_elsewhere_is_not_opened(tmp_path: Path, suffix: str) -> None:
    secret = io.BytesIO()
    Image.new("RGB", (8, 8), (255, 0, 0)).save(secret, "PNG")
    (tmp_path / "red.png").write_bytes(secret.getvalue())
    image = f'<image href="file://{tmp_path}/red.png" width="40" height="40"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40">{image}</svg>'
    empty = drawn('<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"></svg>', suffix)
    found = drawn(svg, suffix)
    if suffix == ".png":
        assert Image.open(io.BytesIO(found)).convert("RGBA").getextrema() == (
            Image.open(io.BytesIO(empty)).convert("RGBA").getextrema()
        )
    else:
        assert b"/Image" not in _unfolded(found)
