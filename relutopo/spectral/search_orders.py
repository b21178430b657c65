"""Orders in which a search enters regions: a class for each.

An order is asked for the regions to enter next, some at a time, and is told which regions were
found behind their walls. Its answers depend only on what was found, so the result of a search does
not depend on the number of processes.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Iterable

import numpy as np

from relutopo.spectral.search_state import SearchState

__all__ = ["BreadthFirst", "Nearest", "Order", "RandomWalk", "Trail"]

_MOST_ROUNDS = 1000
"""Steps of a random walk among known regions between two looks at the clock."""


class Order(ABC):
    """Says which regions a search enters next.

    Parameters
    ----------
    state : SearchState
        What has been found so far, if a search is continued.
    starts : sequence of int
        Numbers of the met regions in which the search starts.
    """

    def __init__(self, state: SearchState, starts: Iterable[int]) -> None:
        self.state, self.starts = state, list(dict.fromkeys(starts))

    @abstractmethod
    def next(self, most: int) -> list[int]:
        """Return at most `most` regions that are not yet entered, in the order to enter them."""

    def found(self, behind: list[int]) -> None:  # noqa: B027  # most orders need it, not all
        """Take note of the regions behind the walls of a region that was entered."""

    def put_back(self, regions: list[int]) -> None:  # noqa: B027
        """Take back regions that were not entered after all."""

    @property
    def is_done(self) -> bool:
        """Whether no region will follow once `next` has returned none."""
        return True


class BreadthFirst(Order):
    """Regions in the order in which they are met."""

    def __init__(self, state: SearchState, starts: Iterable[int]) -> None:
        super().__init__(state, starts)
        self._at = 0

    def next(self, most: int) -> list[int]:
        """Return the regions met first."""
        chosen: list[int] = []
        while len(chosen) < most and self._at < len(self.state.met):
            if self.state.index[self._at] < 0:
                chosen.append(self._at)
            self._at += 1
        return chosen

    def put_back(self, regions: list[int]) -> None:
        """Return to the first of them."""
        self._at = min([self._at, *regions])


class Nearest(Order):
    """Regions nearest to a seed first, by the wall through which they were met."""

    def __init__(self, state: SearchState, starts: Iterable[int]) -> None:
        super().__init__(state, starts)
        self._heap: list[tuple[float, int]] = []
        self.found([n for n in range(len(state.met)) if state.index[n] < 0])

    def next(self, most: int) -> list[int]:
        """Return the nearest of those that were met."""
        chosen: list[int] = []
        while self._heap and len(chosen) < most:
            _, region = heapq.heappop(self._heap)
            if self.state.index[region] < 0 and region not in chosen:
                chosen.append(region)
        return chosen

    def found(self, behind: list[int]) -> None:
        """Put the regions in the queue, again if they are nearer now."""
        for region in behind:
            if self.state.index[region] < 0:
                heapq.heappush(self._heap, (self.state.distances[region], region))

    def put_back(self, regions: list[int]) -> None:
        """Put them in the queue again."""
        self.found(regions)


class Trail(Order):
    """The start regions, one after another, and no others."""

    def next(self, most: int) -> list[int]:
        """Return the next ones."""
        left = [region for region in self.starts if self.state.index[region] < 0]
        return left[:most]


class RandomWalk(Order):
    """Regions that walkers reach: one walker from each start, which crosses walls at random.

    All walls of a region are equally likely, so in the long run the visits to a region are
    proportional to its number of walls.

    Parameters
    ----------
    state, starts
    seed : int
    """

    def __init__(self, state: SearchState, starts: Iterable[int], seed: int) -> None:
        super().__init__(state, starts)
        self.seed = seed
        if not state.walkers:
            state.walkers = list(self.starts)
            state.visits = dict.fromkeys(self.starts, 1)

    def next(self, most: int) -> list[int]:
        """Move all walkers until some are in regions not yet entered, and return these regions.

        Returns none if that does not happen within `_MOST_ROUNDS` steps.
        """
        state = self.state
        for _ in range(_MOST_ROUNDS):
            new = list(dict.fromkeys(w for w in state.walkers if state.index[w] < 0))
            if new or self.is_done:
                return new[:most]
            rng = np.random.default_rng([self.seed, state.n_rounds])
            chances = rng.random(len(state.walkers))
            state.n_rounds += 1
            for i, (at, chance) in enumerate(zip(state.walkers, chances.tolist(), strict=True)):
                behind = state.behind(at)
                if behind:
                    state.walkers[i] = to = behind[int(chance * len(behind))]
                    state.visits[to] = state.visits.get(to, 0) + 1
        return []

    @property
    def is_done(self) -> bool:
        """Whether every region that was met has been entered."""
        return not self.state.n_frontier
