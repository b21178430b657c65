"""Make the pages of docs/explore.md, and take their pictures: ``python docs/examples/pages.py``.

Each situation is a function that returns a page. Pictures are taken by playwright in the system's
Chromium, and stand in docs/figures; ``--only NAME`` makes one.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import relutopo as rt

FIGURES = Path(__file__).parents[1] / "figures"
FLAGS = ["--headless=new", "--no-sandbox", "--enable-unsafe-swiftshader", "--use-angle=swiftshader"]


@dataclass(frozen=True)
class Situation:
    """A page, and how its picture is taken.

    Attributes
    ----------
    make : callable
        Gets a folder for what it needs, and returns the page.
    address : str
        The state of the page.
    width, height : int
        Of the window.
    act : str
        A script that runs before the picture is taken.
    whole : bool
        Whether the picture is of the whole page, with its charts, and not of the window.
    """

    make: Callable[[Path], rt.Page]
    address: str = ""
    width: int = 1280
    height: int = 860
    act: str = ""
    whole: bool = False


def trained(
    data: rt.Dataset, hidden: tuple[int, ...], folder: Path, **options: object
) -> rt.Network:
    """Return a network after a short training."""
    settings = rt.TrainerSettings(**{"n_steps": 1500, "n_checkpoints": 2, **options})  # type: ignore[arg-type]
    run = rt.train(data, rt.MlpSettings(hidden=hidden), settings, directory=folder / data.name)
    return run.network(run.steps[-1])


def plane(folder: Path) -> rt.Page:
    """Return the Fiedler partition of a network on two moons."""
    data = rt.two_moons(200)
    network = trained(data, (16, 16, 16), folder)
    complex_ = rt.decompose(network, rt.Box.around(data.points, 0.25))
    part = rt.fiedler_partition(complex_.dual_graph(), data.points)
    return rt.explore(part, points=data.points, labels=data.targets, title="Two moons")


def rings(folder: Path) -> rt.Page:
    """Return the partition in three parts of a network on three rings."""
    data = rt.three_rings(300)
    network = trained(data, (12, 12, 12), folder)
    complex_ = rt.decompose(network, rt.Box.around(data.points, 0.25))
    part = rt.spectral_partition(complex_.dual_graph(), data.points, k=3)
    return rt.explore(part, points=data.points, labels=data.targets, title="Three rings")


def digits(folder: Path) -> rt.Page:
    """Return a plane through the space of handwritten digits, and its ten classes."""
    data = rt.registry.constructor("data", "digits")()
    network = trained(data, (32, 32), folder, n_steps=300, loss="cross_entropy")
    complex_ = rt.decompose(network, rt.AffineSlice.principal(data.points))
    return rt.explore(
        complex_, points=data.points, labels=data.targets, title="Digits, on their principal plane"
    )


def space(folder: Path) -> rt.Page:
    """Return the regions of a network on three inputs."""
    network = rt.gallery.random_network([3, 10, 8, 1], seed=3)
    points = np.random.default_rng(0).uniform(-1, 1, (150, 3))
    complex_ = rt.decompose(network, rt.Box(-1, 1, dim=3))
    part = rt.fiedler_partition(complex_.dual_graph(), points)
    labels = network(points)[:, 0] > 0
    return rt.explore(part, points=points, labels=labels, title="Three inputs")


def grokking(folder: Path) -> rt.Page:
    """Return a run that memorises 20 points, and generalises later."""
    settings = rt.TrainerSettings(
        n_steps=4000,
        n_checkpoints=30,
        learning_rate=1e-3,
        weight_decay=1.0,
        decay_biases=True,
        loss="bce",
    )
    shape = rt.MlpSettings(hidden=(16, 16, 16), init_scale=8.0, dtype="float64")
    run = rt.train(rt.two_moons(20), shape, settings, directory=folder / "grokking")
    return rt.explore(run, title="Two moons, generalising late")


def spikes(folder: Path) -> rt.Page:
    """Return a regression whose loss has spikes, with diagrams of random filtrations."""
    settings = rt.TrainerSettings(
        n_steps=600,
        n_checkpoints=2,
        checkpoint_every=20,
        checkpoint_spikes=True,
        learning_rate=1e-2,
        weight_decay=0.3,
        loss="mse",
    )
    run = rt.train(rt.bump(), rt.MlpSettings((16, 16)), settings, directory=folder / "spikes")
    return rt.explore(run, analysis=rt.Homology(n_filtrations=1), title="A bump, with spikes")


def cycles(folder: Path) -> rt.Page:
    """Return the diagram of the distance to the data."""
    data = rt.two_moons(100)
    network = trained(data, (12, 12), folder)
    complex_ = rt.decompose(network, rt.Box.around(data.points, 0.25))
    entry = rt.filtration(complex_, "distance_to_data", points=data.points)
    diagram = rt.persistence(complex_, entry)
    return rt.explore(
        diagram, points=data.points, labels=data.targets, title="Distance to the data"
    )


def paths(folder: Path) -> rt.Page:
    """Return the regions along segments between points of two classes, of ten inputs."""
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(60, 10)), np.arange(60) % 2
    points[:, 0] += 3 * labels
    network = rt.gallery.random_network([10, 16, 16, 2], seed=1)
    starts, ends = rng.integers(0, 60, (2, 150))
    apart = starts != ends
    found = rt.segments(network, points[starts[apart]], points[ends[apart]])
    return rt.explore(rt.path_graph(found), points=points, labels=labels, title="Ten inputs")


LONGEST_LIFE = """(() => {
  const rt = globalThis["relutopo"];
  const { arrays } = rt.current;
  const [born, dead] = [arrays["classes:births"], arrays["classes:deaths"]];
  let best = -1;
  arrays["classes:degrees"].forEach((degree, k) => {
    if (degree === 1 && (best < 0 || dead[k] - born[k] > dead[best] - born[best])) best = k;
  });
  const pair = `1:${arrays["classes:numbers"][best]}`;
  rt.store.set({ pair, threshold: (born[best] + dead[best]) / 2 });
})()"""
"""Choose the class of degree 1 that lives longest, half way through its life."""


SITUATIONS = {
    "plane": Situation(plane, "#region=300&neuron=20&facets=layer", height=1020),
    "slice": Situation(digits, "#colour=decision&region=100", height=920),
    "space": Situation(space, "#section=40,62,0.1&region=80&surface=0&overlays=none", height=760),
    "run": Situation(grokking, "#frame=18&colour=first_step&region=200", whole=True),
    "spikes": Situation(spikes, "#theme=dark&frame=20", whole=True),
    "diagram": Situation(cycles, act=LONGEST_LIFE, whole=True),
    "paths": Situation(paths, "#facets=layer&region=700", height=880),
    "narrow": Situation(rings, "#theme=dark&region=30", 390, 844),
}


def main() -> None:
    """Make what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=SITUATIONS, help="one situation")
    chosen = parser.parse_args()
    from playwright.sync_api import sync_playwright

    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))))
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as name:
        chromium = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        for situation, how in SITUATIONS.items():
            if chosen.only not in (None, situation):
                continue
            path = Path(name) / f"{situation}.html"
            how.make(Path(name) / situation).save(path)
            tab = chromium.new_page(viewport={"width": how.width, "height": how.height})
            tab.goto(path.as_uri() + how.address)
            tab.wait_for_selector("html[data-state=ready]")
            if how.act:
                tab.evaluate(how.act)
            tab.wait_for_timeout(2000)
            tab.screenshot(path=FIGURES / f"explore_{situation}.png", full_page=how.whole)
            tab.close()
            print(FIGURES / f"explore_{situation}.png")
        chromium.close()


if __name__ == "__main__":
    main()
