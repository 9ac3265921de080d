"""Makes tests/data/delta/CASE/{a,b}/… and CASE/expected.json: small pairs of checkpoints, and what `delta` must say of them.

    python tests/goldens/make_delta.py        (needs numpy, torch, safetensors and transformers 5)

The numbers are plain float64 numpy over whole arrays; the distributions follow DESIGN.md's text in float32 numpy. Block-scaled
FP8 is dequantised by torch, MXFP4 by transformers. Fused tensors are cut by numpy slicing written out for each case, so that
nothing here knows how the program describes a slice.

expected.json holds `rows` (one per module parameter), `modules`, `unpaired`, and `selections` (a selection -> its rows).
A distribution is {bins: [[bin, count], …], below, above, undefined, unchanged}; `ulps` is [one, two to four, more, largest].
"""

import json
import pathlib
import shutil

import numpy as np
import torch
from safetensors.torch import save_file
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

OUT = pathlib.Path(__file__).resolve().parents[1] / "data" / "delta"
TINY = np.float32(2.0**-100)
BF16, F16, F32, F64, E4M3 = torch.bfloat16, torch.float16, torch.float32, torch.float64, torch.float8_e4m3fn
NAMES = {BF16: "BF16", F16: "F16", F32: "F32", F64: "F64", E4M3: "F8_E4M3", torch.float8_e5m2: "F8_E5M2", torch.int64: "I64",
         torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}
# Stored bits of the significand, and the exponent of the smallest normal value.
FORMATS = {"BF16": (7, -126), "F16": (10, -14), "F32": (23, -126), "F64": (52, -1022), "F8_E4M3": (3, -6),
           "F8_E5M2": (2, -14), "MXFP4": (1, 0)}


# Values ------------------------------------------------------------------------------------------------------------------

class Values:
    """A tensor's values in float64 (exact), and the unit in the last place that each was stored with."""

    def __init__(self, stored, dtype=None, values=None, scales=1.0):
        self.dtype = dtype or NAMES[stored.dtype]
        self.stored = stored
        unscaled = (stored if values is None else values / scales).to(F64).numpy()
        self.values = (stored if values is None else values).to(F64).numpy()
        self.scaled = values is not None
        self.ulps = np.zeros_like(self.values)
        if self.dtype in FORMATS:
            bits, lowest = FORMATS[self.dtype]
            exponent = np.frexp(np.where(np.isfinite(unscaled), unscaled, 1.0))[1] - 1
            exponent = np.where(unscaled == 0, lowest, np.maximum(exponent, lowest))
            self.ulps = np.ldexp(1.0, exponent - bits) * np.asarray(scales, dtype=np.float64)

    def cut(self, part):
        """The same of `part(array)`."""
        cut = object.__new__(Values)
        cut.dtype, cut.scaled = self.dtype, self.scaled
        cut.values, cut.ulps = part(self.values), part(self.ulps)
        cut.stored = None if self.scaled else torch.from_numpy(part(integers(self.stored)))
        return cut


def integers(stored):
    """The bits of floats as integers of their width; anything else as it is."""
    width = {2: torch.int16, 4: torch.int32}.get(stored.element_size())
    return (stored.view(width) if stored.is_floating_point() and width else stored.to(F64)).numpy()


def block_scaled(stored, scales, block=128):
    spread = scales.to(F32).repeat_interleave(block, 0).repeat_interleave(block, 1)
    spread = spread[: stored.shape[0], : stored.shape[1]]
    return Values(stored, values=stored.to(F32) * spread, scales=spread.to(F64))


def mxfp4(blocks, scales):
    values = convert_moe_packed_tensors(blocks, scales, dtype=F32)
    spread = torch.exp2(scales.to(F64) - 127).repeat_interleave(32, -1).transpose(1, 2)
    return Values(values, dtype="MXFP4", values=values, scales=spread)


# What is expected --------------------------------------------------------------------------------------------------------

def places(bits, width):
    bits = bits.astype(np.int64)
    top = 1 << (width - 1)
    unsigned = bits & (2 * top - 1)
    return np.where(unsigned & top, -(unsigned & (top - 1)), unsigned)


def ulp_counts(a, b, finite):
    if a.dtype != b.dtype or a.dtype not in ("BF16", "F16", "F32"):
        return None
    width = 32 if a.dtype == "F32" else 16
    bits = [integers(side.stored) if side.stored.is_floating_point() else side.stored.numpy() for side in (a, b)]
    apart = np.abs(places(bits[0], width) - places(bits[1], width))[finite]
    return [int((apart == 1).sum()), int(((apart >= 2) & (apart <= 4)).sum()), int((apart > 4).sum()),
            int(apart.max(initial=0))]


def distribution(a, b, formula):
    """`a` and `b` finite. Differences of what f32 cannot hold are formed in float64, then rounded."""
    exact = np.all(a.astype(np.float32) == a) and np.all(b.astype(np.float32) == b)
    with np.errstate(over="ignore"):
        d = b.astype(np.float32) - a.astype(np.float32) if exact else (b - a).astype(np.float32)
        a = a.astype(np.float32)
        d = np.where(np.abs(d) < TINY, np.float32(0), d)
        m = np.abs(a) if formula else np.abs(a) + np.float32(1e-8)
        undefined = np.abs(a) < TINY if formula else np.zeros(a.shape, bool)
        if formula:
            d = np.where(a < 0, -d, d)
        edges = ((np.arange(201) - 100) / 100).astype(np.float32)
        below, above = d < -m, d > m
        inside = ~(below | above | undefined)
        d, m, moved = d[inside], m[inside], d
        bins = np.full(d.shape, -1)
        for k in range(200):
            least, next_least = edges[k] * m, edges[k + 1] * m
            bins[(least <= d) & ((d < next_least) | ((k == 199) & (d <= next_least)))] = k
    assert (bins >= 0).all()
    found, counts = np.unique(bins, return_counts=True)
    return {"bins": [[int(k), int(count)] for k, count in zip(found, counts)], "below": int((below & ~undefined).sum()),
            "above": int((above & ~undefined).sum()), "undefined": int(undefined.sum()),
            "unchanged": int(((moved == 0) & ~undefined).sum())}


def root(square):
    return float(np.sqrt(square))


def numbers(a, b):
    finite = np.isfinite(a.values) & np.isfinite(b.values)
    x, y = a.values[finite], b.values[finite]
    d = y - x
    l2_a, l2_b, l2_delta = root((x * x).sum()), root((y * y).sum()), root((d * d).sum())
    same = a.dtype == b.dtype and not (a.scaled or b.scaled)
    floor = 0.0 if same else root(((a.ulps**2 + b.ulps**2)[finite] / 12).sum())
    found = {"elements": a.values.size, "l2_delta": l2_delta, "l2_a": l2_a, "l2_b": l2_b,
             "l2_relative": l2_delta / l2_a if l2_a else None,
             "cosine": float((x * y).sum()) / (l2_a * l2_b) if l2_a and l2_b else None,
             "dot_a_delta": float((x * d).sum()), "l1_delta": float(np.abs(d).sum()),
             "max_abs_delta": float(np.abs(d).max(initial=0)),
             "rms_delta": l2_delta / root(x.size) if x.size else None, "rms_a": l2_a / root(x.size) if x.size else None,
             "changed": int((x != y).sum()), "rounding_floor": floor,
             "non_finite_a": int((~np.isfinite(a.values)).sum()), "non_finite_b": int((~np.isfinite(b.values)).sum())}
    return found, finite


def row(name, a, b, site, part=None):
    layer, role, kind, expert = (*site, None)[:4]
    shape = list(a.values.shape)
    a, b = (a.cut(part), b.cut(part)) if part else (a, b)
    found, finite = numbers(a, b)
    x, y = a.values[finite], b.values[finite]
    return {"name": name, "layer": layer, "role": role, "part": kind, "expert": expert, "dtype_a": a.dtype, "dtype_b": b.dtype,
            "shape": shape, **found, "ulps": ulp_counts(a, b, finite),
            "relative": {"script": distribution(x, y, False), "formula": distribution(x, y, True)}}


class Pooled:
    """Several parts as one array."""

    def __init__(self, parts):
        self.values = np.concatenate([part.values.ravel() for part in parts])
        self.ulps = np.concatenate([part.ulps.ravel() for part in parts])
        self.dtype, self.scaled = parts[0].dtype, parts[0].scaled


def modules(rows):
    """`rows` with their arrays. Pools need one storage per module, so that the floor's formula is the same throughout."""
    kinds = {}
    for found, a, b in rows:
        kinds.setdefault((found["role"], found["part"]), []).append((found, a, b))
    expected = []
    for (role, part), members in kinds.items():
        layers = {}
        for member in members:
            layers.setdefault(member[0]["layer"], []).append(member)
        relative = lambda members: numbers(Pooled([m[1] for m in members]), Pooled([m[2] for m in members]))[0]["l2_relative"]
        sizes = {layer: relative(members) for layer, members in layers.items()}
        sizes = {layer: size for layer, size in sizes.items() if size}
        peak = max(sizes, key=sizes.get) if sizes else None
        pooled = numbers(Pooled([m[1] for m in members]), Pooled([m[2] for m in members]))[0]
        pooled["rounding_floor"] = root(sum(m[0]["rounding_floor"] ** 2 for m in members))
        expected.append({"role": role, "part": part, "tensors": len(members), "layers": len(layers), "peak_layer": peak,
                         "peak_l2_relative": sizes.get(peak), **pooled})
    return expected


# Making pairs ------------------------------------------------------------------------------------------------------------

RANDOM = np.random.default_rng(2505_20993)


def weights(shape, dtype=BF16, spread=0.05):
    """Like trained weights, with some exact zeros and some that 1e-8 is not small against."""
    values = RANDOM.normal(0, spread, shape)
    values[RANDOM.random(shape) < 0.03] = 0
    small = RANDOM.random(shape) < 0.03
    values[small] *= 1e-7
    return torch.from_numpy(values).to(dtype)


def tuned(a, dtype=None):
    """`a` moved in every way that falls somewhere else in a distribution."""
    dtype = dtype or a.dtype
    x = a.to(F64).numpy()
    kind = RANDOM.choice(8, size=x.shape, p=[0.2, 0.4, 0.12, 0.08, 0.05, 0.05, 0.05, 0.05])
    hundredths = RANDOM.integers(-100, 101, x.shape) / 100
    y = np.select(
        [kind == 0, kind == 1, kind == 2, kind == 3, kind == 4, kind == 5, kind == 6],
        [x, x * (1 + RANDOM.normal(0, 0.04, x.shape)), x * (1 + hundredths), x + RANDOM.normal(0, 0.05, x.shape), -x,
         np.zeros_like(x), x * 2],
        x + RANDOM.normal(0, 1e-8, x.shape))
    return torch.from_numpy(y).to(dtype)


class Case:
    def __init__(self, name, config):
        self.folder = OUT / name
        for side in "ab":
            (self.folder / side).mkdir(parents=True)
            (self.folder / side / "config.json").write_text(json.dumps(config) + "\n")
        self.sides = {"a": {}, "b": {}}
        self.rows, self.arrays, self.unpaired, self.selections = [], [], [], {}

    def pair(self, name, site, a, b=None, parts=None, stored=None):
        """A tensor on both sides. `parts` is [(site, numpy slicing)] for a fused one. `a` and `b` are tensors, or Values whose
        stored arrays `stored` gives as ({name: tensor}, {name: tensor})."""
        b = tuned(a) if b is None else b
        a_stored, b_stored = stored or (None, None)
        self.sides["a"] |= a_stored or {name: a}
        self.sides["b"] |= b_stored or {name: b}
        a, b = (side if isinstance(side, Values) else Values(side) for side in (a, b))
        for site, part in parts or [(site, None)]:
            found = row(name, a, b, site, part)
            self.rows.append(found)
            self.arrays.append((found, a.cut(part) if part else a, b.cut(part) if part else b))

    def lone(self, name, side, tensor):
        self.sides[side][name] = tensor
        self.unpaired.append({"name": name, "in": side, "reason": "missing"})

    def misfit(self, name, reason, a, b):
        self.sides["a"][name], self.sides["b"][name] = a, b
        self.unpaired.append({"name": name, "in": "both", "reason": reason})

    def select(self, selection, name, site, part):
        a, b = (Values(self.sides[side][name]) for side in "ab")
        self.selections.setdefault(selection, []).append(row(name, a, b, site, part))

    def write(self, shards=(1, 1)):
        for (side, tensors), count in zip(self.sides.items(), shards):
            tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
            folder, names = self.folder / side, list(tensors)
            if count == 1:
                save_file(tensors, folder / "model.safetensors", {"format": "pt"})
                continue
            files = {name: f"model-{at % count + 1:05}-of-{count:05}.safetensors" for at, name in enumerate(names)}
            for file in set(files.values()):
                save_file({name: tensors[name] for name in names if files[name] == file}, folder / file, {"format": "pt"})
            total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
            index = {"metadata": {"total_size": total}, "weight_map": files}
            (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
        self.unpaired.sort(key=lambda unpaired: unpaired["name"])
        expected = {"rows": self.rows, "modules": modules(self.arrays), "unpaired": self.unpaired,
                    "selections": self.selections}
        rounded = json.loads(json.dumps(expected), parse_float=lambda text: float(f"{float(text):.10g}"))
        lines = [f'"{key}": [\n' + ",\n".join(json.dumps(item, separators=(",", ":")) for item in rounded[key]) + "\n]"
                 for key in ("rows", "modules", "unpaired")]
        lines.append(f'"selections": {json.dumps(rounded["selections"], separators=(",", ":"))}')
        (self.folder / "expected.json").write_text("{" + ",\n".join(lines) + "}\n")


# The cases ---------------------------------------------------------------------------------------------------------------

def qwen2():
    hidden, heads, key_heads, size, inner = 24, 4, 2, 6, 28
    case = Case("qwen2", {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "hidden_size": hidden,
                          "num_attention_heads": heads, "num_key_value_heads": key_heads, "num_hidden_layers": 2,
                          "intermediate_size": inner, "vocab_size": 90, "tie_word_embeddings": True})
    case.pair("model.embed_tokens.weight", (None, "embed", "weight"), weights((90, hidden)))
    for layer in range(2):
        block = f"model.layers.{layer}."
        for role, rows in [("q_proj", heads * size), ("k_proj", key_heads * size), ("v_proj", key_heads * size)]:
            case.pair(f"{block}self_attn.{role}.weight", (layer, role, "weight"), weights((rows, hidden)))
            case.pair(f"{block}self_attn.{role}.bias", (layer, role, "bias"), weights(rows, spread=5.0))
        case.pair(f"{block}self_attn.o_proj.weight", (layer, "o_proj", "weight"), weights((hidden, heads * size)))
        for role, shape in [("gate_proj", (inner, hidden)), ("up_proj", (inner, hidden)), ("down_proj", (hidden, inner))]:
            case.pair(f"{block}mlp.{role}.weight", (layer, role, "weight"), weights(shape))
        same = weights(hidden, spread=1.0)
        case.pair(f"{block}input_layernorm.weight", (layer, "input_norm", "weight"), same, same.clone())
        case.pair(f"{block}post_attention_layernorm.weight", (layer, "post_norm", "weight"), weights(hidden, spread=1.0))
    case.pair("model.norm.weight", (None, "final_norm", "weight"), weights(hidden, spread=1.0))
    case.lone("lm_head.weight", "b", weights((90, hidden)))
    for layer in range(2):
        attention = f"model.layers.{layer}.self_attn."
        case.select("o_proj & heads 1", f"{attention}o_proj.weight", (layer, "o_proj", "weight"), lambda x: x[:, 6:12])
        case.select("qkv & heads 1 & weight", f"{attention}q_proj.weight", (layer, "q_proj", "weight"), lambda x: x[6:12])
        for role in ("k_proj", "v_proj"):
            case.select("qkv & heads 1 & weight", f"{attention}{role}.weight", (layer, role, "weight"), lambda x: x[6:12])
    case.write(shards=(2, 3))


def plain():
    """One tensor or a few of every plain dtype, under names that no family knows, and what does not pair."""
    case = Case("plain", {})
    other = (None, "other", "weight")
    case.pair("bf16", other, weights((41, 50)))
    case.pair("f16", other, weights((41, 50), F16))
    f32 = weights((41, 50), F32)
    f32[0, :6] = torch.tensor([1e-30, -1e-31, 1e-39, 2.0**-101, 0.0, -0.0])
    changed = tuned(f32)
    changed[0, :6] = torch.tensor([1.1e-30, -1e-31 - 1e-38, 1.5e-39, 0.0, -0.0, 2.0**-101])
    case.pair("f32", other, f32, changed)
    case.pair("f32_huge", other, weights((5, 40), F32, 1e38), None)
    case.pair("f64", other, weights((7, 11), F64))
    case.pair("bf16_against_f32", other, (a := weights((41, 50))), tuned(a, F32))
    case.pair("f32_against_f16", other, (a := weights((20, 30), F32)), tuned(a, F16))
    case.pair("f64_against_bf16", other, (a := weights((9, 13), F64)), tuned(a, BF16))
    case.pair("f8_e4m3_alone", other, (a := weights((9, 13), E4M3, 4.0)), tuned(a.to(F32), E4M3))
    case.pair("f8_e5m2_against_bf16", other, (a := weights((9, 13), torch.float8_e5m2, 4.0)), tuned(a.to(F32), BF16))
    broken = weights((33, 70))
    broken[0, 3], broken[2, 69], broken[32, 69] = float("nan"), float("inf"), float("-inf")
    into = tuned(broken)
    into[0, 3], into[1, 1], into[32, 69], into[32, 68] = 1.0, float("nan"), float("-inf"), float("inf")
    case.pair("not_finite", other, broken, into)
    case.pair("all_zero", other, torch.zeros(3, 5, dtype=BF16))
    case.pair("from_zero", other, torch.zeros(3, 5, dtype=BF16), weights((3, 5)))
    case.pair("empty", other, torch.zeros(0, 7, dtype=BF16))
    case.pair("scalar", other, torch.tensor(0.75), torch.tensor(0.5))
    for dtype in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
        limits = torch.iinfo(dtype)
        low, high = max(limits.min, -(2**40)), min(limits.max, 2**40)
        a, b = (torch.from_numpy(RANDOM.integers(low, high, (4, 9))).to(dtype) for _ in "ab")
        b[0] = a[0]
        case.pair(NAMES[dtype].lower(), other, a, b)
    case.pair("bool", other, torch.tensor([True, False, True, False]), torch.tensor([True, True, False, False]))
    case.lone("only_a", "a", weights(3))
    case.lone("only_b", "b", weights(3))
    case.misfit("other_shape", "shape", weights((2, 3)), weights((3, 2)))
    case.misfit("other_rank", "shape", weights(6), weights((2, 3)))
    case.misfit("float_against_integer", "dtype", weights(4), torch.zeros(4, dtype=torch.int32))
    case.misfit("other_integer", "dtype", torch.zeros(4, dtype=torch.int64), torch.zeros(4, dtype=torch.int32))
    case.write()


def fp8():
    """A block-scaled release against its BF16 original; blocks cut at both edges, scales in another shard."""
    case = Case("fp8", {"model_type": "llama", "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}})
    shape, name = (131, 130), "model.layers.0.self_attn.o_proj.weight"
    original = torch.from_numpy(RANDOM.normal(0, 0.05, shape)).to(BF16)
    padded = torch.nn.functional.pad(original.to(F32), (0, 256 - shape[1], 0, 256 - shape[0]))
    scales = padded.abs().reshape(2, 128, 2, 128).amax((1, 3)) / 448
    spread = scales.repeat_interleave(128, 0).repeat_interleave(128, 1)[: shape[0], : shape[1]]
    stored = (original.to(F32) / spread).to(E4M3)
    filler = weights(8)
    # Every second tensor goes to the other shard.
    case.pair(name, (0, "o_proj", "weight"), block_scaled(stored, scales), Values(original),
              stored=({name: stored, f"{name}_scale_inv": scales}, {name: original}))
    case.pair("model.norm.weight", (None, "final_norm", "weight"), filler)
    case.write(shards=(2, 1))


def gpt_oss():
    hidden, inner, experts = 64, 32, 2
    case = Case("gpt_oss", {"model_type": "gpt_oss", "hidden_size": hidden, "intermediate_size": inner, "num_local_experts": experts,
                            "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "num_hidden_layers": 1,
                            "quantization_config": {"quant_method": "mxfp4"}})
    block = "model.layers.0.mlp.experts."

    def expert_part(expert, columns):
        return lambda x: x[expert][..., columns]

    def stack(name, rows, columns, parts):
        packed = torch.from_numpy(RANDOM.integers(0, 256, (experts, rows, columns // 32, 16), dtype=np.uint8))
        scales = torch.from_numpy(RANDOM.integers(118, 124, (experts, rows, columns // 32), dtype=np.uint8))
        a = mxfp4(packed, scales)
        b = tuned(torch.from_numpy(a.values), BF16)
        parts = [((0, role, "weight", expert), expert_part(expert, columns))
                 for expert in range(experts) for role, columns in parts]
        case.pair(block + name, None, a, Values(b), parts,
                  ({f"{block}{name}_blocks": packed, f"{block}{name}_scales": scales}, {block + name: b}))

    halves = [("gate_proj", slice(0, None, 2)), ("up_proj", slice(1, None, 2))]
    stack("gate_up_proj", 2 * inner, hidden, halves)
    stack("down_proj", hidden, inner, [("down_proj", slice(None))])
    for name, parts, length in [("gate_up_proj_bias", halves, 2 * inner), ("down_proj_bias", [("down_proj", slice(None))], hidden)]:
        case.pair(block + name, None, weights((experts, length)), parts=[
            ((0, role, "bias", expert), expert_part(expert, columns)) for expert in range(experts) for role, columns in parts])
    case.pair("model.layers.0.self_attn.sinks", (0, "sinks", "weight"), weights(2))
    case.write()


def phi3():
    hidden, heads, key_heads, size, inner = 24, 4, 2, 6, 20
    case = Case("phi3", {"model_type": "phi3", "hidden_size": hidden, "num_attention_heads": heads, "num_hidden_layers": 1,
                         "num_key_value_heads": key_heads, "intermediate_size": inner})
    case.pair("model.layers.0.self_attn.qkv_proj.weight", None, weights((48, hidden)), parts=[
        ((0, "q_proj", "weight"), lambda x: x[:24]), ((0, "k_proj", "weight"), lambda x: x[24:36]),
        ((0, "v_proj", "weight"), lambda x: x[36:])])
    case.pair("model.layers.0.self_attn.o_proj.weight", (0, "o_proj", "weight"), weights((hidden, 24)))
    case.pair("model.layers.0.mlp.gate_up_proj.weight", None, weights((2 * inner, hidden)), parts=[
        ((0, "gate_proj", "weight"), lambda x: x[:inner]), ((0, "up_proj", "weight"), lambda x: x[inner:])])
    case.write()


def gpt2():
    hidden = 24
    case = Case("gpt2", {"model_type": "gpt2", "n_embd": hidden, "n_head": 4, "n_layer": 1})
    thirds = [("q_proj", slice(0, hidden)), ("k_proj", slice(hidden, 2 * hidden)), ("v_proj", slice(2 * hidden, None))]
    for part, shape in [("weight", (hidden, 3 * hidden)), ("bias", (3 * hidden,))]:
        case.pair(f"transformer.h.0.attn.c_attn.{part}", None, weights(shape, F32), parts=[
            ((0, role, part), (lambda columns: lambda x: x[..., columns])(columns)) for role, columns in thirds])
    case.pair("transformer.h.0.attn.c_proj.weight", (0, "o_proj", "weight"), weights((hidden, hidden), F32))
    case.write()


def gpt_neox():
    hidden, heads, size = 24, 4, 6
    case = Case("gpt_neox", {"model_type": "gpt_neox", "hidden_size": hidden, "num_attention_heads": heads, "num_hidden_layers": 1,
                             "intermediate_size": 40})
    for part, shape in [("weight", (3 * hidden, hidden)), ("bias", (3 * hidden,))]:
        case.pair(f"gpt_neox.layers.0.attention.query_key_value.{part}", None, weights(shape, F16), parts=[
            ((0, role, part), (lambda at: lambda x: x.reshape(heads, 3, size, *x.shape[1:])[:, at])(at))
            for at, role in enumerate(["q_proj", "k_proj", "v_proj"])])
    case.pair("gpt_neox.layers.0.attention.dense.weight", (0, "o_proj", "weight"), weights((hidden, hidden), F16))
    case.write()


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    for case in (qwen2, plain, fp8, gpt_oss, phi3, gpt2, gpt_neox):
        case()


if __name__ == "__main__":
    main()
