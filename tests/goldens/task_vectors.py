"""Makes tests/data/task_vectors/CASE/{a,f1,f2,f3}/… and CASE/expected.json: a base, fine-tunes of it, and what `compare` must say.

    python tests/goldens/task_vectors.py        (needs numpy, torch and safetensors)

Everything is plain float64 numpy over whole arrays, element by element where the program uses an identity. Fused tensors are cut
by slices written out here. F3 of the first case holds A's values.

expected.json holds `rows` and `modules`, each with `fine_tunes` and `pairs` (0-1, 0-2, 1-2) as the report has them.
"""

import itertools
import json
import pathlib
import shutil

import numpy as np
import torch
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parents[1] / "data" / "task_vectors"
SIZES = dict(hidden_size=24, num_attention_heads=4, num_key_value_heads=2, num_hidden_layers=2, intermediate_size=20,
             vocab_size=40, tie_word_embeddings=False)
BF16, F16, F32, F64 = torch.bfloat16, torch.float16, torch.float32, torch.float64
PAIRS = [(0, 1), (0, 2), (1, 2)]
random = np.random.default_rng(20230602)


def rounded(values, dtype):
    return torch.from_numpy(np.asarray(values, dtype=np.float64)).to(dtype)


def changed(base, share, size, dtype, like=None):
    """The base with some elements moved; half of the movement follows another task vector where there is one."""
    values = base.to(F64).numpy()
    step = random.normal(size=values.shape) * size
    if like is not None:
        step = 0.5 * step + (like.to(F64).numpy() - values)
    return rounded(np.where(random.random(values.shape) < share, values + step, values), dtype)


def llama():
    a, f1, f2, f3 = {}, {}, {}, {}
    shapes = {"model.embed_tokens.weight": (40, 24), "model.norm.weight": (24,)}
    for layer in range(2):
        shapes[f"model.layers.{layer}.self_attn.o_proj.weight"] = (24, 24)
        shapes[f"model.layers.{layer}.mlp.down_proj.weight"] = (24, 20)
    for name, shape in shapes.items():
        a[name] = rounded(random.normal(size=shape) * 0.1, F32 if "norm" in name else BF16)
        f1[name] = changed(a[name], 0.5, 0.02, BF16)
        f2[name] = changed(a[name], 0.7, 0.03, F64 if "norm" in name else F32, like=f1[name])
        f3[name] = a[name].to(F32)
    last = "model.layers.1.self_attn.o_proj.weight"
    a[last][3, 5] = float("nan")
    f1[last][0, 0] = float("inf")
    f1[last][3, 5] = float("-inf")
    f2[last][7, 7] = float("nan")
    f3[last] = a[last].clone()
    del f2["model.layers.1.mlp.down_proj.weight"]
    f1["model.embed_tokens.weight"] = torch.zeros(41, 24)
    parts = lambda name: [(role_of(name), lambda array: array)]
    return dict(model_type="llama", **SIZES), [a, f1, f2, f3], parts


def phi3():
    a, f1, f2, f3 = {}, {}, {}, {}
    for layer in range(2):
        for name, shape in [("self_attn.qkv_proj", (48, 24)), ("self_attn.o_proj", (24, 24))]:
            name = f"model.layers.{layer}.{name}.weight"
            a[name] = rounded(random.normal(size=shape), F16)
            f1[name] = changed(a[name], 0.9, 0.1, F16)
            f2[name] = changed(a[name], 0.4, 0.1, F32, like=f1[name])
            f3[name] = changed(a[name], 1.0, 1e-3, BF16)

    def parts(name):
        if "qkv" in name:
            return [("q_proj", lambda array: array[:24]), ("k_proj", lambda array: array[24:36]),
                    ("v_proj", lambda array: array[36:])]
        return [(role_of(name), lambda array: array)]

    return dict(model_type="phi3", pad_token_id=0, **SIZES), [a, f1, f2, f3], parts


def role_of(name):
    known = {"embed_tokens": "embed", "model.norm": "final_norm", "o_proj": "o_proj", "down_proj": "down_proj"}
    return next(role for part, role in known.items() if part in name)


def ratio(part, whole):
    return None if not whole > 0 else float(part / whole)


def compared(a, fine_tunes):
    """`a` and each of `fine_tunes` (None where there is no such tensor) as lists of arrays, one of each tensor."""
    finite = []
    for index, base in enumerate(a):
        kept = np.isfinite(base)
        for arrays in fine_tunes:
            if arrays[index] is not None:
                kept &= np.isfinite(arrays[index])
        finite.append(kept)
    vectors, found = [], []
    for arrays in fine_tunes:
        has = [index for index, array in enumerate(arrays) if array is not None]
        deltas = [None if array is None else array[kept] - base[kept] for array, base, kept in zip(arrays, a, finite)]
        vectors.append(deltas)
        if not has:
            found.append(None)
            continue
        d = np.concatenate([deltas[index].ravel() for index in has])
        base = np.concatenate([a[index][finite[index]].ravel() for index in has])
        found.append(dict(l2_delta=float(np.linalg.norm(d)), l2_relative=ratio(np.linalg.norm(d), np.linalg.norm(base)),
                          l1_delta=float(np.abs(d).sum()), changed=int((d != 0).sum()),
                          non_finite=int(sum((~np.isfinite(arrays[index])).sum() for index in has))))
    pairs = []
    for one, other in PAIRS:
        has = [index for index in range(len(a)) if vectors[one][index] is not None and vectors[other][index] is not None]
        if not has:
            pairs.append(None)
            continue
        x = np.concatenate([vectors[one][index].ravel() for index in has])
        y = np.concatenate([vectors[other][index].ravel() for index in has])
        both = (x != 0) & (y != 0)
        same = both & (np.sign(x) == np.sign(y))
        weight = np.abs(x * y)
        expected = (x != 0).mean() * (y != 0).mean() * x.size if x.size else 0.0
        pairs.append(dict(
            dot=float(x @ y), cosine=ratio_signed(x @ y, np.linalg.norm(x) * np.linalg.norm(y)),
            changed_in_both=int(both.sum()), jaccard=ratio(both.sum(), ((x != 0) | (y != 0)).sum()),
            jaccard_by_chance=ratio(expected, (x != 0).sum() + (y != 0).sum() - expected),
            same_sign=int(same.sum()), conflict=ratio((both & ~same).sum(), both.sum()),
            conflict_weighted=ratio(weight[both & ~same].sum(), weight.sum())))
    up, down = 0.0, 0.0
    against = 0.0
    for index in range(len(a)):
        deltas = [vector[index] for vector in vectors if vector[index] is not None]
        if deltas:
            rising = sum(np.maximum(delta, 0) for delta in deltas)
            falling = sum(np.maximum(-delta, 0) for delta in deltas)
            up, down = up + rising.sum(), down + falling.sum()
            against += np.minimum(rising, falling).sum()
    return dict(elements=int(sum(base.size for base in a)), left_out=int(sum((~kept).sum() for kept in finite)),
                non_finite_a=int(sum((~np.isfinite(base)).sum() for base in a)),
                l2_a=float(np.sqrt(sum((base[kept] ** 2).sum() for base, kept in zip(a, finite)))),
                fine_tunes=found, pairs=pairs, against_elected_sign=ratio(against, up + down))


def ratio_signed(part, whole):
    return None if not whole > 0 else float(part / whole)


def make(name, config, models, parts):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    for side, tensors in zip(["a", "f1", "f2", "f3"], models):
        (folder / side).mkdir(parents=True)
        save_file(tensors, folder / side / "model.safetensors")
        (folder / side / "config.json").write_text(json.dumps(config) + "\n")
    a, *fine_tunes = models
    rows, by_role = [], {}
    for tensor in sorted(a):
        if not any(tensor in model and model[tensor].shape == a[tensor].shape for model in fine_tunes):
            continue
        for role, cut in parts(tensor):
            base = cut(a[tensor].to(F64).numpy())
            others = [cut(model[tensor].to(F64).numpy()) if tensor in model and model[tensor].shape == a[tensor].shape else None
                      for model in fine_tunes]
            rows.append(dict(name=tensor, role=role, **compared([base], [[other] for other in others])))
            by_role.setdefault(role, []).append((base, others))
    modules = []
    for role, members in by_role.items():
        bases = [base for base, _ in members]
        arrays = [[others[index] for _, others in members] for index in range(len(fine_tunes))]
        modules.append(dict(role=role, tensors=len(members), **compared(bases, arrays)))
    (folder / "expected.json").write_text(json.dumps(dict(rows=rows, modules=modules), indent=1) + "\n")


if __name__ == "__main__":
    with np.errstate(invalid="ignore"):
        make("llama", *llama())
        make("phi3", *phi3())
