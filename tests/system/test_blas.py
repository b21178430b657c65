"""How many threads products of matrices take, when several ask for one."""

from __future__ import annotations

import threadpoolctl

from relutopo.system.blas import one_blas_thread

_libraries = threadpoolctl.ThreadpoolController().select(user_api="blas")


def n_threads() -> set[int]:
    return {library.num_threads for library in _libraries.lib_controllers}


def test_who_comes_second_does_not_leave_one_thread_behind() -> None:
    """As when of two decompositions at a time the first to begin is the first to end."""
    with _libraries.limit(limits=2):
        before = n_threads()
        first, second = one_blas_thread(), one_blas_thread()
        first.__enter__()
        second.__enter__()
        assert n_threads() == {1}
        first.__exit__(None, None, None)
        assert n_threads() == {1}
        second.__exit__(None, None, None)
        assert n_threads() == before
