"""Makes a GGUF of each tiny model in test/fixtures/families, as llama.cpp's conversion would: its name maps, its order of
query and key rows, its norms. Needs gguf, safetensors and numpy: python tools/families-gguf.py"""

import json
import math
from pathlib import Path

import gguf
import numpy as np

FAMILIES = Path(__file__).parent.parent / "test/fixtures/families"
ARCHITECTURES = {"mistral": "llama", "gemma3_text": "gemma3"}
INTERLEAVED = {"llama", "mistral", "granite", "smollm3"}


def read_safetensors(path):
    """Every tensor as (type in the file, f32 values)."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        raw = np.frombuffer(data[start:end], dtype={"BF16": "<u2", "F16": "<f2", "F32": "<f4"}[entry["dtype"]])
        if entry["dtype"] == "BF16":
            raw = (raw.astype("<u4") << 16).view("<f4")
        tensors[name] = entry["dtype"], raw.astype("<f4").reshape(entry["shape"])
    return tensors


def interleave(weights, heads):
    """Rows of each head as llama.cpp has them: both halves in turn."""
    halves = weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:])
    return halves.swapaxes(1, 2).reshape(weights.shape)


def add_rope(writer, config, architecture):
    rope = config["rope_parameters"]
    if "full_attention" in rope:
        writer.add_float32(f"{architecture}.rope.freq_base_swa", rope["sliding_attention"]["rope_theta"])
        rope = rope["full_attention"]
    writer.add_rope_freq_base(rope["rope_theta"])
    kind = rope["rope_type"]
    if kind == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    if kind == "longrope":
        original = config["original_max_position_embeddings"]
        factor = config["max_position_embeddings"] / original
        writer.add_rope_scaling_orig_ctx_len(original)
        writer.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(factor) / math.log(original)))
        for length in "long", "short":
            writer.add_tensor(f"rope_factors_{length}.weight", np.array(rope[f"{length}_factor"], dtype="<f4"))
    if kind == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_factors(config, rope))


def llama3_factors(config, rope):
    size = config["head_dim"]
    plain = rope["rope_theta"] ** -(np.arange(0, size, 2) / size)
    wavelengths = 2 * math.pi / plain
    original, low, high = rope["original_max_position_embeddings"], rope["low_freq_factor"], rope["high_freq_factor"]
    smooth = np.clip((original / wavelengths - low) / (high - low), 0, 1)
    return (1 / ((1 - smooth) / rope["factor"] + smooth)).astype("<f4")


def add_tokenizer(writer):
    """256 letters: these models are fed tokens only."""
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list([chr(0x100 + token) for token in range(256)])
    writer.add_token_types([gguf.TokenType.NORMAL] * 256)
    writer.add_token_merges(["\u0100 \u0101"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)


def make(folder):
    config = json.loads((folder / "config.json").read_text())
    family = config["model_type"]
    architecture = ARCHITECTURES.get(family, family)
    layers, heads, kv_heads = (config[f"num_{name}"] for name in ("hidden_layers", "attention_heads", "key_value_heads"))
    head_size = config.get("head_dim", config["hidden_size"] // heads)
    writer = gguf.GGUFWriter(folder / "model.gguf", architecture)
    writer.add_block_count(layers)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_key_length(head_size)
    writer.add_value_length(head_size)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(int(head_size * config.get("partial_rotary_factor", 1)))
    if config.get("sliding_window"):
        writer.add_sliding_window(config["sliding_window"])
    if family == "gemma3_text":
        writer.add_uint32("gemma3.attention.sliding_window_pattern", config["layer_types"].index("full_attention") + 1)
    if "query_pre_attn_scalar" in config:
        writer.add_attention_scale(config["query_pre_attn_scalar"] ** -0.5)
    if config.get("attn_logit_softcapping"):
        writer.add_attn_logit_softcapping(config["attn_logit_softcapping"])
        writer.add_final_logit_softcapping(config["final_logit_softcapping"])
    if family == "granite":
        writer.add_embedding_scale(config["embedding_multiplier"])
        writer.add_residual_scale(config["residual_multiplier"])
        writer.add_attention_scale(config["attention_multiplier"])
        writer.add_logit_scale(config["logits_scaling"])
    add_tokenizer(writer)
    add_rope(writer, config, architecture)
    names = gguf.get_tensor_name_map({v: k for k, v in gguf.MODEL_ARCH_NAMES.items()}[architecture], layers)
    for name, (dtype, values) in read_safetensors(folder / "model.safetensors").items():
        if family.startswith("gemma") and name.endswith("norm.weight"):
            values = values + 1
        if family in INTERLEAVED and ("q_proj" in name or "k_proj" in name):
            values = interleave(values, heads if "q_proj" in name else kv_heads)
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if values.ndim == 1 or dtype == "F32":
            writer.add_tensor(target, np.ascontiguousarray(values, dtype="<f4"))
        elif dtype == "F16":
            writer.add_tensor(target, np.ascontiguousarray(values, dtype="<f2"))
        else:
            raw = gguf.quants.quantize(values, gguf.GGMLQuantizationType.BF16)
            writer.add_tensor(target, raw, raw_dtype=gguf.GGMLQuantizationType.BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


for folder in sorted(FAMILIES.iterdir()):
    # llama.cpp has other betas of YaRN and no period of SmolLM3's in its files.
    if folder.name not in ("yarn", "smollm3"):
        make(folder)
