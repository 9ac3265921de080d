"""Logits and greedy continuations of tiny random decoders, by the transformers library.

Needs torch and transformers 5. Writes one JSON file for each model into crates/lm/goldens. The weights are a function of
their names and are not written down: crates/lm makes the same ones (see `weight` below and its twin in the tests).

    python tests/goldens/decoders.py
"""

import json
import pathlib
import tempfile

import numpy
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM, Gemma2Config, LlamaConfig, MambaConfig, MistralConfig, MixtralConfig, Phi3Config, Qwen2Config,
    Qwen3Config, Qwen3MoeConfig,
)

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/lm/goldens"
NEW_TOKENS = 32
PROMPTS = [[5, 17, 80, 3, 41], [90], [7, 7, 22, 1, 64, 33, 12, 70, 2, 95, 50, 31, 8]]
SIZES = dict(
    vocab_size=96, hidden_size=48, intermediate_size=80, num_hidden_layers=3, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=128, bos_token_id=0, eos_token_id=1, pad_token_id=0,
)
MODELS = {
    "llama3": LlamaConfig(**SIZES, rms_norm_eps=1e-5, rope_parameters=dict(
        rope_type="llama3", rope_theta=500.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=32)),
    "llama_yarn": LlamaConfig(**SIZES, rope_parameters=dict(
        rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=32)),
    "llama_linear": LlamaConfig(**SIZES, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, rope_parameters=dict(
        rope_type="linear", rope_theta=10000.0, factor=2.0)),
    "qwen2": Qwen2Config(**SIZES, tie_word_embeddings=True),
    "qwen2_window": Qwen2Config(**SIZES, use_sliding_window=True, sliding_window=4, max_window_layers=1),
    "qwen3": Qwen3Config(**SIZES, head_dim=16),
    "qwen3_moe": Qwen3MoeConfig(**SIZES, head_dim=16, num_experts=6, num_experts_per_tok=3, moe_intermediate_size=24,
                                norm_topk_prob=True, mlp_only_layers=[1]),
    "qwen3_moe_step": Qwen3MoeConfig(**SIZES, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=24,
                                     decoder_sparse_step=2),
    "mistral": MistralConfig(**SIZES, sliding_window=6),
    "gemma2": Gemma2Config(**SIZES, head_dim=16, query_pre_attn_scalar=20, sliding_window=5,
                           attn_logit_softcapping=2.0, final_logit_softcapping=3.0),
    "mamba": MambaConfig(vocab_size=96, hidden_size=48, num_hidden_layers=3, state_size=8, bos_token_id=0, eos_token_id=1,
                         use_bias=True),
    "mixtral": MixtralConfig(**SIZES, num_local_experts=4, num_experts_per_tok=2),
    "phi3": Phi3Config(**{**SIZES, "hidden_size": 64}, partial_rotary_factor=0.5),
    # Of the prompts one is long from the start; the answers to the others become long on their way.
    "phi3_longrope": Phi3Config(
        **{**SIZES, "hidden_size": 64}, partial_rotary_factor=0.5, original_max_position_embeddings=8,
        rope_parameters=dict(rope_type="longrope", rope_theta=10000.0, short_factor=[1.0, 1.1, 1.3, 1.6],
                             long_factor=[1.2, 2.5, 5.0, 12.0])),
}


def weight(name, shape, one_plus):
    """Numbers that follow from the name: a hash of it and of the element's index."""
    key = 2166136261
    for byte in name.encode():
        key = (key ^ byte) * 16777619 % 2**32
    count = int(numpy.prod(shape))
    x = (numpy.arange(count, dtype=numpy.uint64) * 2654435761 + key) % 2**32
    for shift, factor in [(16, 0x7FEB352D), (15, 0x846CA68B)]:
        x ^= x >> shift
        x = x * factor % 2**32
    x ^= x >> 16
    uniform = (x >> 8).astype(numpy.float32) * numpy.float32(2**-24) - numpy.float32(0.5)
    if "norm" in name:
        numbers = uniform * numpy.float32(0.5) + numpy.float32(0.0 if one_plus else 1.0)
    else:
        # Small embeddings, so that a model does more than repeat what it reads.
        numbers = uniform * numpy.float32(0.125 if "embed" in name else 0.75)
    return torch.from_numpy(numbers.reshape(shape))


def golden(config):
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    one_plus = config.model_type == "gemma2"
    order = {name: place for place, (name, _) in enumerate(model.named_parameters())}
    with tempfile.TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        written = json.loads((pathlib.Path(folder) / "config.json").read_text())
        # The names and shapes are those of files, which are not always those that the library has in memory.
        model.save_pretrained(folder)
        file = str(pathlib.Path(folder) / "model.safetensors")
        shapes = {name: list(tensor.shape) for name, tensor in load_file(file).items()}
        names = sorted(shapes, key=lambda name: (order.get(name, len(order)), name))
        save_file({name: weight(name, shapes[name], one_plus) for name in names}, file, {"format": "pt"})
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    tensors = [{"name": name, "shape": shapes[name]} for name in names]
    answers = []
    for prompt in PROMPTS:
        tokens = list(prompt)
        first = None
        with torch.no_grad():
            for _ in range(NEW_TOKENS):
                logits = model(torch.tensor([tokens]), use_cache=False).logits[0, -1]
                first = logits if first is None else first
                tokens.append(int(logits.argmax()))
        answers.append({
            "prompt": prompt,
            "logits": [float(f"{x:.7g}") for x in first.tolist()],
            "greedy": tokens[len(prompt):],
        })
    return {"transformers": transformers.__version__, "config": written, "tensors": tensors, "answers": answers}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name, config in MODELS.items():
        text = json.dumps(golden(config), separators=(",", ":"))
        (OUT / f"{name}.json").write_text(text.replace('],"tensors"', '],\n"tensors"').replace('"answers"', '\n"answers"') + "\n")
        print(name)


if __name__ == "__main__":
    main()
