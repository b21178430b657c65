"""Kernels for cards, compiled for the processor."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

COMPILER = shutil.which("cc")
C_TYPES = {
    "bool": "bool",
    "int32": "int",
    "int64": "long long",
    "uint32": "unsigned int",
    "uint64": "unsigned long long",
    "float64": "double",
}
NUMBERS: dict[str, Any] = {
    "int32": ctypes.c_int,
    "int64": ctypes.c_longlong,
    "uint64": ctypes.c_ulonglong,
    "float64": ctypes.c_double,
}


def garbage(*args: Any, **kwargs: Any) -> Any:
    """Make an array like `numpy.empty`, which no fresh memory, full of zeros, makes look right."""
    array = np.empty(*args, **kwargs)
    array.reshape(-1).view(np.uint8)[...] = 0xA5
    return array


class Compiled:
    """What `cupy.ElementwiseKernel` makes, as far as it is used: a loop.

    It is as strict about types as CuPy, and runs forwards and backwards, since the threads of a
    card come in any order: of two of which one reads what the other writes, one run finds out.
    """

    folder: Path
    calls = 0

    def __init__(self, inputs: str, outputs: str, body: str, name: str, preamble: str) -> None:
        self.name = name
        self._inputs, self._outputs = ([p.split() for p in s.split(",")] for s in (inputs, outputs))
        given = [
            f"const {C_TYPES[kind[-2]]} {'*' if kind[0] == 'raw' else ''}{kind[-1]}"
            for kind in self._inputs
        ]
        made = [
            f"{C_TYPES[kind[-2]]} *{kind[-1]}{'' if kind[0] == 'raw' else '_'}"
            for kind in self._outputs
        ]
        names = "".join(
            f"#define {kind[-1]} ({kind[-1]}_[i])\n" for kind in self._outputs if kind[0] != "raw"
        )
        source = self.folder / f"{name}_{len(list(self.folder.iterdir()))}.c"
        source.write_text(
            "#include <math.h>\n#include <stdbool.h>\n#include <stddef.h>\n"
            f"{preamble}\n"
            f"void {name}(ptrdiff_t size_of_all, int backwards, {', '.join(given + made)}) {{\n"
            f"{names}for (ptrdiff_t k = 0; k < size_of_all; ++k) {{\n"
            f"const ptrdiff_t i = backwards ? size_of_all - 1 - k : k;\n{{ {body} }} }} }}\n"
        )
        library = source.with_suffix(".so")
        command = [str(COMPILER), "-O1", "-std=c99", "-Wall", "-Wextra", "-Werror"]
        # Multiply and add apart, as NumPy does.
        command += ["-ffp-contract=off", "-shared", "-fPIC", str(source), "-o", str(library), "-lm"]
        subprocess.run(command, check=True)
        self._function = ctypes.CDLL(str(library))[name]

    def __call__(self, *arguments: Any, size: int | None = None) -> None:
        """Run it; all results are given, and the number of runs if all of them are raw."""
        Compiled.calls += 1
        passed: list[Any] = []
        kept: list[Any] = []
        sizes = set() if size is None else {size}
        for kind, argument in zip([*self._inputs, *self._outputs], arguments, strict=True):
            is_output = len(passed) >= len(self._inputs)
            if kind[0] == "raw" or is_output:
                assert argument.dtype == kind[-2], kind
                # Whatever the layout, CuPy counts the elements of a raw array row by row.
                in_rows = np.ascontiguousarray(argument)
                assert in_rows.ctypes.data == argument.ctypes.data or not is_output
                kept.append(in_rows)
                passed.append(ctypes.c_void_p(in_rows.ctypes.data))
            else:
                assert isinstance(argument, int | float), kind
                passed.append(NUMBERS[kind[-2]](argument))
            if kind[0] != "raw" and is_output:
                sizes.add(argument.size)
        (n_runs,) = sizes
        self._run_both_ways(n_runs, passed, arguments[len(self._inputs) :])

    def _run_both_ways(self, n_runs: int, passed: list[Any], results: tuple[Any, ...]) -> None:
        before = [result.copy() for result in results]
        self._function(ctypes.c_ssize_t(n_runs), 0, *passed)
        forwards = [result.copy() for result in results]
        for result, old in zip(results, before, strict=True):
            result[...] = old
        self._function(ctypes.c_ssize_t(n_runs), 1, *passed)
        for result, other in zip(results, forwards, strict=True):
            assert result.tobytes() == other.tobytes(), f"the order of threads matters: {self.name}"


class Namespace:
    """NumPy with kernels."""

    ElementwiseKernel = Compiled

    def __getattr__(self, name: str) -> Any:
        return garbage if name == "empty" else getattr(np, name)


@pytest.fixture(scope="session")
def numpy_with_kernels(tmp_path_factory: pytest.TempPathFactory) -> Namespace:
    if COMPILER is None:
        pytest.skip("there is no C compiler")
    Compiled.folder = tmp_path_factory.mktemp("kernels")
    return Namespace()
