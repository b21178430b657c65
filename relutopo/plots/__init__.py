"""Figures of complexes, partitions, homology, training and costs.

Every function returns a `matplotlib.figure.Figure`; `save_figure` writes it. Importing this package
loads nothing else: a figure's module is imported when its name is first used, matplotlib when the
figure is made.

Examples
--------
>>> import relutopo as rt
>>> from relutopo.plots import plot_complex
>>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.3], [-0.5]])
>>> figure = plot_complex(rt.decompose(net, rt.Box(-1, 1, dim=2)))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from relutopo.plots.complexes import plot_complex, plot_complexes
    from relutopo.plots.figures import save_figure
    from relutopo.plots.homology import plot_betti_curves
    from relutopo.plots.partitions import (
        PartitionedCheckpoint,
        plot_partition,
        plot_partition_history,
    )
    from relutopo.plots.scaling import plot_scaling
    from relutopo.plots.space import plot_space
    from relutopo.plots.timelines import plot_spike_timeline, plot_timeline

__all__ = [
    "PartitionedCheckpoint",
    "plot_betti_curves",
    "plot_complex",
    "plot_complexes",
    "plot_partition",
    "plot_partition_history",
    "plot_scaling",
    "plot_space",
    "plot_spike_timeline",
    "plot_timeline",
    "save_figure",
]

_NAMES = {
    "complexes": "plot_complex plot_complexes",
    "figures": "save_figure",
    "homology": "plot_betti_curves",
    "partitions": "PartitionedCheckpoint plot_partition plot_partition_history",
    "scaling": "plot_scaling",
    "space": "plot_space",
    "timelines": "plot_spike_timeline plot_timeline",
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}

if not TYPE_CHECKING:  # type checkers know the names from above, and no others

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
