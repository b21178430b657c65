"""Figures of complexes, partitions, homology, training and costs.

Every function returns a `matplotlib.figure.Figure`; `save_figure` writes it. Importing this package
loads nothing else: a figure's module is imported when its name is first used, matplotlib when the
figure is made. The table of names is ``__init__.pyi``.

Examples
--------
>>> import relutopo as rt
>>> from relutopo.plots import plot_complex
>>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.3], [-0.5]])
>>> figure = plot_complex(rt.decompose(net, rt.Box(-1, 1, dim=2)))
"""

from relutopo.system.public_names import lazy

__getattr__, __dir__ = lazy(__name__)
