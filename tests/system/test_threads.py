"""Threads that share work."""

from __future__ import annotations

import pytest

from relutopo.system.threads import threads


@pytest.mark.parametrize("n_threads", [1, 3])
def test_results_come_in_order_and_few_wait(n_threads: int) -> None:
    begun = []

    def work(i: int) -> int:
        begun.append(i)
        return i * i

    with threads(n_threads) as run:
        results = run(work, range(1000))
        assert [next(results) for _ in range(10)] == [i * i for i in range(10)]
        assert len(begun) < 100
        assert list(results) == [i * i for i in range(10, 1000)]


def test_what_waits_is_dropped_when_work_fails() -> None:
    begun = []

    def work(i: int) -> None:
        begun.append(i)
        raise ValueError(f"part {i}")

    with pytest.raises(ValueError, match="part 0"), threads(2) as run:
        list(run(work, range(1000)))
    assert len(begun) < 100
