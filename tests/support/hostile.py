"""Hostile files: each kind by its name, made on the spot, none of them from anywhere.

Every function returns members of one kind. Whoever reads them must refuse each with an error of
relutopo's own, soon, with little memory, and without executing or writing anything.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "Member",
    "Payload",
    "archives",
    "json_files",
    "names",
    "onnx_files",
    "records",
    "special_files",
    "torch_files",
    "yaml_files",
]

Member = tuple[str, bytes]
"""A name, and the content of a file."""


def names() -> dict[str, str]:
    """Names that must not become parts of paths."""
    return {
        "absolute": "/tmp/relutopo-was-here",
        "above": "../../../../../../tmp/relutopo-was-here",
        "above, late": "a/../../../../../../../../tmp/relutopo-was-here",
        "a folder": "a/b",
        "Windows, above": "..\\..\\relutopo-was-here",
        "Windows, a drive": "C:\\relutopo-was-here",
        "a device": "CON",
        "a device with an ending": "nul.txt",
        "nothing": "",
        "a dot": ".",
        "two dots": "..",
        "NUL": "a\0b",
        "long": "m" * 5000,
        "a stream": "file.txt:stream",
        "steers a terminal": "\x1b[2J\x1b]0;pwned\x07",
        "markup": "[/italic][link=file:///etc]x",
        "a formula": "$\\frac{$",
        "right to left": "\u202egnp.exe",
        "lines": "a\nb",
        "a home": "~/x",
        "a column": "status",
        "a column of seconds": "seconds_training",
    }


def json_files() -> Iterator[Member]:
    """What is no record in JSON, whatever its names."""
    yield "nothing", b""
    yield "half", b'{"finished": '
    yield "a list", b"[1, 2]"
    yield "a number", b"3"
    yield "null", b"null"
    yield "text", b'"done"'
    yield "NaN", b"NaN"
    yield "deep lists", b"[" * 100_000 + b"]" * 100_000
    yield "lists a little too deep", b'{"x": ' + b"[" * 70 + b"]" * 70 + b"}"
    yield "deep mappings", b'{"a": ' * 50_000 + b"1" + b"}" * 50_000
    yield "no UTF-8", b'{"finished": "\xff\xfe"}'
    yield "UTF-16", '{"finished": "now"}'.encode("utf-16")
    yield "half a character", b'{"finished": "\\ud800"}'
    yield "huge integer", b'{"finished": ' + b"9" * 5000 + b"}"
    yield "integer beyond floats", b'{"finished": ' + b"9" * 400 + b"}"
    yield "an empty mapping", b"{}"
    yield "zeros", bytes(1000)
    yield "a pickle", b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x0ctouch pwned!\x85R."


def records(good: Mapping[str, Any]) -> Iterator[Member]:
    """What a record becomes when one entry is damaged, another is added, or one is missing."""
    for key in good:
        rest = {name: value for name, value in good.items() if name != key}
        yield f"no {key}", json.dumps(rest).encode()
        wrong: Any
        for wrong in (None, 7, [[]], {"a": {"b": 1}}, {"": None}, [{"x": 1}], True):
            if type(wrong) is type(good[key]) and not wrong:
                continue
            if (type(good[key]), type(wrong)) in ((str, str), (int, int)):
                continue
            yield f"{key} {wrong!r}", json.dumps({**good, key: wrong}).encode()
        text = json.dumps(good)
        yield f"{key} twice", (text[:-1] + f", {json.dumps(key)}: null}}").encode()
    yield "one more", json.dumps({**good, "__class__": "os.system"}).encode()


def special_files() -> dict[str, Callable[[Path], None]]:
    """What stands in the place of a file and is none, or of another's."""

    def missing(path: Path) -> None:
        path.symlink_to(path.parent / "nowhere")

    def itself(path: Path) -> None:
        path.symlink_to(path)

    return {
        "a folder": lambda path: path.mkdir(),
        "a pipe": lambda path: os.mkfifo(path),
        "endless zeros": lambda path: path.symlink_to("/dev/zero"),
        "a terminal": lambda path: path.symlink_to("/dev/tty"),
        "another's file": lambda path: path.symlink_to("/etc/passwd"),
        "a link to nothing": missing,
        "a link to itself": itself,
    }


def yaml_files() -> Iterator[Member]:
    """Configurations that nobody should read."""
    laughs = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for one, next_ in zip("abcdefghi", "bcdefghij", strict=True):
        laughs += f"{next_}: &{next_} [{', '.join([f'*{one}'] * 10)}]\n"
    yield "a billion laughs", laughs.encode()
    yield (
        "merged laughs",
        b"a: &a {x: 1}\n"
        + b"".join(
            b"b%d: &b%d {<<: *a, y: [%s]}\n"
            % (i, i, b", ".join([b"*b%d" % (i - 1) if i else b"*a"] * 20))
            for i in range(8)
        ),
    )
    yield "an alias of what it is in", b"a: &a [*a]\n"
    yield "deep lists", b"a: " + b"[" * 5000 + b"]" * 5000
    yield "deep mappings", b"".join(b" " * i + b"a:\n" for i in range(500))
    yield "a call", b"seed: !!python/object/apply:os.system ['touch pwned']\n"
    yield "a name", b"seed: !!python/name:os.system\n"
    yield "a module", b"seed: !!python/module:this\n"
    yield "a tag of one's own", b"seed: !mine {a: 1}\n"
    yield "half", b"seed: [1, 2\n"
    yield "no UTF-8", b"seed: \xff\xfe\n"
    yield "zeros", bytes(100)
    yield "large", b"a: " + b"x" * (2 * 2**20)


def _zip(members: list[tuple[str, bytes]], packed: bool = True) -> bytes:
    content = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that stand twice
        with zipfile.ZipFile(content, "w", kind) as archive:
            for name, member in members:
                archive.writestr(name, member)
    return content.getvalue()


def _npy(array: Any, **options: Any) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array(content, np.asanyarray(array), **options)
    return content.getvalue()


def _header(description: str, shape: str, data: bytes = b"") -> bytes:
    text = f"{{'descr': {description}, 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data


class Payload:
    """What runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


def archives(good: Mapping[str, Any]) -> Iterator[Member]:
    """Archives of arrays that nobody should unpack, with the names of a good one."""
    arrays = {f"{name}.npy": _npy(array) for name, array in good.items()}
    first, *others = arrays
    rest = [(name, arrays[name]) for name in others]
    yield "nothing", b""
    yield "rubbish", b"rubbish" * 50
    yield "an array alone", _npy(np.zeros(3))
    yield "a pickle alone", pickle.dumps(Payload())
    yield "no members", _zip([])
    yield "zeros without end", _zip([(first, _header("'<f8'", "(250000000,)", bytes(8 * 10**8)))])
    yield (
        "other zeros without end",
        _zip([*arrays.items(), ("other.npy", _header("'|u1'", "(300000000,)", bytes(3 * 10**8)))]),
    )
    for shape in (
        "(1000000000000,)", "(-1,)", "(-1, -1)", "(1073741824, 1073741824, 16)", "(True,)",
        "(0, 1000000000000)", "(3.5,)", "'x'", "((((1,),),),)", "(9223372036854775808,)",
        str(tuple([1] * 100)),
    ):  # fmt: skip
        yield f"shape {shape[:30]}", _zip([(first, _header("'<f8'", shape, bytes(8))), *rest])
    for kind in (
        "'|O'", "'O'", "'<M8[s]'", "'|V8'", "'<U0'", "[('a', '<f8'), ('b', '|O')]", "'<f8, <f8'",
        "('<f8', (1000000,))", "'no such'", "__import__('os').system('touch pwned')",
    ):  # fmt: skip
        yield f"kind {kind}", _zip([(first, _header(kind, "(1,)", bytes(8))), *rest])
    yield "a pickle", _zip([(first, _npy(np.array([Payload()], object), allow_pickle=True)), *rest])
    yield "a long header", _zip([(first, _header("'<f8'", "(1,)" + " " * 40_000, bytes(8))), *rest])
    yield "a deep header", _zip([(first, _header("'<f8'", "(" * 5000 + ")" * 5000)), *rest])
    yield "less data", _zip([(first, arrays[first][:-1]), *rest])
    yield "more data", _zip([(first, arrays[first] + b"x"), *rest])
    yield "no header", _zip([(first, b"x" * 20), *rest])
    yield "twice", _zip([*arrays.items(), (first, arrays[first])])
    yield "no array", _zip([*arrays.items(), ("../../pwned.py", b"import os")])
    whole = _zip(list(arrays.items()), packed=False)
    yield "half", whole[: len(whole) // 2]
    yield "without its end", whole[:-10]
    start = whole.index(arrays[first]) + len(arrays[first]) - 1
    yield "another byte", whole[:start] + bytes([whole[start] ^ 255]) + whole[start + 1 :]
    place = whole.rindex(b"PK\x01\x02")
    yield (
        "a member larger than the file",
        (whole[: place + 20] + struct.pack("<II", 2**31, 2**31) + whole[place + 28 :]),
    )
    yield "a member elsewhere", whole[: place + 42] + struct.pack("<I", 2**30) + whole[place + 46 :]


def torch_files(folder: Path) -> Iterator[Path]:
    """Files of torch that nobody should read, without trust."""
    import torch

    def saved(name: str, content: Any, **options: Any) -> Path:
        path = folder / f"{name}.pt"
        torch.save(content, path, **options)
        return path

    def written(name: str, content: bytes) -> Path:
        path = folder / f"{name}.pt"
        path.write_bytes(content)
        return path

    def state(weight: Any) -> dict[str, Any]:
        return {"0.weight": weight, "0.bias": torch.zeros(4)}

    one = torch.zeros(1)
    yield saved("stride 0", state(one.expand(2**40)))
    yield saved("stride 0, a matrix", state(one.expand(4, 2**38)))
    old: dict[str, Any] = {"_use_new_zipfile_serialization": False}
    yield saved("stride 0, old format", state(one.expand(4, 2**38)), **old)
    yield saved("stride 0 within", {"state_dict": state(one.expand(4, 2**38))})
    yield saved("windows of few numbers", state(torch.zeros(4096).as_strided((2048, 2048), (1, 1))))
    yield saved(
        "many times the same", {f"{i}.weight": torch.zeros(1000, 100) for i in range(1)}
        | {f"{i}.weight": one.expand(30) for i in range(1, 3)} | state(one.expand(2**20)),
    )  # fmt: skip
    yield saved("meta", state(torch.empty(4, 2**38, device="meta")))
    sparse = torch.sparse_coo_tensor(
        torch.zeros(2, 1, dtype=torch.long), one, (4, 2**38), check_invariants=True
    )
    yield saved("sparse", state(sparse))
    yield saved("a payload", {"state_dict": state(torch.zeros(4, 2)), "more": Payload()})
    yield saved("a payload, old format", Payload(), **old)
    yield written("a pickle", pickle.dumps(Payload()))
    yield written("an old pickle", pickle.dumps({"a": Payload()}, protocol=0))
    yield written(
        "bytes by number", b"\x80\x02c__builtin__\nbytearray\n\x8a\x05\x00\x00\x00\x00\x10\x85R."
    )
    yield written("nothing", b"")
    yield written("rubbish", b"rubbish" * 50)
    good = saved("good", state(torch.ones(4, 200)))
    whole = good.read_bytes()
    good.unlink()
    yield written("half", whole[: len(whole) // 2])
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    data = next(name for name, _ in members if name.endswith("/data/0"))
    yield written("no storage", _zip([pair for pair in members if pair[0] != data], packed=False))
    large = [(name, bytes(4 * 10**8) if name == data else content) for name, content in members]
    yield written("zeros without end", _zip(large))
    yield written("twice", _zip([*members, members[-1]], packed=False))
    place = whole.rindex(b"PK\x01\x02")
    yield written(
        "a member larger than the file",
        whole[: place + 20] + struct.pack("<II", 2**31, 2**31) + whole[place + 28 :],
    )
    buffer = io.BytesIO()
    torch.save({"state_dict": Payload()}, buffer)
    yield written("a payload as checkpoint", buffer.getvalue()).rename(folder / "payload.ckpt")
    yield written("deep lists", b"\x80\x02" + b"]" * 10**5 + b"a" * (10**5 - 1) + b".")
    yield saved("no tensors", {"0.weight": "x", "0.bias": [1]})
    yield saved("no network", {"0.weight": torch.zeros(2, 2, 2, 2), "0.bias": torch.zeros(0)})
    yield saved("not finite", {"0.weight": torch.full((1, 2), torch.nan), "0.bias": one})


def onnx_files(folder: Path) -> Iterator[Path]:
    """ONNX files that nobody should read."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    node = helper.make_node
    float_ = TensorProto.FLOAT

    def tensor(name: str, values: Any, kind: Any = np.float32) -> Any:
        return numpy_helper.from_array(np.array(values, dtype=kind), name)

    def integers(name: str, values: Any) -> Any:
        return tensor(name, values, np.int64)

    def written(name: str, nodes: Any, initializers: Any = (), shape: Any = ("n", 2)) -> Path:
        given = helper.make_tensor_value_info("x", float_, shape)
        result = helper.make_tensor_value_info("y", float_, None)
        graph = helper.make_graph(nodes, "g", [given], [result], initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        path = folder / f"{name}.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    weight = tensor("w", np.ones((2, 1)))
    relu = [node("Relu", ["x"], ["r"])]
    last = [node("MatMul", ["r", "w"], ["y"])]
    yield written("input of 2 to the 40", [node("Relu", ["x"], ["y"])], shape=(1, 2**40))
    yield written("input of many axes", [node("Relu", ["x"], ["y"])], shape=(1, *[64] * 9))
    yield written("input of 2 to the 62", [node("Relu", ["x"], ["y"])], shape=(1, 2**31, 2**31))
    lying = tensor("w", np.ones((2, 1)))
    for dims in ((2**40,), (2, 2), (1,), (-1, 2), (2**31, 2**31, 2**31), (0, 5)):
        del lying.dims[:]
        lying.dims.extend(dims)
        yield written(f"dims {dims}", [*relu, *last], [lying])
    short = tensor("w", np.ones((2, 1)))
    short.raw_data = short.raw_data[:-1]
    yield written("a byte too few", [*relu, *last], [short])
    shape = integers("shape", [2**20, 2**20])
    grown = [node("Add", ["x", "z"], ["y"])]
    yield written("ConstantOfShape", [node("ConstantOfShape", ["shape"], ["z"]), *grown], [shape])
    yield written("Expand", [node("Expand", ["w", "shape"], ["z"]), *grown], [shape, weight])
    yield written("Tile", [node("Tile", ["w", "shape"], ["z"]), *grown], [shape, weight])
    yield written("Range", [node("Range", ["a", "b", "c"], ["z"]), *grown],
                  [tensor("a", 0), tensor("b", 1e13), tensor("c", 1)])  # fmt: skip
    yield written("Range of steps of nothing", [node("Range", ["a", "b", "c"], ["z"]), *grown],
                  [tensor("a", 0), tensor("b", 1), tensor("c", 0)])  # fmt: skip
    pads = integers("pads", [0, 2**40, 0, 2**40])
    yield written("Pad of constants", [node("Pad", ["w", "pads"], ["z"]), *grown], [pads, weight])
    yield written("Pad", [node("Pad", ["x", "pads"], ["y"])], [pads])
    yield written("OneHot", [node("OneHot", ["i", "n", "v"], ["z"]), *grown],
                  [integers("i", [0]), integers("n", [2**40]), tensor("v", [0, 1])])  # fmt: skip
    long = tensor("long", np.zeros((50_000, 1)))
    wide = tensor("wide", np.zeros((1, 50_000)))
    outer = [node("MatMul", ["long", "wide"], ["p"]), node("MatMul", ["p", "p"], ["z"])]
    yield written("an outer product", [*[node("Concat", ["long"] * 40, ["l"], axis=0),
                  node("MatMul", ["l", "wide"], ["z"])], *grown], [long, wide])  # fmt: skip
    yield written("products", [*outer, *grown], [long, wide])
    yield written("a broadcast", [node("Concat", ["long"] * 40, ["l"], axis=0),
                  node("Add", ["l", "wide"], ["z"]), *grown], [long, wide])  # fmt: skip
    doubled = [node("Concat", [f"c{i}", f"c{i}"], [f"c{i + 1}"], axis=0) for i in range(45)]
    yield written("doubled and doubled", [*doubled, node("Add", ["x", "c45"], ["y"])],
                  [tensor("c0", np.ones((1, 2)))])  # fmt: skip
    signals = [node("Concat", [f"s{i}", f"s{i}"], [f"s{i + 1}"], axis=1) for i in range(45)]
    yield written("the input doubled", [node("Relu", ["x"], ["s0"]), *signals,
                  node("Relu", ["s45"], ["y"])])  # fmt: skip
    many = [node("Gather", [f"g{i}", "i"], [f"g{i + 1}"], axis=1) for i in range(8)]
    yield written("the input gathered", [node("Relu", ["x"], ["g0"]), *many,
                  node("Relu", ["g8"], ["y"])], [integers("i", [[0] * 100])])  # fmt: skip
    kernel = tensor("k", np.ones((1, 1, 3, 3)))
    yield written("pads of a convolution", [node("Conv", ["x", "k"], ["y"], pads=[2**30] * 4)],
                  [kernel], (1, 1, 4, 4))  # fmt: skip
    yield written("a large pool", [node("MaxPool", ["x"], ["y"], kernel_shape=[2**20, 2**20],
                  pads=[2**19] * 4)], (), (1, 1, 4, 4))  # fmt: skip
    body = helper.make_graph(
        [node("Identity", ["c"], ["d"]), node("Identity", ["a"], ["b"])], "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []),
         helper.make_tensor_value_info("c", TensorProto.BOOL, []),
         helper.make_tensor_value_info("a", float_, None)],
        [helper.make_tensor_value_info("d", TensorProto.BOOL, []),
         helper.make_tensor_value_info("b", float_, None)],
    )  # fmt: skip
    yield written("without end", [node("Loop", ["n", "t", "w"], ["z"], body=body), *grown],
                  [integers("n", 2**62), tensor("t", True, bool), weight])  # fmt: skip
    yield written("random", [node("RandomNormal", [], ["z"], shape=[2**40]), *grown])
    yield written("of another domain", [node("Relu", ["x"], ["y"], domain="evil")])
    places = [node("MaxPool", ["x"], ["m", "places"], kernel_shape=[2, 2]),
              node("Relu", ["places"], ["y"])]  # fmt: skip
    yield written("a second result", places, (), (1, 1, 4, 4))

    def external(name: str, location: str, **entries: str) -> Path:
        kept = tensor("w", np.ones((2, 1)))
        kept.ClearField("raw_data")
        kept.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, **entries}.items():
            entry = kept.external_data.add()
            entry.key, entry.value = key, value
        return written(name, [*relu, *last], [kept])

    (folder / "data.bin").write_bytes(np.ones((2, 1), np.float32).tobytes())
    (folder / "link.bin").symlink_to("/etc/passwd")
    (folder / "folder.bin").mkdir()
    os.mkfifo(folder / "pipe.bin")
    for location in (
        "/etc/passwd", "../../../../../../etc/passwd", "a/../../x", "link.bin", "", "none.bin",
        "folder.bin", "pipe.bin", "/dev/zero", "..\\data.bin", "data.bin/../../x",
    ):  # fmt: skip
        yield external(f"data in {location.replace('/', '_')}", location)
    for key, value in (
        ("offset", "4"), ("length", "4"), ("offset", "-8"), ("length", str(2**60)),
        ("offset", str(2**60)), ("offset", "x"), ("length", "-1"),
    ):  # fmt: skip
        yield external(f"data with {key} {value}", "data.bin", **{key: value})
    good = written("good", [*relu, *last], [weight])
    whole = good.read_bytes()
    good.unlink()
    for name, content in (
        ("nothing", b""), ("rubbish", b"rubbish" * 50), ("half", whole[: len(whole) // 2]),
        ("a pickle", pickle.dumps(Payload())), ("zeros", bytes(1000)),
    ):  # fmt: skip
        (folder / f"{name}.onnx").write_bytes(content)
        yield folder / f"{name}.onnx"
    model = onnx.load_from_string(whole)
    del model.graph.output[:]
    (folder / "no output.onnx").write_bytes(model.SerializeToString())
    yield folder / "no output.onnx"
