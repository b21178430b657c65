"""Draw where holes are, in the plane and in space; leaves cycles.png and cycles.pdf."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import torch

import relutopo as rt
from relutopo import plots


def trained(points: torch.Tensor, targets: torch.Tensor, steps: int) -> torch.nn.Module:
    """Return a perceptron that was trained on values, a column for each output."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(points.shape[1], 16), torch.nn.ReLU(), torch.nn.Linear(16, 16),
        torch.nn.ReLU(), torch.nn.Linear(16, targets.shape[1]),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(points), targets).backward()
        optimizer.step()
    return model


rings = rt.three_rings(300)
X, y = torch.as_tensor(rings.points, dtype=torch.float32), torch.as_tensor(rings.targets)
one_hot = 2.0 * torch.nn.functional.one_hot(y.long()).float() - 1
plane = rt.decompose(trained(X, one_hot, 600), rt.Box.around(rings.points))
decision = plane.decision()
loops = [loop for k in range(3) for loop in rt.homology_basis(decision.region(k), 1)]

margin = rt.persistence(plane, rt.filtration(plane, "margin"))
most = max(margin.representatives(1), key=lambda cycle: cycle.death - cycle.birth)
longest = margin.representatives(1, least=0.3 * (most.death - most.birth))
print(longest.table())

torch.manual_seed(1)
Z = 4 * torch.rand(3000, 3) - 2
radius = Z.norm(dim=1, keepdim=True)
shell = 1.0 - 4.0 * (radius - 1.2).abs()
space = rt.decompose(trained(Z, shell, 800), rt.Box(-2, 2, dim=3))
surfaces = rt.homology_basis(rt.decision_boundary(space), 2)
print(surfaces.table())

figure = plt.figure(figsize=(13, 4.2))
flat = [figure.add_subplot(1, 3, i) for i in (1, 2)]
solid = figure.add_subplot(1, 3, 3, projection="3d")
figure.subplots_adjust(wspace=0.25, left=0.05, right=0.98, top=0.92, bottom=0.08)
plots.plot_decision(plane, ax=flat[0], legend=False)
plots.plot_cycles(loops, ax=flat[0], title="around holes of classes")
plots.plot_cycles(longest, plane, ax=flat[1], title="holes of the margin that live longest")
plots.plot_cycles(surfaces, space, ax=solid, title="closed surfaces of a decision")
for path in plots.save_figure(figure, "cycles"):
    print(path)
