"""Gradients, losses of training and schedules of tiny decoders, by PyTorch and the transformers library.

Needs torch and transformers 5. Writes crates/lm/goldens/training.json. Weights are those of decoders.py. A gradient is not
written down whole: its Euclidean norm is, and its products with a few fixed vectors (`weight` of "probe.0" and so on), whose
error is of the size of the gradient's.

    python tests/goldens/training.py
"""

import contextlib
import json
import pathlib
import tempfile

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, get_scheduler

from decoders import MODELS, OUT, SIZES, weight

PROBES = 8
GRADIENTS = ["llama", "llama_linear", "qwen2", "qwen3", "gemma2", "phi3", "mixtral", "qwen3_moe", "mamba"]
STEPS = 20
WARMUP = 3
RATE = 3e-3
CLIP = 1.0
RUNS = {
    "qwen3": ["self_attn.o_proj", "norm", "embed_tokens", "lm_head"],
    "qwen2": [""],
}


def model_of(name):
    """The model with the weights that follow from their names, in the names and shapes of files."""
    config = LlamaConfig(**SIZES) if name == "llama" else MODELS[name]
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        file = str(pathlib.Path(folder) / "model.safetensors")
        shapes = {key: list(tensor.shape) for key, tensor in load_file(file).items()}
        numbers = {key: weight(key, shape, config.model_type == "gemma2") for key, shape in shapes.items()}
        save_file(numbers, file, {"format": "pt"})
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager").eval()
    return model, json.loads(config.to_json_string(use_diff=False)), shapes


def example(seed, length, first):
    """Tokens below 96 that follow from a seed, and those that are to be learnt: from `first` on, but every fifth."""
    tokens = [int(x) for x in torch.randint(2, 96, (length,), generator=torch.Generator().manual_seed(seed))]
    return {"tokens": tokens, "is_target": [at >= first and at % 5 != 0 for at in range(length)]}


def loss_of(model, examples):
    """The mean cross-entropy over all tokens to be learnt, each sequence computed alone."""
    losses = []
    for one in examples:
        tokens = torch.tensor([one["tokens"]])
        logits = model(tokens, use_cache=False).logits[0, :-1].float()
        losses_here = torch.nn.functional.cross_entropy(logits, tokens[0, 1:], reduction="none")
        losses.append(losses_here[torch.tensor(one["is_target"][1:])])
    return torch.cat(losses).mean()


@contextlib.contextmanager
def wide():
    """The library asks for F32 in norms and softmaxes by name; within this, F64 stays F64 there too."""
    narrow_to, narrow_float, narrow_softmax = torch.Tensor.to, torch.Tensor.float, torch.nn.functional.softmax
    is_wide = lambda x: x.dtype == torch.float64
    stay = lambda x: torch.float64 if x is torch.float32 else x

    def to(self, *given, **named):
        if is_wide(self):
            given, named = [stay(one) for one in given], {key: stay(one) for key, one in named.items()}
        return narrow_to(self, *given, **named)

    def softmax(x, *given, **named):
        return narrow_softmax(x, *given, **({key: stay(one) for key, one in named.items()} if is_wide(x) else named))

    torch.Tensor.to, torch.nn.functional.softmax = to, softmax
    torch.Tensor.float = lambda self: self if is_wide(self) else narrow_float(self)
    try:
        yield
    finally:
        torch.Tensor.to, torch.Tensor.float, torch.nn.functional.softmax = narrow_to, narrow_float, narrow_softmax


def gradients(name, examples):
    """In F64, since PyTorch's own in F32 are off by up to 2e-5 where terms of a sum nearly cancel."""
    model, config, shapes = model_of(name)
    with wide():
        loss = loss_of(model.double(), examples)
        loss.backward()
    assert loss.dtype == torch.float64
    with tempfile.TemporaryDirectory() as folder:
        for parameter in model.parameters():
            parameter.data = parameter.grad
        # The library's way from what it has in memory to what is in files is linear, so it is also that of gradients.
        model.save_pretrained(folder)
        stored = load_file(str(pathlib.Path(folder) / "model.safetensors"))
    tensors = []
    for key, gradient in stored.items():
        assert gradient.dtype == torch.float64
        probes = [weight(f"probe.{probe}", shapes[key], False).double() for probe in range(PROBES)]
        numbers = [gradient.norm()] + [(probe * gradient).sum() for probe in probes]
        tensors.append({"name": key, "shape": shapes[key], "numbers": [float(f"{x:.8g}") for x in numbers]})
    return {"model": name, "config": config, "loss": loss.item(), "tensors": tensors}


def run(name, chosen):
    model, _, _ = model_of(name)
    for key, parameter in model.named_parameters():
        parameter.requires_grad_(any(part in key for part in chosen))
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=RATE, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    schedule = get_scheduler("cosine", optimiser, WARMUP, STEPS)
    losses, norms = [], []
    batches = [[example(100 + 2 * step, 15, 4), example(101 + 2 * step, 10, 3)] for step in range(4)]
    for step in range(STEPS):
        loss = loss_of(model, batches[step % len(batches)])
        optimiser.zero_grad()
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(trained, CLIP)))
        losses.append(loss.item())
        optimiser.step()
        schedule.step()
    return {"model": name, "chosen": chosen, "batches": batches, "losses": losses, "norms": norms}


def schedule(kind):
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    kind = get_scheduler(kind, optimiser, WARMUP, STEPS)
    factors = []
    for _ in range(STEPS + 2):
        factors.append(kind.get_last_lr()[0])
        optimiser.step()
        kind.step()
    return factors


def main():
    examples = [example(1, 14, 5), example(2, 9, 2)]
    golden = {
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "examples": examples,
        "gradients": [gradients(name, examples) for name in GRADIENTS],
        "runs": [run(name, chosen) for name, chosen in RUNS.items()],
        "schedules": {
            "constant": schedule("constant_with_warmup"), "linear": schedule("linear"), "cosine": schedule("cosine"),
        },
    }
    text = json.dumps(golden, separators=(",", ":"))
    (OUT / "training.json").write_text(text.replace('{"model"', '\n{"model"').replace('{"name"', '\n{"name"') + "\n")


if __name__ == "__main__":
    main()
