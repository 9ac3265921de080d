"""Writes tests/data/names/FAMILY.json: tensor names and shapes as the transformers library saves them.

    python tests/goldens/make_names.py            (needs torch, safetensors and transformers 5; no GPU, no downloads)

Each file holds
  config    the config.json that was saved
  tensors   name -> shape, of the files that `save_pretrained` wrote for a small model of the family
  stacked   likewise, the names that the model has in memory and does not save (experts, stacked by transformers 5)
  public    likewise, names that the public releases of the family hold and transformers does not load or save: buffers of
            older versions, DeepSeek's layer for multi-token prediction. Written by hand from the releases' own indexes
  fused     name -> runs of [owner, length] along the axis that several modules share, found from behaviour: an entry of the
            weight is changed, and the owner is whichever of the module's outputs moves
  heads     name -> likewise, runs of [head, length] along the axis in which attention heads lie
  reads     module -> the norm whose output it was given in a forward pass, or null
  follows   module -> the norm that was given its output, directly

The names of the owners are those of the quantities (query, gate, B, …), not of this project's roles.
"""

import json
import pathlib
import tempfile

import torch
import transformers
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, BertForPreTraining
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "names"
SIZES = dict(vocab_size=40, hidden_size=24, num_attention_heads=4, num_hidden_layers=2, intermediate_size=20)
GROUPED = dict(**SIZES, num_key_value_heads=2)
WIDE_HEADS = dict(**GROUPED, head_dim=8)
MAMBA2 = dict(mamba_n_heads=6, mamba_d_head=8, mamba_d_state=5, mamba_n_groups=2, mamba_expand=2)
TOKENS = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2)
MLA = dict(kv_lora_rank=10, qk_rope_head_dim=4, qk_nope_head_dim=6, v_head_dim=5)
DEEPSEEK = dict(**SIZES, **MLA, num_key_value_heads=4, moe_intermediate_size=8, n_routed_experts=4, n_group=2,
                topk_group=1, num_experts_per_tok=2, n_shared_experts=1, first_k_dense_replace=1)
VISION = dict(hidden_size=16, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)

MODELS = {
    "llama": ("llama", GROUPED),
    "mistral": ("mistral", GROUPED),
    "qwen2": ("qwen2", dict(**GROUPED, tie_word_embeddings=True)),
    "qwen3": ("qwen3", WIDE_HEADS),
    "gemma2": ("gemma2", WIDE_HEADS),
    "gemma3_text": ("gemma3_text", WIDE_HEADS),
    "gemma3": ("gemma3", dict(text_config=WIDE_HEADS, vision_config=VISION, mm_tokens_per_image=4)),
    "phi3": ("phi3", dict(**GROUPED, pad_token_id=0)),
    "gpt2": ("gpt2", dict(vocab_size=40, n_embd=24, n_head=4, n_layer=2, n_positions=16)),
    "gpt_neox": ("gpt_neox", SIZES),
    "mixtral": ("mixtral", dict(**GROUPED, num_local_experts=3)),
    "qwen2_moe": ("qwen2_moe", dict(**GROUPED, num_experts=3, num_experts_per_tok=2, moe_intermediate_size=8, shared_expert_intermediate_size=12,
                                    mlp_only_layers=[0])),
    "qwen3_moe": ("qwen3_moe", dict(**WIDE_HEADS, num_experts=3, num_experts_per_tok=2, moe_intermediate_size=8, mlp_only_layers=[0])),
    "deepseek_v3": ("deepseek_v3", dict(**DEEPSEEK, q_lora_rank=9)),
    "deepseek_direct_queries": ("deepseek_v3", dict(**DEEPSEEK, q_lora_rank=None, attention_bias=True)),
    "gpt_oss": ("gpt_oss", dict(**WIDE_HEADS, num_local_experts=3, num_experts_per_tok=2)),
    "mamba": ("mamba", dict(vocab_size=40, hidden_size=24, num_hidden_layers=2, state_size=5)),
    "mamba2": ("mamba2", dict(vocab_size=40, hidden_size=24, num_hidden_layers=2, state_size=5, num_heads=6, head_dim=8,
                              n_groups=2, use_bias=True)),
    "jamba": ("jamba", dict(**{**GROUPED, "num_hidden_layers": 4}, **TOKENS, num_experts=3, attn_layer_period=4,
                            attn_layer_offset=2, mamba_d_state=5, mamba_dt_rank=3)),
    "bamba": ("bamba", dict(**GROUPED, **MAMBA2, **TOKENS, attn_layer_indices=[1])),
    "bert": ("bert", dict(**SIZES, max_position_embeddings=16)),
}

# The layer after the stack in DeepSeek-V3's release; its block is like any other of the mixture's layers.
MTP_OWN = {"embed_tokens.weight": [40, 24], "enorm.weight": [24], "hnorm.weight": [24], "eh_proj.weight": [24, 48],
           "shared_head.norm.weight": [24], "shared_head.head.weight": [40, 24]}
PUBLIC = {
    "gpt2": {"h.0.attn.bias": [1, 1, 16, 16], "h.0.attn.masked_bias": [], "h.0.attn.c_attn.weight": [24, 72],
             "wte.weight": [40, 24]},
    "gpt_neox": {"gpt_neox.layers.0.attention.bias": [1, 1, 16, 16], "gpt_neox.layers.0.attention.masked_bias": [],
                 "gpt_neox.layers.0.attention.rotary_emb.inv_freq": [1]},
    "llama": {"model.layers.0.self_attn.rotary_emb.inv_freq": [3]},
    "mamba": {"backbone.embedding.weight": [40, 24], "lm_head.weight": [40, 24]},
    "bert": {"bert.embeddings.position_ids": [1, 16], "bert.embeddings.LayerNorm.gamma": [24],
             "bert.embeddings.LayerNorm.beta": [24], "bert.encoder.layer.0.attention.output.LayerNorm.gamma": [24],
             "bert.encoder.layer.0.output.LayerNorm.beta": [24], "cls.predictions.transform.LayerNorm.gamma": [24],
             "cls.predictions.decoder.weight": [40, 24], "embeddings.word_embeddings.weight": [40, 24]},
}


def build(name):
    model_type, settings = MODELS[name]
    config = AutoConfig.for_model(model_type, **settings)
    torch.manual_seed(0)
    factory = {"gemma3": AutoModelForImageTextToText.from_config, "bert": BertForPreTraining}
    model = factory.get(name, AutoModelForCausalLM.from_config)(config)
    return model.eval()


def saved(model):
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tensors = {}
        for shard in sorted(pathlib.Path(folder).glob("*.safetensors")):
            with safe_open(shard, "pt") as file:
                tensors |= {name: file.get_slice(name).get_shape() for name in file.keys()}
        return json.loads((pathlib.Path(folder) / "config.json").read_text()), dict(sorted(tensors.items()))


def runs(owners):
    """[a, a, b] -> [[a, 2], [b, 1]]"""
    found = []
    for owner in owners:
        if found and found[-1][0] == owner:
            found[-1][1] += 1
        else:
            found.append([owner, 1])
    return found


class Probe:
    """Records what one forward pass of a model hands from place to place."""

    def __init__(self, model):
        self.model, self.seen, self.mark = model, {}, None
        ALL_ATTENTION_FUNCTIONS["probe"] = self.attend
        model.set_attn_implementation("probe")

    def attend(self, module, query, key, value, attention_mask, **_):
        layer = getattr(module, "layer_idx", None)
        self.record(("attention", layer), {"query": query, "key": key, "value": value})
        output = torch.zeros_like(query[..., :1]).repeat(1, 1, 1, value.shape[-1])
        if self.mark is not None:
            output[:, self.mark] = 1.0
        return output.transpose(1, 2).contiguous(), None

    def record(self, key, tensors):
        self.seen.setdefault(key, {name: tensor.detach().clone() for name, tensor in tensors.items()})

    def run(self):
        self.seen = {}
        with torch.no_grad():
            self.model(input_ids=torch.tensor([[1, 5, 9]]))
        return self.seen


def moved(before, after):
    """What differs between two recordings, as (name, head) where the tensor has heads."""
    found = []
    for name, tensor in before.items():
        change = (tensor != after[name])
        if change.any():
            heads = change.any(dim=-1).any(dim=2).any(dim=0).nonzero().flatten().tolist() if change.ndim == 4 else [None]
            found += [(name, head) for head in heads]
    return found


def owners(probe, key, parameter, axis):
    """For each index along an axis of a parameter: what moves in the recording when that index alone is changed."""
    before = probe.run()[key]
    found = []
    for index in range(parameter.shape[axis]):
        kept = parameter.detach().clone()
        with torch.no_grad():
            parameter.select(axis, index).add_(3.0)
        changes = moved(before, probe.run()[key])
        with torch.no_grad():
            parameter.copy_(kept)
        assert len(changes) == 1, (key, index, changes)
        found.append(changes[0])
    return found


def norms(model):
    """Which norm's output each linear map is given, and which norm is given its output: the same memory, that is, so that
    views count, and anything computed in between does not."""
    kept, made_by, reads, follows = [], {}, {}, {}
    memory = lambda tensor: tensor.untyped_storage().data_ptr()

    def hook(name, is_norm):
        def after(_, inputs, output):
            output = output[0] if isinstance(output, tuple) else output
            # Held until the end, so that no memory is used twice.
            kept.extend([inputs[0], output])
            before = made_by.get(memory(inputs[0]))
            if is_norm and before is not None and not before[1]:
                follows.setdefault(before[0], name)
            if not is_norm:
                reads.setdefault(name, before[0] if before is not None and before[1] else None)
            made_by.setdefault(memory(output), (name, is_norm))
        return after

    hooks = [module.register_forward_hook(hook(name, "Norm" in type(module).__name__))
             for name, module in model.named_modules()
             if getattr(module, "weight", None) is not None and not isinstance(module, torch.nn.Embedding)]
    Probe(model).run()
    for registered in hooks:
        registered.remove()
    return {"reads": reads, "follows": follows}


def attention(model, layer, fused, separate, output, out_axis=0):
    """Who owns the rows (or columns) of the projections, and which head each belongs to."""
    probe, result = Probe(model), {"fused": {}, "heads": {}}
    parameters = dict(model.named_parameters())
    for name in fused + separate:
        axis = out_axis if parameters[name].ndim == 2 else 0
        found = owners(probe, ("attention", layer), parameters[name], axis)
        if name in fused:
            result["fused"][name] = runs([owner for owner, _ in found])
        result["heads"][name] = runs([head for _, head in found])
    # The output projection: mark one head of attention's result, and see where it arrives.
    module = model.get_submodule(output.removesuffix(".weight"))
    arrived = []
    hook = module.register_forward_pre_hook(lambda _, inputs: arrived.append(inputs[0][0, 0].clone()))
    heads = [None] * parameters[output].shape[1 - out_axis]
    for head in range(model.config.get_text_config().num_attention_heads):
        probe.mark = head
        arrived.clear()
        probe.run()
        for index in arrived[0].nonzero().flatten().tolist():
            heads[index] = head
    hook.remove()
    result["heads"][output] = runs(heads)
    return result


def gate_or_up(model, name, module, activation, axis, expert=None):
    """Whether an index along an axis of a fused matrix makes the gate (which goes through the activation) or the way up."""
    parameter = dict(model.named_parameters())[name]
    probe = Probe(model)
    seen = []
    hook = getattr(module, activation).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))

    def gates():
        seen.clear()
        probe.run()
        return [tensor.clone() for tensor in seen]

    before, found = gates(), []
    for index in range(parameter.shape[axis]):
        kept = parameter.detach().clone()
        with torch.no_grad():
            parameter.select(axis, index).add_(3.0)
        after = gates()
        with torch.no_grad():
            parameter.copy_(kept)
        found.append("gate" if any(a.shape != b.shape or (a != b).any() for a, b in zip(before, after)) else "up")
    hook.remove()
    return runs(found)


def gpt_oss_columns(experts, width):
    """gpt-oss has no activation module: with every gate 0 the result is 0, whatever goes up; one gate alone makes it not."""
    found = []
    for index in range(width):
        columns = torch.zeros(1, width)
        columns[0, index] = 1.0
        found.append("gate" if experts._apply_gate(columns).abs().sum() > 0 else "up")
    return runs(found)


def mixer(model, layer, names, parts):
    """Which of a state-space mixer's quantities each row of a projection makes. `parts` names the pieces of every split
    that the modelling code makes along the features, in the order in which it assigns them to variables of these names."""
    probe = Probe(model)
    originals = torch.split, torch.Tensor.split, torch.Tensor.chunk
    splits = []

    def recording(original):
        def split(tensor, *arguments, **named):
            pieces = original(tensor, *arguments, **named)
            splits.append(pieces)
            return pieces
        return split

    class SplitProbe:
        def run(self):
            splits.clear()
            torch.split, torch.Tensor.split, torch.Tensor.chunk = map(recording, originals)
            try:
                probe.run()
            finally:
                torch.split, torch.Tensor.split, torch.Tensor.chunk = originals
            named = {}
            wanted = list(parts)
            for pieces in splits:
                if wanted and len(pieces) == len(wanted[0]):
                    for name, piece in zip(wanted.pop(0), pieces):
                        if name is not None:
                            named[name] = piece.detach().flatten().clone()
            assert not wanted, "a split was not seen"
            return {"mixer": named}

    parameters = dict(model.named_parameters())
    result = {}
    for name, wanted in names.items():
        before, found = SplitProbe().run()["mixer"], []
        for row in range(parameters[name].shape[0]):
            kept = parameters[name].detach().clone()
            with torch.no_grad():
                parameters[name].select(0, row).add_(3.0)
            after = SplitProbe().run()["mixer"]
            with torch.no_grad():
                parameters[name].copy_(kept)
            found.append(next(owner for owner in wanted if (before[owner] != after[owner]).any()))
        result[name] = runs(found)
    return result


def behaviour(name, model):
    block = lambda prefix, *names: [f"{prefix}.{n}" for n in names]
    if name in ("llama", "mistral", "qwen2", "qwen3", "gpt_oss", "gemma2", "gemma3_text", "jamba", "bamba"):
        layer = {"jamba": 2, "bamba": 1}.get(name, 0)
        at = f"model.layers.{layer}.self_attn"
        projections = [p for p, _ in model.named_parameters() if p.startswith(at) and p.split(".")[-2] in ("q_proj", "k_proj", "v_proj")]
        found = attention(model, layer, [], projections, f"{at}.o_proj.weight")
        if name == "gpt_oss":
            experts = model.model.layers[0].mlp.experts
            columns = gpt_oss_columns(experts, 2 * model.config.intermediate_size)
            found["fused"] |= {f"model.layers.0.mlp.experts.{n}": columns for n in ("gate_up_proj", "gate_up_proj_bias")}
        if name == "jamba":
            rows = {"model.layers.0.mamba.in_proj.weight": ["x", "z"]}
            found["fused"] |= mixer(model, 0, rows, [("x", "z")])
            rows = {"model.layers.0.mamba.x_proj.weight": ["dt", "B", "C"]}
            found["fused"] |= mixer(model, 0, rows, [("dt", "B", "C")])
            found["fused"]["model.layers.1.feed_forward.experts.gate_up_proj"] = gate_or_up(
                model, "model.layers.1.feed_forward.experts.gate_up_proj", model.model.layers[1].feed_forward.experts, "act_fn", 1)
        if name == "bamba":
            rows = {"model.layers.0.mamba.in_proj.weight": ["z", "x", "B", "C", "dt"]}
            found["fused"] |= mixer(model, 0, rows, [("z", None, "dt"), ("x", "B", "C")])
        return found
    if name == "phi3":
        at = "model.layers.0"
        found = attention(model, 0, [f"{at}.self_attn.qkv_proj.weight"], [], f"{at}.self_attn.o_proj.weight")
        mlp = f"{at}.mlp.gate_up_proj.weight"
        found["fused"][mlp] = gate_or_up(model, mlp, model.model.layers[0].mlp, "activation_fn", 0)
        return found
    if name == "gpt2":
        at = "transformer.h.0.attn"
        return attention(model, 0, block(at, "c_attn.weight", "c_attn.bias"), [], f"{at}.c_proj.weight", out_axis=1)
    if name == "gpt_neox":
        at = "gpt_neox.layers.0.attention"
        return attention(model, 0, block(at, "query_key_value.weight", "query_key_value.bias"), [], f"{at}.dense.weight")
    if name == "bert":
        at = "bert.encoder.layer.0.attention"
        separate = [f"{at}.self.{n}.{part}" for n in ("query", "key", "value") for part in ("weight", "bias")]
        return attention(model, 0, [], separate, f"{at}.output.dense.weight")
    if name in ("mixtral", "qwen2_moe", "qwen3_moe"):
        fused = "model.layers.1.mlp.experts.gate_up_proj"
        return {"fused": {fused: gate_or_up(model, fused, model.model.layers[1].mlp.experts, "act_fn", 1)}}
    if name == "deepseek_v3":
        at = "model.layers.0.self_attn"
        found = attention(model, 0, [], [f"{at}.q_b_proj.weight", f"{at}.kv_b_proj.weight"], f"{at}.o_proj.weight")
        fused = "model.layers.1.mlp.experts.gate_up_proj"
        found["fused"] = {fused: gate_or_up(model, fused, model.model.layers[1].mlp.experts, "act_fn", 1)}
        return found
    if name == "mamba":
        at = "backbone.layers.0.mixer"
        return {"fused": mixer(model, 0, {f"{at}.in_proj.weight": ["x", "z"]}, [("x", "z")])
                | mixer(model, 0, {f"{at}.x_proj.weight": ["dt", "B", "C"]}, [("dt", "B", "C")])}
    if name == "mamba2":
        at = "backbone.layers.0.mixer"
        rows = {f"{at}.in_proj.{part}": ["z", "x", "B", "C", "dt"] for part in ("weight", "bias")}
        return {"fused": mixer(model, 0, rows, [("z", None, "dt"), ("x", "B", "C")])}
    return {}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name in MODELS:
        model = build(name)
        config, tensors = saved(model)
        in_memory = {n: list(t.shape) for n, t in model.state_dict().items()}
        document = {"made_by": f"transformers {transformers.__version__}", "config": config, "tensors": tensors,
                    "stacked": {n: s for n, s in in_memory.items() if ".experts.gate_up_proj" in n or ".experts.down_proj" in n},
                    "public": dict(PUBLIC.get(name, {}))}
        document["stacked"] = {n: s for n, s in document["stacked"].items() if n not in tensors}
        if name == "deepseek_v3":
            block = {n.replace("layers.1.", "layers.2."): s for n, s in tensors.items() if ".layers.1." in n}
            document["public"] |= block | {f"model.layers.2.{n}": s for n, s in MTP_OWN.items()}
        document |= behaviour(name, model)
        if name != "gemma3":
            document |= norms(model)
        lines = [f"{json.dumps(key)}: {one_a_line(value)}" for key, value in document.items() if value]
        (OUT / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
        print(name, len(tensors))


def one_a_line(value):
    if not isinstance(value, dict):
        return json.dumps(value)
    return "{\n" + ",\n".join(f"  {json.dumps(key)}: {json.dumps(item)}" for key, item in value.items()) + "\n}"


if __name__ == "__main__":
    main()
