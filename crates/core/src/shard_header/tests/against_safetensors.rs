//! Our reader beside the `safetensors` crate's, on random headers and on broken ones.

use proptest::collection::vec;
use proptest::prelude::*;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype as TheirDtype, Metadata, TensorView, serialize};

use super::super::*;

/// The problems that the crate does not see: the list in this module's documentation.
fn is_stricter(problem: &HeaderProblem) -> bool {
    match problem {
        HeaderProblem::NotAnObject { found } => matches!(found, b' ' | b'\n' | b'\r' | b'\t'),
        HeaderProblem::DuplicateTensor { .. }
        | HeaderProblem::DuplicateMetadata { .. }
        | HeaderProblem::UnknownKey { .. }
        | HeaderProblem::UnusableName { .. }
        | HeaderProblem::Rank { .. } => true,
        HeaderProblem::UnknownDtype { known_to_format, .. } => *known_to_format,
        HeaderProblem::ShapeOverflow { shape, .. } => shape.contains(&0),
        HeaderProblem::Metadata { message } => message.contains("null"),
        HeaderProblem::Entry { message, .. } => {
            message.contains("invalid type: sequence, expected an object")
                || message.contains("invalid type: map, expected a string")
                || message.contains("more than 64 numbers")
        }
        _ => false,
    }
}

/// Whether the two readers agree about a file, as far as they should.
fn assert_agreement(file: &[u8]) {
    let theirs = SafeTensors::read_metadata(file);
    match (ShardHeader::from_file_bytes("x", file), theirs) {
        (Ok(ours), Ok((length, theirs))) => assert_same(&ours, length, &theirs),
        (Ok(ours), Err(error)) => panic!("accepted {ours:?}, which safetensors refuses: {error}"),
        (Err(ShardHeaderError::Malformed { problem, .. }), Ok(_)) => {
            assert!(is_stricter(&problem), "refused what safetensors reads: {problem:?}");
        }
        (Err(_), Err(_)) => {}
        (Err(ShardHeaderError::Read(error)), Ok(_)) => panic!("{error}"),
    }
}

fn assert_same(ours: &ShardHeader, length: usize, theirs: &Metadata) {
    assert_eq!(ours.header_bytes, 8 + length as u64);
    let metadata: BTreeMap<String, String> = theirs.metadata().clone().unwrap_or_default().into_iter().collect();
    assert_eq!(ours.metadata, metadata);
    assert_eq!(ours.tensors.len(), theirs.tensors().len());
    for tensor in &ours.tensors {
        let info = theirs.info(&tensor.name).expect("both have the tensor");
        assert_eq!(tensor.dtype.name(), info.dtype.to_string());
        assert_eq!(tensor.shape, info.shape.iter().map(|&size| size as u64).collect::<Vec<_>>());
        let (start, end) = (info.data_offsets.0 as u64, info.data_offsets.1 as u64);
        assert_eq!(tensor.bytes, ours.header_bytes + start..ours.header_bytes + end);
    }
}

const DTYPES: [TheirDtype; 12] = [
    TheirDtype::BOOL,
    TheirDtype::U8,
    TheirDtype::F8_E4M3,
    TheirDtype::F8_E8M0,
    TheirDtype::F8_E4M3FNUZ,
    TheirDtype::I16,
    TheirDtype::BF16,
    TheirDtype::F16,
    TheirDtype::F32,
    TheirDtype::C64,
    TheirDtype::F64,
    TheirDtype::U64,
];

/// A file that the crate itself has written.
fn written() -> impl Strategy<Value = Vec<u8>> {
    let tensor = (0..DTYPES.len(), vec(0_usize..4, 0..4));
    let names = prop_oneof!["[a-c]", "[a-z/.]{0,12}", ".{0,4}"];
    (vec((names, tensor), 0..6), proptest::option::of(vec((".{0,3}", ".{0,3}"), 0..3))).prop_map(
        |(tensors, metadata)| {
            let tensors: BTreeMap<_, _> = tensors.into_iter().filter(|(name, _)| name != "__metadata__").collect();
            let zeros = [0; 8 * 64];
            let views = tensors.iter().map(|(name, (dtype, shape))| {
                let bytes = shape.iter().product::<usize>() * DTYPES[*dtype].bitsize() / 8;
                (name, TensorView::new(DTYPES[*dtype], shape.clone(), &zeros[..bytes]).unwrap())
            });
            serialize(views, metadata.map(|entries| entries.into_iter().collect())).unwrap()
        },
    )
}

/// A change to a header: some bytes are replaced by a piece of JSON.
fn edit() -> impl Strategy<Value = (prop::sample::Index, usize, String)> {
    let piece = prop_oneof![
        Just(String::new()),
        prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "0",
            "1",
            "8",
            "-1",
            "0.5",
            "1e2",
            "null",
            "[]",
            "{}",
            " ",
            "\\u0061",
            "\\",
            "a",
            "dtype",
            "\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},",
            "\"__metadata__\":{\"a\":\"b\"},",
            "\"__metadata__\":null,",
            ",\"shape\":[1]",
            ",\"extra\":1",
            "F8_E4M3",
            "18446744073709551615",
            "4294967296,4294967296,",
            "0,4294967296,4294967296,",
            "1,1,1,1,1,1,1,1,1,",
        ])
        .prop_map(str::to_owned),
        "\\PC",
    ];
    (any::<prop::sample::Index>(), 0_usize..4, piece)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_the_crate_writes_is_read_alike(file in written()) {
        assert_agreement(&file);
    }

    #[test]
    fn edited_headers_are_judged_alike(file in written(), edits in vec(edit(), 1..4), keep_length in any::<bool>()) {
        let length = u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
        let mut header = file[8..8 + length].to_vec();
        for (place, removed, piece) in edits {
            let start = place.index(header.len() + 1);
            let end = (start + removed).min(header.len());
            header.splice(start..end, piece.bytes());
        }
        let declared = if keep_length { length } else { header.len() };
        let mut edited = (declared as u64).to_le_bytes().to_vec();
        edited.extend(header);
        edited.extend_from_slice(&file[8 + length..]);
        assert_agreement(&edited);
    }

    #[test]
    fn flipped_bytes_are_judged_alike(file in written(), place in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut flipped = file;
        let place = place.index(flipped.len());
        flipped[place] = value;
        assert_agreement(&flipped);
    }

    #[test]
    fn any_bytes_are_judged_alike(bytes in vec(any::<u8>(), 0..64)) {
        assert_agreement(&bytes);
        let mut headed = (bytes.len() as u64).to_le_bytes().to_vec();
        headed.extend(bytes);
        assert_agreement(&headed);
    }
}

#[test]
fn every_stricter_rule_is_about_something_the_crate_reads() {
    let headers = [
        " {}",
        r#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#,
        r#"{"__metadata__":{"a":"1","a":"2"}}"#,
        r#"{"__metadata__":null}"#,
        r#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"extra":1}}"#,
        r#"{"a":["U8",[0],[0,0]]}"#,
        r#"{"a":{"dtype":{"U8":null},"shape":[0],"data_offsets":[0,0]}}"#,
        r#"{"":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#,
        r#"{"\u0000":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#,
        r#"{"a":{"dtype":"U8","shape":[0,1,1,1,1,1,1,1,1],"data_offsets":[0,0]}}"#,
        r#"{"a":{"dtype":"U8","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}}"#,
        r#"{"a":{"dtype":"F4","shape":[0],"data_offsets":[0,0]}}"#,
    ];
    for header in headers {
        let file = super::file(header, 0);
        assert!(SafeTensors::read_metadata(&file).is_ok(), "{header}");
        let Err(ShardHeaderError::Malformed { problem, .. }) = ShardHeader::from_file_bytes("x", &file) else {
            panic!("{header} is read");
        };
        assert!(is_stricter(&problem), "{header}: {problem:?}");
    }
}
