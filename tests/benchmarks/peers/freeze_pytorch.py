"""Trains with PyTorch and transformers what `cargo xtask bench freeze` trains with this program: the same model, the same
examples, one to a step, AdamW, F32. Prints JSON.

    python freeze_pytorch.py FOLDER EXAMPLES.jsonl --level F2 --steps 4 --threads 2
"""

import argparse
import json
import resource
import time

import torch
from transformers import AutoModelForCausalLM

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("examples")
parser.add_argument("--level", choices=["F1", "F2", "F3", "F4"], required=True)
parser.add_argument("--steps", type=int, default=4)
parser.add_argument("--threads", type=int, required=True)
arguments = parser.parse_args()

torch.set_num_threads(arguments.threads)
model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32, attn_implementation="sdpa")
model.config.use_cache = False
attention = ["q_proj", "k_proj", "v_proj", "o_proj"]
chosen = {"F1": [], "F2": ["o_proj"], "F3": attention, "F4": [""]}[arguments.level]
chosen = chosen + ["embed", "lm_head", "norm"]
for name, parameter in model.named_parameters():
    parameter.requires_grad = any(part in name for part in chosen)
trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
optimiser = torch.optim.AdamW(trained, lr=1e-6, betas=(0.9, 0.95), weight_decay=1e-4)
rows = [json.loads(line)["token_ids"] for line in open(arguments.examples)]

model.train()
seconds = []
for step in range(arguments.steps):
    tokens = torch.tensor([rows[step % len(rows)]])
    start = time.perf_counter()
    loss = model(input_ids=tokens, labels=tokens).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    seconds.append(time.perf_counter() - start)

fastest = min(seconds[1:])
print(
    json.dumps(
        {
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "trained_parameters": sum(parameter.numel() for parameter in trained),
            "step_seconds": fastest,
            "tokens_per_second": (len(rows[0]) - 1) / fastest,
            "loss": loss.item(),
            "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
    )
)
