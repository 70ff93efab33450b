"""Writes a GGUF file of the Llama architecture as an ONNX decoder with 8-bit weights: the operators that onnxruntime-genai's builder and
onnxruntime's dynamic quantisation end up with, which transformers.js runs.

Inputs: input_ids [1, n], seqlens_k [1] (past + n - 1), total_sequence_length (past + n), past.L.key and past.L.value
[1, key heads, past, head size]. Outputs: logits of the last position [1, vocabulary], present.L.key and present.L.value.

    python onnx_decoder.py IN.gguf OUT.onnx
"""

import sys

import gguf
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

source, target = sys.argv[1:]
reader = gguf.GGUFReader(source)
setting = lambda name: reader.fields[f"llama.{name}"].contents()
weights = {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in reader.tensors}
layers, width = setting("block_count"), setting("embedding_length")
heads, key_heads = setting("attention.head_count"), setting("attention.head_count_kv")
size = setting("rope.dimension_count")
epsilon = setting("attention.layer_norm_rms_epsilon")
positions = setting("context_length")
nodes, constants = [], []


def constant(name, values):
    constants.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
    return name


def node(operator, inputs, output, domain="", **attributes):
    outputs = output if isinstance(output, list) else [output]
    nodes.append(helper.make_node(operator, inputs, outputs, domain=domain, name=outputs[0], **attributes))
    return outputs[0]


def quantised(name, matrix):
    """[rows, depth] as int8 [depth, rows] with a scale for each row."""
    scale = np.abs(matrix).max(axis=1) / 127
    codes = np.round(matrix / scale[:, None]).astype(np.int8).T
    return [constant(name, codes), constant(f"{name}.scale", scale), constant(f"{name}.zero", np.zeros(len(scale), np.int8))]


def product(values, name, matrix):
    return node("DynamicQuantizeMatMul", [values, *quantised(name, matrix)], f"{name}.out", "com.microsoft")


def norm(values, name):
    return node("SimplifiedLayerNormalization", [values, constant(name, weights[name])], f"{name}.out", axis=-1, epsilon=epsilon)


def halves(matrix, count):
    """Rows of queries and keys from llama.cpp's order, pairs side by side, to halves."""
    return matrix.reshape(count, size // 2, 2, -1).swapaxes(1, 2).reshape(matrix.shape)


angles = np.outer(np.arange(positions), setting("rope.freq_base") ** (-np.arange(0, size, 2) / size))
constant("cosines", np.cos(angles).astype(np.float32))
constant("sines", np.sin(angles).astype(np.float32))
table = weights["token_embd.weight"]
scale = np.abs(table).max() / 127
codes = node("Gather", [constant("table", np.round(table / scale).astype(np.int8)), "input_ids"], "codes")
hidden = node("DequantizeLinear", [codes, constant("table.scale", np.float32(scale)), constant("table.zero", np.int8(0))], "embedded")
for layer in range(layers):
    tensor = lambda name: weights[f"blk.{layer}.{name}.weight"]
    normed = norm(hidden, f"blk.{layer}.attn_norm.weight")
    queries = product(normed, f"q.{layer}", halves(tensor("attn_q"), heads))
    keys = product(normed, f"k.{layer}", halves(tensor("attn_k"), key_heads))
    values = product(normed, f"v.{layer}", tensor("attn_v"))
    past = [f"past.{layer}.{part}" for part in ("key", "value")]
    attended = node(
        "GroupQueryAttention",
        [queries, keys, values, *past, "seqlens_k", "total_sequence_length", "cosines", "sines"],
        [f"attended.{layer}", *(name.replace("past", "present") for name in past)],
        "com.microsoft",
        num_heads=heads,
        kv_num_heads=key_heads,
        do_rotary=1,
        rotary_interleaved=0,
    )
    hidden = node("Add", [hidden, product(attended, f"o.{layer}", tensor("attn_output"))], f"middle.{layer}")
    normed = norm(hidden, f"blk.{layer}.ffn_norm.weight")
    gate = product(normed, f"gate.{layer}", tensor("ffn_gate"))
    silu = node("Mul", [gate, node("Sigmoid", [gate], f"sigmoid.{layer}")], f"silu.{layer}")
    gated = node("Mul", [silu, product(normed, f"up.{layer}", tensor("ffn_up"))], f"gated.{layer}")
    hidden = node("Add", [hidden, product(gated, f"down.{layer}", tensor("ffn_down"))], f"hidden.{layer}")
last = node("Gather", [hidden, constant("last", np.int64(-1))], "last.out", axis=1)
logits = product(norm(last, "output_norm.weight"), "head", weights.get("output.weight", table))
node("Identity", [logits], "logits")

value = helper.make_tensor_value_info
caches = lambda when, length: [
    value(f"{when}.{layer}.{part}", TensorProto.FLOAT, [1, key_heads, length, size]) for layer in range(layers) for part in ("key", "value")
]
graph = helper.make_graph(
    nodes,
    "decoder",
    [
        value("input_ids", TensorProto.INT64, [1, "n"]),
        value("seqlens_k", TensorProto.INT32, [1]),
        value("total_sequence_length", TensorProto.INT32, []),
        *caches("past", "past"),
    ],
    [value("logits", TensorProto.FLOAT, [1, len(table)]), *caches("present", "total")],
    constants,
)
opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), target)
