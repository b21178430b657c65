"""Draw most figures of relutopo.plots on axes of one figure; leaves figures.png and figures.pdf."""

from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import make_moons

import relutopo as rt
from relutopo import plots


def trained(
    points: Any, values: Any, width: int, steps: int, weight_decay: float = 0.0, depth: int = 2
) -> torch.nn.Module:
    """Return a perceptron with `depth` layers of `width` neurons, trained on values."""
    torch.manual_seed(0)
    inputs, targets = (torch.as_tensor(a, dtype=torch.float32) for a in (points, values))
    targets = targets.reshape(len(inputs), -1)  # a column for each output
    layers: list[torch.nn.Module] = []
    for n_inputs in [inputs.shape[1], *[width] * (depth - 1)]:
        layers += [torch.nn.Linear(n_inputs, width), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(width, targets.shape[1]))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=weight_decay)
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(inputs), targets).backward()
        optimizer.step()
    return model


X, y = make_moons(200, noise=0.1, random_state=0)
box = rt.Box.around(X)
complexes = {
    steps: rt.decompose(trained(X, 2.0 * y - 1, 12, steps, 0.1), box) for steps in (0, 30, 1000)
}
last = complexes[1000]
part = rt.fiedler_partition(last.dual_graph(), points=X)
diagrams = {
    steps: rt.persistence(c, rt.filtration(c, "random_closure", seed=0))
    for steps, c in complexes.items()
}
u = torch.linspace(-2, 2, 40)[:, None]
wave = torch.sin(3 * u[:, 0])
line = rt.decompose(trained(u, wave, 10, 500), rt.Box(-2.5, 2.5, dim=1))

rings = rt.three_rings(300)
one_hot = np.equal.outer(rings.targets, np.unique(rings.targets))
three = rt.decompose(
    trained(rings.points, 2.0 * one_hot - 1, 12, 1000, 0.1, depth=4), rt.Box.around(rings.points)
)
parts = rt.spectral_partition(
    three.dual_graph(), points=rings.points, k=3, vertex_weights=rt.ChungLanglands(scale=10)
)

figure = plt.figure(figsize=(12, 15))
flat = [figure.add_subplot(4, 3, i) for i in (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12)]
space = figure.add_subplot(4, 3, 8, projection="3d")
figure.subplots_adjust(hspace=0.3, wspace=0.3, left=0.06, right=0.97, top=0.97, bottom=0.05)
plots.plot_partition(part, X, y, ax=flat[0], title="plot_partition")
plots.plot_partition(parts, rings.points, rings.targets, ax=flat[1], title="of three parts")
plots.plot_spectral_embedding(parts, ax=flat[2], title="plot_spectral_embedding")
flat[2].locator_params(nbins=5)
plots.plot_complex(last, ax=flat[3], title="plot_complex")
plots.plot_complex(
    last, X, y, ax=flat[4], title='values="gradient"', values="gradient", cmap="cividis",
    decision_boundary=True,
)  # fmt: skip
plots.plot_complex(line, u, wave, ax=flat[5], title="plot_complex in 1-D")
plots.plot_barcode(
    {steps: diagrams[steps] for steps in (0, 30)}, degrees=[0], ax=flat[6], title="plot_barcode"
)
plots.plot_function(last, ax=space, title="plot_function")
plots.plot_persistence_diagram(diagrams[1000], ax=flat[7], title="plot_persistence_diagram")
plots.plot_betti_curves(diagrams, axes=flat[8:10])
plots.plot_complex(
    three, rings.points, rings.targets, ax=flat[10], title="decision_boundary=True",
    values="volume", decision_boundary=True,
)  # fmt: skip
for path in plots.save_figure(figure, "figures"):
    print(path)
