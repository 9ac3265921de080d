"""Makes tests/data/goldens/merge.safetensors: small tensors, and what mergekit makes of them.

    python tests/goldens/merge.py

Needs mergekit 0.1.5 from PyPI, which brings torch and safetensors; only its public `merge_tensors` is called. The metadata
hold the cases: the method, which tensors it was given, its parameters, and for random methods what was counted over many
seeds instead of an output.
"""

import importlib.metadata
import json
import pathlib

import torch
from mergekit.merge_methods import merge_tensors
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parents[1] / "data" / "goldens" / "merge.safetensors"
SHAPES = {"matrix": (12, 21), "vector": (26,), "stack": (3, 4, 5)}

# Every value of `per` stands for the models a, b, c in turn.
CASES = [
    ("linear", "abc", False, {"weight": [1.0, 3.0, 0.5]}, {}),
    ("linear", "abc", False, {"weight": [1.0, -0.4, 0.5]}, {"normalize": False}),
    ("slerp", "a", True, {}, {"t": 0.3}),
    ("slerp", "a", True, {}, {"t": 0.0}),
    ("slerp", "a", True, {}, {"t": 1.0}),
    ("slerp", "n", True, {}, {"t": 0.3}),
    ("slerp", "z", True, {}, {"t": 0.3}),
    ("nuslerp", "ab", False, {"weight": [1.0, 3.0]}, {}),
    ("nuslerp", "ab", True, {"weight": [1.0, 3.0]}, {}),
    ("nuslerp", "ab", True, {"weight": [1.0, 3.0]}, {"nuslerp_flatten": False}),
    ("nuslerp", "ab", False, {"weight": [2.0, 3.0]}, {"nuslerp_flatten": False, "nuslerp_row_wise": True}),
    ("nuslerp", "az", False, {"weight": [1.0, 3.0]}, {}),
    ("multislerp", "a", False, {"weight": [2.0]}, {"normalize_weights": False}),
    ("multislerp", "ab", False, {"weight": [1.0, 3.0]}, {}),
    ("multislerp", "abc", False, {"weight": [1.0, 2.0, 0.5]}, {}),
    ("multislerp", "abc", True, {"weight": [1.0, 2.0, 0.5]}, {}),
    ("multislerp", "abc", True, {"weight": [1.0, 2.0, 0.5]}, {"normalize_weights": False}),
    ("multislerp", "abc", False, {"weight": [1.0, 2.0, 0.5]}, {"eps": 1e-3}),
    ("karcher", "a", False, {}, {}),
    ("karcher", "ab", False, {}, {}),
    ("karcher", "abc", False, {}, {}),
    ("karcher", "abc", False, {}, {"max_iter": 1}),
    ("karcher", "abc", False, {}, {"tol": 0.05}),
    ("karcher", "abz", False, {}, {}),
    ("passthrough", "a", False, {}, {}),
    ("passthrough", "a", False, {"scale": [0.3]}, {}),
    ("task_arithmetic", "abc", True, {"weight": [0.5, -0.3, 1.2]}, {}),
    ("task_arithmetic", "abc", True, {"weight": [0.5, 0.3, 1.2]}, {"normalize": True, "lambda": 0.7}),
    ("task_arithmetic", "abc", True, {"weight": [1.0, -1.0, 0.0]}, {"normalize": True}),
    ("task_arithmetic", "ab", True, {"weight": [1.0, 1.0], "density": [0.5, 0.5]}, {"rescale": True}),
    ("ties", "abc", True, {"weight": [0.5, -0.3, 1.2], "density": [0.5, 0.2, 0.7]}, {}),
    ("ties", "abc", True, {"weight": [0.5, 0.3, 1.2], "density": [0.5, 0.2, 0.7]}, {"normalize": False, "lambda": 1.3}),
    ("ties", "abc", True, {"weight": [1.0, 1.0, 1.0], "density": [1.0, 0.9, 0.001]}, {"rescale": True}),
    ("ties", "abc", True, {"weight": [1.0, 1.0, 1.0], "density": [0.29, 0.0, 0.57]}, {"int8_mask": True}),
    ("dare_linear", "abc", True, {"weight": [0.5, 0.3, 1.2]}, {"lambda": 0.7}),
    ("dare_linear", "abc", True, {"weight": [0.5, 0.3, 1.2], "density": [0.0, 1.0, 0.0]}, {}),
    ("dare_ties", "abc", True, {"weight": [0.5, 0.3, 1.2]}, {}),
    ("dare_ties", "abc", True, {"weight": [0.5, -0.3, 1.2]}, {"normalize": True}),
    ("della", "abc", True, {"weight": [0.5, 0.3, 1.2]}, {}),
    ("della_linear", "abc", True, {"weight": [0.5, 0.3, 1.2]}, {}),
    ("breadcrumbs", "abc", True, {"weight": [0.5, -0.3, 1.2], "density": [0.5, 0.9, 0.3], "gamma": [0.1, 0.01, 0.3]}, {}),
    ("breadcrumbs", "abc", True, {"weight": [1.0, 1.0, 1.0], "density": [0.95, 1.0, 0.29], "gamma": [0.1, 0.1, 0.13]},
     {"rescale": True}),
    ("breadcrumbs_ties", "abc", True, {"weight": [0.5, -0.3, 1.2], "density": [0.5, 0.9, 0.3]}, {}),
    ("breadcrumbs_ties", "abc", True, {"weight": [0.5, 0.3, 1.2], "density": [0.8, 0.6, 0.01], "gamma": [0.05, 0.02, 0.2]},
     {"normalize": True, "lambda": 0.5}),
    ("model_stock", "ab", True, {}, {}),
    ("model_stock", "abc", True, {}, {}),
    ("model_stock", "abc", True, {}, {"filter_wise": True}),
    ("model_stock", "abu", True, {}, {}),
    ("nearswap", "a", True, {}, {"t": 0.01}),
    ("nearswap", "a", True, {}, {"t": 0.2}),
    ("nearswap", "h", True, {}, {"t": 0.0}),
    ("arcee_fusion", "a", True, {}, {}),
    ("arcee_fusion", "b", True, {}, {}),
    ("sce", "abc", True, {}, {}),
    ("sce", "abc", True, {}, {"select_topk": 0.29}),
    ("sce", "ab", True, {}, {"select_topk": 0.7}),
    ("sce", "a", True, {}, {"select_topk": 0.5}),
    ("sce", "ah", True, {}, {"select_topk": 0.5}),
    ("ram", "abc", True, {}, {}),
    ("ram", "abc", True, {}, {"epsilon": 0.2}),
    ("ramplus_tl", "abc", True, {}, {"epsilon": 0.2}),
    ("ramplus_tl", "abc", True, {}, {"epsilon": 0.3, "r": 0.7, "alpha": 3.0}),
]

# Where mergekit computes in bfloat16, its result is that of several roundings; these it computes in float32, or rounds once.
BFLOAT16 = [
    ("linear", "abc", False, {"weight": [0.3, 0.5, 0.9]}, {}),
    ("slerp", "a", True, {}, {"t": 0.3}),
    ("passthrough", "a", False, {"scale": [0.3]}, {}),
]

# Counted over SEEDS seeds.
SEEDS = 400
RANDOM = [
    ("dare_linear", {"density": 0.3}, {}),
    ("dare_ties", {"density": 0.7}, {}),
    ("della_linear", {"density": 0.5, "epsilon": 0.3}, {}),
    ("della", {"density": 0.4, "epsilon": 0.1}, {"rescale": False}),
]


def inputs(shape: tuple[int, ...], generator: torch.Generator) -> dict[str, torch.Tensor]:
    base = torch.randn(shape, generator=generator)
    common = torch.randn(shape, generator=generator)
    change = lambda size: base + size * (common + 2 * torch.randn(shape, generator=generator))
    models = {"base": base, "a": change(0.1), "b": change(0.15), "c": change(0.08)}
    # Near the base, without a change, half changed, and nothing.
    models["n"] = base + 0.001 * common
    models["u"] = base.clone()
    models["h"] = torch.where(torch.rand(shape, generator=generator) < 0.5, base, models["a"])
    models["z"] = torch.zeros(shape)
    return models


def merged(method: str, models: list[torch.Tensor], base: torch.Tensor | None, parameters: dict) -> torch.Tensor:
    if base is None:
        return merge_tensors(models, method, parameters=parameters)
    return merge_tensors([base, *models], method, parameters=parameters, base_index=0)


def counted(method: str, per: dict, shared: dict) -> dict:
    """What a random method keeps of a fixed delta, which the test makes again: rows of nine, in no order of size."""
    rows, columns = 40, 9
    delta = (torch.arange(rows * columns) * 7919 % 367 - 183.0).reshape(rows, columns) / 100
    ranks = delta.abs().argsort(dim=1, stable=True).argsort(dim=1)
    kept, mean, square = torch.zeros(columns), 0.0, 0.0
    parameters = {"weight": [1.0], **{name: [value] for name, value in per.items()}, **shared}
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        out = merged(method, [delta], torch.zeros_like(delta), parameters)
        kept.scatter_add_(0, ranks.flatten(), (out != 0).float().flatten())
        mean += out.double().mean().item() / SEEDS
        square += out.double().square().mean().item() / SEEDS
    return {"seeds": SEEDS, "kept_by_rank": (kept / (rows * SEEDS)).tolist(), "mean": mean, "mean_square": square}


def main() -> None:
    generator = torch.Generator().manual_seed(5)
    tensors, cases = {}, []
    for shape_name, shape in SHAPES.items():
        models = inputs(shape, generator)
        tensors |= {f"{shape_name}.{name}": tensor for name, tensor in models.items()}
        kinds = [("f32", CASES, torch.float32)] + ([("bf16", BFLOAT16, torch.bfloat16)] if shape_name == "matrix" else [])
        for dtype_name, list_of_cases, dtype in kinds:
            for method, names, has_base, per, shared in list_of_cases:
                given = [models[name].to(dtype) for name in names]
                base = models["base"].to(dtype) if has_base else None
                name = f"out.{len(cases)}"
                tensors[name] = merged(method, given, base, {**per, **shared}).clone(memory_format=torch.contiguous_format)
                cases.append({
                    "out": name, "method": method, "shape": shape_name, "dtype": dtype_name, "models": names,
                    "base": has_base, "per_model": per, "merge": shared,
                })
    random = [
        {"method": method, "per_model": per, "merge": shared, **counted(method, per, shared)}
        for method, per, shared in RANDOM
    ]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    metadata = {
        "cases": json.dumps(cases),
        "random": json.dumps(random),
        "made_by": f"mergekit {importlib.metadata.version('mergekit')}, torch {torch.__version__}",
    }
    save_file(tensors, OUT, metadata)


if __name__ == "__main__":
    main()
