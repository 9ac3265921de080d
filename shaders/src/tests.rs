//! What naga, which compiles the shaders too, says of them.

use std::collections::BTreeMap;
use std::mem::offset_of;
use std::path::Path;

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{Module, TypeInner};

use crate::{Format, blend, dare, decode, delta, encode, nearswap, rows_and_columns};

fn module(source: &str) -> Module {
    naga::front::wgsl::parse_str(source).unwrap_or_else(|error| panic!("{}", error.emit_to_string(source)))
}

#[test]
fn every_shader_in_the_folder_is_valid_wgsl() {
    let folder = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let files = folder.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "wgsl"));
    let mut seen = 0;
    for path in files {
        let source = std::fs::read_to_string(&path).unwrap();
        let module = module(&source);
        let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
        validator.validate(&module).unwrap_or_else(|error| panic!("{}", error.emit_to_string(&source)));
        assert_eq!(module.entry_points[0].name, path.file_stem().unwrap().to_str().unwrap());
        seen += 1;
    }
    assert!(seen >= 5);
}

/// Size and member offsets of a structure, in bytes, as WGSL lays it out.
fn layout(source: &str, name: &str) -> (u32, BTreeMap<String, u32>) {
    let module = module(source);
    let (_, found) =
        module.types.iter().find(|(_, kind)| kind.name.as_deref() == Some(name)).expect("such a structure");
    let TypeInner::Struct { members, span } = &found.inner else { panic!("{name} is no structure") };
    let offsets = members.iter().map(|member| (member.name.clone().expect("a name"), member.offset));
    (*span, offsets.collect())
}

/// Compares a structure of ours with the shader's of the same name.
macro_rules! assert_same_layout {
    ($module:ident, $name:ident { $($member:ident),* $(,)? }) => {
        let offsets = BTreeMap::from([$((stringify!($member).to_owned(), offset_of!($module::$name, $member) as u32)),*]);
        assert_eq!((size_of::<$module::$name>() as u32, offsets), layout($module::SOURCE, stringify!($name)));
    };
}

#[test]
fn structures_lie_in_memory_as_the_shaders_read_them() {
    assert_same_layout!(delta, Job { start_a, start_b, elements, first_anchor, anchor_distance, anchors });
    assert_same_layout!(delta, Workgroup { job, first });
    assert_same_layout!(delta, Dispatch { first_workgroup });
    assert_same_layout!(
        delta,
        Sums {
            delta_squared,
            a_squared,
            b_squared,
            a_dot_delta,
            delta_absolute,
            ulps_squared,
            delta_largest,
            insufficient
        }
    );
    assert_same_layout!(
        delta,
        Counts {
            script,
            formula,
            changed,
            non_finite,
            non_finite_a,
            non_finite_b,
            one_ulp,
            few_ulps,
            more_ulps,
            largest_ulps
        }
    );
    assert_same_layout!(rows_and_columns, Matrix { start_a, start_b, rows, columns });
    assert_same_layout!(decode, Job { elements, first });
    assert_same_layout!(encode, Job { elements, first_word });
    assert_same_layout!(blend, Job { elements, vectors, deltas });
    assert_same_layout!(nearswap, Job { elements, t });
    assert_same_layout!(dare, Job { first_low, first_high, key_low, key_high, elements, models });
    assert_same_layout!(dare, Model { factor, probability, purpose });
}

/// The value of a `const NAME: u32` of a shader.
fn constant(source: &str, name: &str) -> u32 {
    let module = module(source);
    let (_, constant) =
        module.constants.iter().find(|(_, constant)| constant.name.as_deref() == Some(name)).expect("such a constant");
    match module.global_expressions[constant.init] {
        naga::Expression::Literal(naga::Literal::U32(value)) => value,
        ref other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn constants_are_those_of_the_shaders() {
    for (name, value) in [("SPAN", delta::SPAN), ("SLOTS", delta::SLOTS as u32)] {
        assert_eq!(constant(delta::SOURCE, name), value);
    }
    for (name, slot) in [("BELOW", delta::BELOW), ("ABOVE", delta::ABOVE), ("UNCHANGED", delta::UNCHANGED)] {
        assert_eq!(constant(delta::SOURCE, name), slot as u32);
    }
    assert_eq!(constant(delta::SOURCE, "UNDEFINED"), delta::UNDEFINED as u32);
    assert_eq!(constant(rows_and_columns::SOURCE, "TILE_ROWS"), rows_and_columns::TILE_ROWS);
    assert_eq!(constant(rows_and_columns::SOURCE, "TILE_COLUMNS"), rows_and_columns::TILE_COLUMNS);
    for (source, threads) in [
        (blend::SOURCE, blend::THREADS),
        (nearswap::SOURCE, nearswap::THREADS),
        (dare::SOURCE, dare::THREADS),
        (decode::SOURCE, decode::THREADS),
        (encode::SOURCE, encode::THREADS),
    ] {
        assert_eq!(constant(source, "THREADS"), threads);
    }
    let names = ["BF16", "F16", "F32", "F8_E4M3", "F8_E5M2"];
    for (name, format) in names.into_iter().zip(Format::ALL) {
        for source in [delta::SOURCE, rows_and_columns::SOURCE] {
            assert_eq!(constant(source, name), format.number());
        }
        if format.bytes() > 1 {
            for source in [decode::SOURCE, encode::SOURCE] {
                assert_eq!(constant(source, name), format.number());
            }
        }
    }
}
