"""Decompose a cube for a network trained to recognise a ball; leaves space.png and space.pdf."""

import torch

import relutopo as rt

torch.manual_seed(0)
model = torch.nn.Sequential(
    torch.nn.Linear(3, 32), torch.nn.ReLU(), torch.nn.Linear(32, 32), torch.nn.ReLU(),
    torch.nn.Linear(32, 1),
)  # fmt: skip
x = 4 * torch.rand(2000, 3) - 2
inside = (x.norm(dim=1, keepdim=True) < 1.5).float()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(100):
    optimizer.zero_grad()
    torch.nn.functional.binary_cross_entropy_with_logits(model(x), inside).backward()
    optimizer.step()

complex_ = rt.decompose(model, rt.Box(-2, 2, dim=3))
complex_.check()
print(complex_)
for path in rt.plots.save_figure(rt.plots.plot_space(complex_), "space"):
    print(path)
