"""Follow a convolutional network of 32 x 32 x 3 inputs along segments between its images.

Leaves segments.csv, segment.png and crossings.png.
"""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import relutopo as rt

# A network of your own, and images: here digits, enlarged, in colours and with noise.
digits, rng = load_digits(), np.random.default_rng(0)
colours = rng.uniform(0.4, 1, (1797, 3, 1, 1))
images = colours * np.kron(digits.images / 16, np.ones((4, 4)))[:, None]
images, labels = images + 0.03 * rng.normal(size=images.shape), digits.target
torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
    nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(256, 10),
)  # fmt: skip
x, y = torch.tensor(images, dtype=torch.float32), torch.tensor(labels)
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for _ in range(60):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
model.eval()

# What it does between 300 of them.
points, classes = images[:300], labels[:300]
within, between = (rt.segment_pairs(points, classes, kind, n=24) for kind in ("within", "between"))
found = rt.segments(model, points, pairs=np.concatenate([within, between]))
print(found, found.record)
found.table(classes).to_csv("segments.csv")
for name, value in rt.path_signatures(model, points, classes, n=24).items():
    print(f"{name:22s} {value:.3g}")
figure = rt.plots.plot_segment(found, len(within))
rt.plots.save_figure(figure, "segment.png")
rt.plots.save_figure(rt.plots.plot_crossings(found, classes), "crossings.png")
