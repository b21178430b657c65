"""Threads that share work."""

from __future__ import annotations

import threading

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


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_the_thread_that_asks_works_as_well(n_threads: int) -> None:
    together = threading.Barrier(n_threads)

    def work(_: int) -> int:
        together.wait(timeout=60.0)
        return threading.get_ident()

    with threads(n_threads) as run:
        idents = set(run(work, range(n_threads)))
    assert len(idents) == n_threads
    assert threading.get_ident() in idents


def test_an_interrupt_waits_for_no_earlier_result() -> None:
    begun, is_interrupted = [], threading.Event()

    def work(i: int) -> None:
        begun.append(i)
        if threading.current_thread() is threading.main_thread():
            is_interrupted.set()
            raise KeyboardInterrupt
        assert is_interrupted.wait(60.0)

    with pytest.raises(KeyboardInterrupt), threads(2) as run:
        list(run(work, range(1000)))
    assert len(begun) < 100
