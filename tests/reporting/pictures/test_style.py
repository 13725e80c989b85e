"""How pictures look."""

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg

from motif.reporting.pictures.style import STYLE, error_bars, file_word, legend, look, new_figure


def test_no_legend_is_wider_than_its_picture():
    for label in (
        "motif (n = 512 × 3 seeds), 3 rounds",
        "motif k=4 (n = 48–512 × 3 seeds)",
        "grpo (n = 512 × 3 seeds)",
    ):
        with rc_context(STYLE):
            made, axes = new_figure("title", "x", "y")
            for place in range(2):
                axes.errorbar([1], [place], [[1], [1]], marker="o", label=label)
            legend(made, axes)
            FigureCanvasAgg(made).draw()
        assert made.legends[0].get_window_extent().x1 <= made.bbox.width, label


def test_no_two_of_many_arms_look_alike():
    assert len({str(look(place)) for place in range(36)}) == 36


def test_bars_reach_to_the_ends_of_the_interval_and_have_no_negative_length():
    assert error_bars([0.5, 0.25], [(0.25, 1.0), (0.5, 0.75)], scale=100) == ([50, 25], [[25, 0], [50, 50]])


def test_a_name_is_a_files_name():
    assert file_word("a b/$x_{<") == "a-b-x" and file_word("×") == "x"
