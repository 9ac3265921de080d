//! Names, and what is told of a plug-in.

use super::peft::{Piece, names, place};

#[test]
fn the_names_of_peft_are_read_as_they_are_written() {
    let [down, up] = names("model.layers.3.self_attn.o_proj");
    assert_eq!(down, "base_model.model.model.layers.3.self_attn.o_proj.lora_A.weight");
    assert_eq!(up, "base_model.model.model.layers.3.self_attn.o_proj.lora_B.weight");
    assert_eq!(names("h.0.attn.c_attn")[0], "base_model.model.transformer.h.0.attn.c_attn.lora_A.weight");
    let weight = |name: &str| place(name).map(|piece| piece.weight());
    assert_eq!(weight(&down).as_deref(), Some("model.layers.3.self_attn.o_proj.weight"));
    assert!(matches!(place(&up), Some(Piece::Up { is_embedding: false, .. })));
    assert!(matches!(place("base_model.model.wte.lora_embedding_A"), Some(Piece::Down { is_embedding: true, .. })));
    assert!(matches!(place("base_model.model.q.lora_magnitude_vector"), Some(Piece::Magnitude(_))));
    assert_eq!(weight("base_model.model.model.norm.weight").as_deref(), Some("model.norm.weight"));
    assert_eq!(weight("base_model.model.a.q_proj.base_layer.bias").as_deref(), Some("a.q_proj.bias"));
    assert_eq!(weight("model.norm.weight"), None);
}
