"""Figures as files and within the page."""

import pytest

from motif.reporting.pictures.saving import Drawing, inline, save, unless_unreadable
from motif.reporting.pictures.style import INK, PAPER, new_figure


def drawing(name):
    figure, axes = new_figure("title", "x", "y")
    axes.plot([1, 2], [1, 2], color=INK)
    return Drawing(name, "results", "a caption", figure)


def test_a_drawing_is_saved_as_png_and_svg_the_same_each_time(tmp_path):
    picture = save(tmp_path, drawing("one"))
    assert (picture.name, picture.section, picture.caption) == ("one", "results", "a caption")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert set(before) == {"one.png", "one.svg"}
    save(tmp_path, drawing("one"))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_within_the_page_a_picture_has_the_pages_ink_and_ids_of_its_own(tmp_path):
    svg = save(tmp_path, drawing("one")).svg
    assert INK not in svg and PAPER not in svg and "currentColor" in svg and "<metadata>" not in svg
    assert 'id="one-' in svg and "url(#one-" in svg and svg.startswith('<svg role="img"')
    assert "width=" not in svg[: svg.index(">")]
    kept = inline(
        '<?xml?><svg width="1pt" height="2pt" viewBox="0 0 1 2"><use href="#a"/><rect width="3"/></svg>', "n", "a < b"
    )
    title = '<title id="n-title">a &lt; b</title>'
    inner = f'{title}<use href="#n-a"/><rect width="3"/>'
    assert kept == f'<svg role="img" aria-labelledby="n-title" viewBox="0 0 1 2">{inner}</svg>'


def test_a_file_of_another_shape_is_a_line_and_a_fault_of_ours_is_raised(capsys):
    with unless_unreadable("probes/x.json of run"):
        raise KeyError("value")
    assert "probes/x.json of run cannot be drawn (KeyError: 'value')" in capsys.readouterr().out
    with pytest.raises(RuntimeError), unless_unreadable("probes/x.json"):
        raise RuntimeError
