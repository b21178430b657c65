"""Look at a convolutional network on the plane through three images.

The network tells the digit 3 from 8; it has batch normalisation, a residual block and max-pooling.
Leaves convolutional_slice.png and convolutional_slice.pdf.
"""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import relutopo as rt


class Block(nn.Module):
    """ReLU(x + norm(conv(x)))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's value, of the shape of x."""
        return torch.relu(x + self.norm(self.conv(x)))


digits = load_digits()
chosen = np.isin(digits.target, [3, 8])
images = torch.tensor(digits.images[chosen] / 16, dtype=torch.float32)[:, None]
labels = torch.tensor(digits.target[chosen] == 8, dtype=torch.float32)

torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.BatchNorm2d(2), nn.ReLU(),
    Block(2), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1),
)  # fmt: skip
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(200):
    optimizer.zero_grad()
    logits = model(images)[:, 0]
    torch.nn.functional.binary_cross_entropy_with_logits(logits, labels).backward()
    optimizer.step()
model.eval()

three, other_three, eight = (images[labels == k][i].numpy() for k, i in ((0, 0), (0, 1), (1, 0)))
plane = rt.AffineSlice.through(three, other_three, eight, margin=0.5)
complex_ = rt.decompose(model, plane)
complex_.check()
print(complex_)
points = plane.coordinates(np.stack([three, other_three, eight]))[0]
figure = rt.plots.plot_complex(complex_, points, ["3", "3", "8"], decision_boundary=True)
for path in rt.plots.save_figure(figure, "convolutional_slice"):
    print(path)
