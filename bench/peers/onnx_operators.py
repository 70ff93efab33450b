"""Writes an ONNX model of one matrix product for each shape: in f32, and with 8-bit weights and inputs quantised as they come.

    python onnx_operators.py FOLDER KxN [KxN ...]
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

folder = pathlib.Path(sys.argv[1])


def save(name, node, constants, depth, columns):
    graph = helper.make_graph(
        [node],
        name,
        [helper.make_tensor_value_info("A", TensorProto.FLOAT, ["rows", depth])],
        [helper.make_tensor_value_info("C", TensorProto.FLOAT, ["rows", columns])],
        [numpy_helper.from_array(values, key) for key, values in constants.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), folder / f"{name}.onnx")


for shape in sys.argv[2:]:
    depth, columns = map(int, shape.split("x"))
    weights = np.random.default_rng(depth).standard_normal((depth, columns), dtype=np.float32)
    save(f"f32-{shape}", helper.make_node("MatMul", ["A", "B"], ["C"]), {"B": weights}, depth, columns)
    scale = np.abs(weights).max() / 127
    codes = np.round(weights / scale).astype(np.int8)
    node = helper.make_node("DynamicQuantizeMatMul", ["A", "B", "s", "z"], ["C"], domain="com.microsoft")
    save(f"int8-{shape}", node, {"B": codes, "s": np.float32(scale), "z": np.int8(0)}, depth, columns)
