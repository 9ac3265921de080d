"""Makes tests/data/recipes: two tiny models, recipes of mergekit, and what mergekit 0.1.5 makes of them.

    python recipes.py OUT

Needs torch, transformers and mergekit 0.1.5; run with HF_HUB_OFFLINE=1. Recipes name the models `a` and `b`, relative to OUT.
"""

import pathlib
import shutil
import subprocess
import sys

import torch
from transformers import LlamaConfig, LlamaForCausalLM

RECIPES = {
    "gradient": """
merge_method: linear
models:
  - model: a
    parameters: {weight: 1}
  - model: b
    parameters: {weight: [0.25, 1, 0.5]}
""",
    "filters": """
merge_method: linear
models:
  - model: a
    parameters:
      weight:
        - filter: self_attn
          value: [1, 0]
        - filter: mlp
          value: 0.3
  - model: b
parameters:
  weight: 0.5
  normalize:
    - filter: norm
      value: true
    - value: false
dtype: float32
out_dtype: bfloat16
""",
    "slices": """
merge_method: linear
slices:
  - sources:
      - model: a
        layer_range: [0, 3]
        parameters: {weight: 0.5}
      - model: b
        layer_range: [1, 4]
        parameters: {weight: [0.25, 1]}
  - sources:
      - model: b
        layer_range: [2, 4]
      - model: a
        layer_range: [2, 4]
        parameters: {weight: 0.75}
    parameters: {weight: 0.125}
parameters: {normalize: false}
dtype: float32
""",
    "frankenmerge": """
merge_method: passthrough
slices:
  - sources:
      - model: a
        layer_range: [0, 3]
  - sources:
      - model: b
        layer_range: [1, 4]
        parameters:
          scale:
            - filter: down_proj
              value: 0.5
            - value: 1
""",
    "base": """
merge_method: slerp
base_model: a
models:
  - model: b
parameters:
  t:
    - filter: self_attn
      value: [0, 0.5, 1]
    - value: 0.5
""",
}


def model(folder, seed):
    torch.manual_seed(seed)
    config = LlamaConfig(
        hidden_size=8,
        intermediate_size=12,
        num_hidden_layers=4,
        num_attention_heads=2,
        num_key_value_heads=1,
        vocab_size=10,
        tie_word_embeddings=False,
        initializer_range=0.5,
    )
    made = LlamaForCausalLM(config)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.25)
    made.to(torch.bfloat16).save_pretrained(folder)
    (folder / "generation_config.json").unlink()


def main(out):
    out.mkdir(parents=True, exist_ok=True)
    for name, seed in [("a", 1), ("b", 2)]:
        model(out / name, seed)
    program = pathlib.Path(sys.executable).with_name("mergekit-yaml")
    for name, recipe in RECIPES.items():
        path = out / f"{name}.yaml"
        path.write_text(recipe.lstrip())
        made = out / name
        shutil.rmtree(made, ignore_errors=True)
        # It fails at the end for want of a tokenizer to look up, when the weights are written.
        subprocess.run([program, path.name, name, "--no-copy-tokenizer", "--no-write-model-card"], cwd=out)
        for file in made.iterdir():
            if file.name not in ("model.safetensors", "config.json") and not file.name.startswith("model-"):
                file.unlink()
        print(name, sorted(file.name for file in made.iterdir()))


main(pathlib.Path(sys.argv[1]))
