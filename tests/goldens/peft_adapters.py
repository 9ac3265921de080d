"""Makes tests/data/plugins: two tiny models, a LoRA adapter on each, and what PEFT 0.21.2 merges them to.

    python peft_adapters.py OUT

Needs torch, transformers 5, peft and safetensors; run with HF_HUB_OFFLINE=1.
"""

import pathlib
import shutil
import sys

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

LLAMA = dict(
    vocab_size=24, hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=32, tie_word_embeddings=False,
)
GPT2 = dict(vocab_size=24, n_embd=12, n_layer=1, n_head=2, n_positions=16)

CASES = {
    "llama": (
        lambda: LlamaForCausalLM(LlamaConfig(**LLAMA)),
        dict(
            r=4, lora_alpha=6, use_rslora=True, target_modules=["q_proj", "down_proj"],
            rank_pattern={"layers.0.self_attn.q_proj": 2}, alpha_pattern={"layers.1.mlp.down_proj": 3},
            modules_to_save=["input_layernorm"],
        ),
    ),
    "gpt2": (
        lambda: GPT2LMHeadModel(GPT2Config(**GPT2)),
        dict(r=3, lora_alpha=5, fan_in_fan_out=True, target_modules=["c_attn", "wte"]),
    ),
}


def main(out):
    for name, (make, settings) in CASES.items():
        folder = pathlib.Path(out) / name
        shutil.rmtree(folder, ignore_errors=True)
        torch.manual_seed(7)
        make().save_pretrained(folder / "base")
        torch.manual_seed(7)
        model = get_peft_model(make(), LoraConfig(task_type="CAUSAL_LM", **settings))
        torch.manual_seed(8)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.add_(torch.randn_like(parameter) * 0.1)
        model.peft_config["default"].base_model_name_or_path = "org/base"
        model.save_pretrained(folder / "adapter", save_embedding_layers=False)
        for extra in ["README.md"]:
            (folder / "adapter" / extra).unlink(missing_ok=True)
        merged = model.merge_and_unload().state_dict()
        base = load_file(folder / "base" / "model.safetensors")
        changed = {key: merged[key].contiguous() for key in base if not torch.equal(base[key], merged[key])}
        save_file(changed, folder / "merged.safetensors")
        print(name, sorted(changed), sorted(load_file(folder / "adapter" / "adapter_model.safetensors")))


if __name__ == "__main__":
    main(sys.argv[1])
