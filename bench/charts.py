"""The pictures of the report: bars, one for each peer, and lines, one for each peer."""

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot, ticker  # pylint: disable=wrong-import-position

TUSK = "#d9652b"
FLOOR = "#b9b9b9"
PEER = "#5a7fa8"
LINES = ["#5a7fa8", "#6b9a5b", "#8a6bb0", "#b0892f", "#4d9a9a", "#a85a7f", "#777777"]
# From this ratio of the longest bar to the shortest one on, only a logarithm shows both.
WIDE = 25

pyplot.rcParams.update({
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "tusk",  # the same numbers make the same file
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
})


def short(value):
    """A number as a label has it."""
    for size, letter in ((1e6, " M"), (1e3, " k")):
        if abs(value) >= (10 * size if letter == " k" else size):
            return f"{value / size:.3g}{letter}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def colour(peer):
    return TUSK if peer == "tusk" else FLOOR if peer.startswith("floor") else PEER


def save(figure, path):
    figure.savefig(path, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def draw_bars(axes, title, unit, values, less_is_better):
    """values: (peer, number) in any order; the best one is on top."""
    ordered = sorted(values, key=lambda pair: pair[1], reverse=less_is_better)
    numbers = [value for _, value in ordered]
    is_wide = min(numbers) > 0 and max(numbers) / min(numbers) > WIDE
    bars = axes.barh([peer for peer, _ in ordered], numbers, color=[colour(peer) for peer, _ in ordered], height=0.7)
    axes.bar_label(bars, [" " + short(value) for value in numbers])
    if is_wide:
        axes.set_xscale("log")
        axes.set_xlim(min(numbers) / 3, max(numbers) * 3)
    else:
        axes.set_xlim(0, max(numbers) * 1.15 or 1)
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: short(value)))
    better = "less is better" if less_is_better else "more is better"
    axes.set_xlabel(f"{unit}, {better}{', logarithmic' if is_wide else ''}")
    axes.set_title(title, loc="left", fontweight="bold", fontsize=12)


def bars(path, charts):
    """charts: the arguments of draw_bars, one below the other in one picture."""
    heights = [len(chart[2]) + 2.2 for chart in charts]
    figure, rows = pyplot.subplots(len(charts), 1, figsize=(7.5, 0.36 * sum(heights)), squeeze=False,
                                   gridspec_kw={"height_ratios": heights})
    for axes, chart in zip(rows[:, 0], charts):
        draw_bars(axes, *chart)
    figure.tight_layout()
    save(figure, path)


def lines(path, title, across, upwards, series):
    """series: for each peer a list of (x, y)."""
    figure, axes = pyplot.subplots(figsize=(7.5, 4.5))
    others = iter(LINES * (1 + len(series) // len(LINES)))
    for peer, points in series.items():
        xs, ys = zip(*sorted(points))
        is_ours = peer == "tusk"
        paint = colour(peer) if is_ours or peer.startswith("floor") else next(others)
        axes.plot(xs, ys, marker="o", markersize=4, label=peer, color=paint, linewidth=2.6 if is_ours else 1.5,
                  zorder=3 if is_ours else 2)
    every = [y for points in series.values() for _, y in points]
    axes.set_xscale("log")
    if min(every) > 0 and max(every) / min(every) > WIDE:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: short(value)))
    axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    axes.grid(True, which="major", color="#e5e5e5")
    axes.set_xlabel(across)
    axes.set_ylabel(upwards)
    axes.set_title(title, loc="left", fontweight="bold", fontsize=12)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    save(figure, path)
