//! What every name means: `name | role, or roles in their order | part`, with `*` for the numbers of layer and expert.
//!
//! Written by hand, name by name, from what the modules do in their networks; never derived from the tables.

pub(super) const LLAMA: &str = "
model.embed_tokens.weight | embed | weight
model.layers.*.input_layernorm.weight | input_norm | weight
model.layers.*.self_attn.q_proj.weight | q_proj | weight
model.layers.*.self_attn.q_proj.bias | q_proj | bias
model.layers.*.self_attn.k_proj.weight | k_proj | weight
model.layers.*.self_attn.k_proj.bias | k_proj | bias
model.layers.*.self_attn.v_proj.weight | v_proj | weight
model.layers.*.self_attn.v_proj.bias | v_proj | bias
model.layers.*.self_attn.o_proj.weight | o_proj | weight
model.layers.*.self_attn.o_proj.bias | o_proj | bias
model.layers.*.self_attn.q_norm.weight | q_norm | weight
model.layers.*.self_attn.k_norm.weight | k_norm | weight
model.layers.*.self_attn.rotary_emb.inv_freq | rotary_frequencies | weight
model.layers.*.post_attention_layernorm.weight | post_norm | weight
model.layers.*.mlp.gate_proj.weight | gate_proj | weight
model.layers.*.mlp.up_proj.weight | up_proj | weight
model.layers.*.mlp.down_proj.weight | down_proj | weight
model.norm.weight | final_norm | weight
lm_head.weight | head | weight";

pub(super) const GEMMA: &str = "
model.layers.*.pre_feedforward_layernorm.weight | pre_feedforward_norm | weight
model.layers.*.post_feedforward_layernorm.weight | post_feedforward_norm | weight";

pub(super) const GEMMA_MULTIMODAL: &str = "
language_model.model.embed_tokens.weight | embed | weight
language_model.model.layers.*.input_layernorm.weight | input_norm | weight
language_model.model.layers.*.self_attn.q_proj.weight | q_proj | weight
language_model.model.layers.*.self_attn.k_proj.weight | k_proj | weight
language_model.model.layers.*.self_attn.v_proj.weight | v_proj | weight
language_model.model.layers.*.self_attn.o_proj.weight | o_proj | weight
language_model.model.layers.*.self_attn.q_norm.weight | q_norm | weight
language_model.model.layers.*.self_attn.k_norm.weight | k_norm | weight
language_model.model.layers.*.post_attention_layernorm.weight | post_norm | weight
language_model.model.layers.*.pre_feedforward_layernorm.weight | pre_feedforward_norm | weight
language_model.model.layers.*.post_feedforward_layernorm.weight | post_feedforward_norm | weight
language_model.model.layers.*.mlp.gate_proj.weight | gate_proj | weight
language_model.model.layers.*.mlp.up_proj.weight | up_proj | weight
language_model.model.layers.*.mlp.down_proj.weight | down_proj | weight
language_model.model.norm.weight | final_norm | weight
multi_modal_projector.mm_input_projection_weight | projector | weight
multi_modal_projector.mm_soft_emb_norm.weight | projector | weight
vision_tower.embeddings.patch_embedding.bias | vision | bias
vision_tower.embeddings.patch_embedding.weight | vision | weight
vision_tower.embeddings.position_embedding.weight | vision | weight
vision_tower.encoder.layers.*.layer_norm1.bias | vision | bias
vision_tower.encoder.layers.*.layer_norm1.weight | vision | weight
vision_tower.encoder.layers.*.layer_norm2.bias | vision | bias
vision_tower.encoder.layers.*.layer_norm2.weight | vision | weight
vision_tower.encoder.layers.*.mlp.fc1.bias | vision | bias
vision_tower.encoder.layers.*.mlp.fc1.weight | vision | weight
vision_tower.encoder.layers.*.mlp.fc2.bias | vision | bias
vision_tower.encoder.layers.*.mlp.fc2.weight | vision | weight
vision_tower.encoder.layers.*.self_attn.k_proj.bias | vision | bias
vision_tower.encoder.layers.*.self_attn.k_proj.weight | vision | weight
vision_tower.encoder.layers.*.self_attn.out_proj.bias | vision | bias
vision_tower.encoder.layers.*.self_attn.out_proj.weight | vision | weight
vision_tower.encoder.layers.*.self_attn.q_proj.bias | vision | bias
vision_tower.encoder.layers.*.self_attn.q_proj.weight | vision | weight
vision_tower.encoder.layers.*.self_attn.v_proj.bias | vision | bias
vision_tower.encoder.layers.*.self_attn.v_proj.weight | vision | weight
vision_tower.head.attention.in_proj_bias | vision | bias
vision_tower.head.attention.in_proj_weight | vision | weight
vision_tower.head.attention.out_proj.bias | vision | bias
vision_tower.head.attention.out_proj.weight | vision | weight
vision_tower.head.layernorm.bias | vision | bias
vision_tower.head.layernorm.weight | vision | weight
vision_tower.head.mlp.fc1.bias | vision | bias
vision_tower.head.mlp.fc1.weight | vision | weight
vision_tower.head.mlp.fc2.bias | vision | bias
vision_tower.head.mlp.fc2.weight | vision | weight
vision_tower.head.probe | vision | weight
vision_tower.post_layernorm.bias | vision | bias
vision_tower.post_layernorm.weight | vision | weight";

pub(super) const PHI3: &str = "
model.layers.*.self_attn.qkv_proj.weight | q_proj k_proj v_proj | weight
model.layers.*.mlp.gate_up_proj.weight | gate_proj up_proj | weight";

pub(super) const GPT2: &str = "
transformer.wte.weight | embed | weight
wte.weight | embed | weight
transformer.wpe.weight | position_embed | weight
transformer.h.*.ln_1.weight | input_norm | weight
transformer.h.*.ln_1.bias | input_norm | bias
transformer.h.*.attn.c_attn.weight | q_proj k_proj v_proj | weight
transformer.h.*.attn.c_attn.bias | q_proj k_proj v_proj | bias
h.*.attn.c_attn.weight | q_proj k_proj v_proj | weight
h.*.attn.bias | causal_mask | weight
h.*.attn.masked_bias | mask_value | weight
transformer.h.*.attn.c_proj.weight | o_proj | weight
transformer.h.*.attn.c_proj.bias | o_proj | bias
transformer.h.*.ln_2.weight | post_norm | weight
transformer.h.*.ln_2.bias | post_norm | bias
transformer.h.*.mlp.c_fc.weight | up_proj | weight
transformer.h.*.mlp.c_fc.bias | up_proj | bias
transformer.h.*.mlp.c_proj.weight | down_proj | weight
transformer.h.*.mlp.c_proj.bias | down_proj | bias
transformer.ln_f.weight | final_norm | weight
transformer.ln_f.bias | final_norm | bias";

pub(super) const GPT_NEOX: &str = "
gpt_neox.embed_in.weight | embed | weight
gpt_neox.layers.*.input_layernorm.weight | input_norm | weight
gpt_neox.layers.*.input_layernorm.bias | input_norm | bias
gpt_neox.layers.*.attention.query_key_value.weight | q_proj k_proj v_proj | weight
gpt_neox.layers.*.attention.query_key_value.bias | q_proj k_proj v_proj | bias
gpt_neox.layers.*.attention.dense.weight | o_proj | weight
gpt_neox.layers.*.attention.dense.bias | o_proj | bias
gpt_neox.layers.*.attention.bias | causal_mask | weight
gpt_neox.layers.*.attention.masked_bias | mask_value | weight
gpt_neox.layers.*.attention.rotary_emb.inv_freq | rotary_frequencies | weight
gpt_neox.layers.*.post_attention_layernorm.weight | post_norm | weight
gpt_neox.layers.*.post_attention_layernorm.bias | post_norm | bias
gpt_neox.layers.*.mlp.dense_h_to_4h.weight | up_proj | weight
gpt_neox.layers.*.mlp.dense_h_to_4h.bias | up_proj | bias
gpt_neox.layers.*.mlp.dense_4h_to_h.weight | down_proj | weight
gpt_neox.layers.*.mlp.dense_4h_to_h.bias | down_proj | bias
gpt_neox.final_layer_norm.weight | final_norm | weight
gpt_neox.final_layer_norm.bias | final_norm | bias
embed_out.weight | head | weight";

pub(super) const MIXTRAL: &str = "
model.layers.*.block_sparse_moe.gate.weight | router | weight
model.layers.*.block_sparse_moe.experts.*.w1.weight | gate_proj | weight
model.layers.*.block_sparse_moe.experts.*.w2.weight | down_proj | weight
model.layers.*.block_sparse_moe.experts.*.w3.weight | up_proj | weight";

pub(super) const STACKED: &str = "
model.layers.*.mlp.experts.gate_up_proj | gate_proj up_proj | weight
model.layers.*.mlp.experts.down_proj | down_proj | weight";

pub(super) const QWEN_MOE: &str = "
model.layers.*.mlp.gate.weight | router | weight
model.layers.*.mlp.experts.*.gate_proj.weight | gate_proj | weight
model.layers.*.mlp.experts.*.up_proj.weight | up_proj | weight
model.layers.*.mlp.experts.*.down_proj.weight | down_proj | weight
model.layers.*.mlp.shared_expert.gate_proj.weight | shared_gate_proj | weight
model.layers.*.mlp.shared_expert.up_proj.weight | shared_up_proj | weight
model.layers.*.mlp.shared_expert.down_proj.weight | shared_down_proj | weight
model.layers.*.mlp.shared_expert_gate.weight | shared_expert_gate | weight";

pub(super) const DEEPSEEK: &str = "
model.layers.*.self_attn.q_a_proj.weight | q_a_proj | weight
model.layers.*.self_attn.q_a_proj.bias | q_a_proj | bias
model.layers.*.self_attn.q_a_layernorm.weight | q_a_norm | weight
model.layers.*.self_attn.q_b_proj.weight | q_b_proj | weight
model.layers.*.self_attn.kv_a_proj_with_mqa.weight | kv_a_proj | weight
model.layers.*.self_attn.kv_a_proj_with_mqa.bias | kv_a_proj | bias
model.layers.*.self_attn.kv_a_layernorm.weight | kv_a_norm | weight
model.layers.*.self_attn.kv_b_proj.weight | kv_b_proj | weight
model.layers.*.mlp.gate.weight | router | weight
model.layers.*.mlp.gate.e_score_correction_bias | router | bias
model.layers.*.mlp.experts.*.gate_proj.weight | gate_proj | weight
model.layers.*.mlp.experts.*.up_proj.weight | up_proj | weight
model.layers.*.mlp.experts.*.down_proj.weight | down_proj | weight
model.layers.*.mlp.shared_experts.gate_proj.weight | shared_gate_proj | weight
model.layers.*.mlp.shared_experts.up_proj.weight | shared_up_proj | weight
model.layers.*.mlp.shared_experts.down_proj.weight | shared_down_proj | weight
model.layers.2.input_layernorm.weight | mtp_input_norm | weight
model.layers.2.self_attn.q_a_proj.weight | mtp_q_a_proj | weight
model.layers.2.self_attn.q_a_layernorm.weight | mtp_q_a_norm | weight
model.layers.2.self_attn.q_b_proj.weight | mtp_q_b_proj | weight
model.layers.2.self_attn.kv_a_proj_with_mqa.weight | mtp_kv_a_proj | weight
model.layers.2.self_attn.kv_a_layernorm.weight | mtp_kv_a_norm | weight
model.layers.2.self_attn.kv_b_proj.weight | mtp_kv_b_proj | weight
model.layers.2.self_attn.o_proj.weight | mtp_o_proj | weight
model.layers.2.post_attention_layernorm.weight | mtp_post_norm | weight
model.layers.2.mlp.gate.weight | mtp_router | weight
model.layers.2.mlp.gate.e_score_correction_bias | mtp_router | bias
model.layers.2.mlp.experts.*.gate_proj.weight | mtp_gate_proj | weight
model.layers.2.mlp.experts.*.up_proj.weight | mtp_up_proj | weight
model.layers.2.mlp.experts.*.down_proj.weight | mtp_down_proj | weight
model.layers.2.mlp.shared_experts.gate_proj.weight | mtp_shared_gate_proj | weight
model.layers.2.mlp.shared_experts.up_proj.weight | mtp_shared_up_proj | weight
model.layers.2.mlp.shared_experts.down_proj.weight | mtp_shared_down_proj | weight
model.layers.2.embed_tokens.weight | mtp_embed | weight
model.layers.2.enorm.weight | mtp_enorm | weight
model.layers.2.hnorm.weight | mtp_hnorm | weight
model.layers.2.eh_proj.weight | mtp_eh_proj | weight
model.layers.2.shared_head.norm.weight | mtp_final_norm | weight
model.layers.2.shared_head.head.weight | mtp_head | weight";

pub(super) const GPT_OSS: &str = "
model.layers.*.self_attn.sinks | sinks | weight
model.layers.*.mlp.router.weight | router | weight
model.layers.*.mlp.router.bias | router | bias
model.layers.*.mlp.experts.gate_up_proj_bias | gate_proj up_proj | bias
model.layers.*.mlp.experts.down_proj_bias | down_proj | bias";

pub(super) const MAMBA: &str = "
backbone.embeddings.weight | embed | weight
backbone.embedding.weight | embed | weight
backbone.layers.*.norm.weight | input_norm | weight
backbone.layers.*.mixer.in_proj.weight | in_proj_x in_proj_z | weight
backbone.layers.*.mixer.conv1d.weight | conv1d | weight
backbone.layers.*.mixer.conv1d.bias | conv1d | bias
backbone.layers.*.mixer.x_proj.weight | x_proj_dt x_proj_b x_proj_c | weight
backbone.layers.*.mixer.dt_proj.weight | dt_proj | weight
backbone.layers.*.mixer.dt_proj.bias | dt_proj | bias
backbone.layers.*.mixer.A_log | a_log | weight
backbone.layers.*.mixer.D | d | weight
backbone.layers.*.mixer.out_proj.weight | out_proj | weight
backbone.norm_f.weight | final_norm | weight
lm_head.weight | head | weight";

pub(super) const MAMBA2: &str = "
backbone.embeddings.weight | embed | weight
backbone.layers.*.norm.weight | input_norm | weight
backbone.layers.*.mixer.in_proj.weight | in_proj_z in_proj_x in_proj_b in_proj_c in_proj_dt | weight
backbone.layers.*.mixer.in_proj.bias | in_proj_z in_proj_x in_proj_b in_proj_c in_proj_dt | bias
backbone.layers.*.mixer.conv1d.weight | conv1d | weight
backbone.layers.*.mixer.conv1d.bias | conv1d | bias
backbone.layers.*.mixer.dt_bias | dt_bias | bias
backbone.layers.*.mixer.A_log | a_log | weight
backbone.layers.*.mixer.D | d | weight
backbone.layers.*.mixer.norm.weight | ssm_norm | weight
backbone.layers.*.mixer.out_proj.weight | out_proj | weight
backbone.layers.*.mixer.out_proj.bias | out_proj | bias
backbone.norm_f.weight | final_norm | weight
lm_head.weight | head | weight";

pub(super) const JAMBA: &str = "
model.layers.*.mamba.in_proj.weight | in_proj_x in_proj_z | weight
model.layers.*.mamba.conv1d.weight | conv1d | weight
model.layers.*.mamba.conv1d.bias | conv1d | bias
model.layers.*.mamba.x_proj.weight | x_proj_dt x_proj_b x_proj_c | weight
model.layers.*.mamba.dt_layernorm.weight | dt_norm | weight
model.layers.*.mamba.b_layernorm.weight | b_norm | weight
model.layers.*.mamba.c_layernorm.weight | c_norm | weight
model.layers.*.mamba.dt_proj.weight | dt_proj | weight
model.layers.*.mamba.dt_proj.bias | dt_proj | bias
model.layers.*.mamba.A_log | a_log | weight
model.layers.*.mamba.D | d | weight
model.layers.*.mamba.out_proj.weight | out_proj | weight
model.layers.*.pre_ff_layernorm.weight | post_norm | weight
model.layers.*.feed_forward.gate_proj.weight | gate_proj | weight
model.layers.*.feed_forward.up_proj.weight | up_proj | weight
model.layers.*.feed_forward.down_proj.weight | down_proj | weight
model.layers.*.feed_forward.router.weight | router | weight
model.layers.*.feed_forward.experts.*.gate_proj.weight | gate_proj | weight
model.layers.*.feed_forward.experts.*.up_proj.weight | up_proj | weight
model.layers.*.feed_forward.experts.*.down_proj.weight | down_proj | weight
model.layers.*.feed_forward.experts.gate_up_proj | gate_proj up_proj | weight
model.layers.*.feed_forward.experts.down_proj | down_proj | weight
model.final_layernorm.weight | final_norm | weight";

pub(super) const BAMBA: &str = "
model.layers.*.mamba.in_proj.weight | in_proj_z in_proj_x in_proj_b in_proj_c in_proj_dt | weight
model.layers.*.mamba.conv1d.weight | conv1d | weight
model.layers.*.mamba.conv1d.bias | conv1d | bias
model.layers.*.mamba.dt_bias | dt_bias | bias
model.layers.*.mamba.A_log | a_log | weight
model.layers.*.mamba.D | d | weight
model.layers.*.mamba.norm.weight | ssm_norm | weight
model.layers.*.mamba.out_proj.weight | out_proj | weight
model.layers.*.pre_ff_layernorm.weight | post_norm | weight
model.layers.*.feed_forward.gate_proj.weight | gate_proj | weight
model.layers.*.feed_forward.up_proj.weight | up_proj | weight
model.layers.*.feed_forward.down_proj.weight | down_proj | weight
model.final_layernorm.weight | final_norm | weight";

pub(super) const BERT: &str = "
bert.embeddings.word_embeddings.weight | embed | weight
embeddings.word_embeddings.weight | embed | weight
bert.embeddings.position_embeddings.weight | position_embed | weight
bert.embeddings.token_type_embeddings.weight | token_type_embed | weight
bert.embeddings.position_ids | position_ids | weight
bert.embeddings.LayerNorm.weight | embed_norm | weight
bert.embeddings.LayerNorm.bias | embed_norm | bias
bert.embeddings.LayerNorm.gamma | embed_norm | weight
bert.embeddings.LayerNorm.beta | embed_norm | bias
bert.encoder.layer.*.attention.self.query.weight | q_proj | weight
bert.encoder.layer.*.attention.self.query.bias | q_proj | bias
bert.encoder.layer.*.attention.self.key.weight | k_proj | weight
bert.encoder.layer.*.attention.self.key.bias | k_proj | bias
bert.encoder.layer.*.attention.self.value.weight | v_proj | weight
bert.encoder.layer.*.attention.self.value.bias | v_proj | bias
bert.encoder.layer.*.attention.output.dense.weight | o_proj | weight
bert.encoder.layer.*.attention.output.dense.bias | o_proj | bias
bert.encoder.layer.*.attention.output.LayerNorm.weight | post_norm | weight
bert.encoder.layer.*.attention.output.LayerNorm.bias | post_norm | bias
bert.encoder.layer.*.attention.output.LayerNorm.gamma | post_norm | weight
bert.encoder.layer.*.intermediate.dense.weight | up_proj | weight
bert.encoder.layer.*.intermediate.dense.bias | up_proj | bias
bert.encoder.layer.*.output.dense.weight | down_proj | weight
bert.encoder.layer.*.output.dense.bias | down_proj | bias
bert.encoder.layer.*.output.LayerNorm.weight | output_norm | weight
bert.encoder.layer.*.output.LayerNorm.bias | output_norm | bias
bert.encoder.layer.*.output.LayerNorm.beta | output_norm | bias
bert.pooler.dense.weight | pooler | weight
bert.pooler.dense.bias | pooler | bias
cls.predictions.transform.dense.weight | head_transform | weight
cls.predictions.transform.dense.bias | head_transform | bias
cls.predictions.transform.LayerNorm.weight | head_norm | weight
cls.predictions.transform.LayerNorm.bias | head_norm | bias
cls.predictions.transform.LayerNorm.gamma | head_norm | weight
cls.predictions.decoder.weight | head | weight
cls.predictions.bias | head | bias
cls.seq_relationship.weight | next_sentence_head | weight
cls.seq_relationship.bias | next_sentence_head | bias";
