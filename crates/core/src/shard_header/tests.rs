use std::time::Instant;

use super::*;
use crate::source::MemorySource;

/// A file with this header text and as many data bytes.
fn file(header: &str, data_bytes: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.resize(file.len() + data_bytes, 0);
    file
}

/// Reads it both ways, which must agree.
fn read(file: &[u8]) -> Result<ShardHeader, ShardHeaderError> {
    let whole = ShardHeader::from_file_bytes("model.safetensors", file);
    let source = MemorySource::new("model.safetensors", file.to_vec());
    let read = pollster::block_on(ShardHeader::read(&source));
    match (&whole, &read) {
        (Ok(whole), Ok(read)) => assert_eq!(whole, read),
        (Err(whole), Err(read)) => assert_eq!(whole.to_string(), read.to_string()),
        _ => panic!("{whole:?} but {read:?}"),
    }
    read
}

#[track_caller]
fn message(file: &[u8]) -> String {
    let message = read(file).expect_err("this file is broken").to_string();
    assert!(message.starts_with("model.safetensors: "), "{message}");
    message
}

/// Asserts that the message for a file with this header holds each of `words`.
#[track_caller]
fn assert_refused(header: &str, data_bytes: usize, words: &[&str]) {
    let message = message(&file(header, data_bytes));
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
}

const ONE: &str = r#""w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}"#;

#[test]
fn a_header_gives_tensors_by_position_and_metadata() {
    let header = r#"{"b":{"dtype":"BF16","shape":[2,2],"data_offsets":[4,12]},"__metadata__":{"format":"pt"},
        "a":{"data_offsets":[0,4],"shape":[],"dtype":"F32"}}   "#;
    let start = 8 + header.len() as u64;
    let tensor = |name: &str, dtype, shape: &[u64], bytes: Range<u64>| StoredTensor {
        name: name.to_owned(),
        dtype,
        shape: shape.to_vec(),
        bytes: start + bytes.start..start + bytes.end,
    };
    let expected = ShardHeader {
        tensors: vec![tensor("a", Dtype::F32, &[], 0..4), tensor("b", Dtype::BF16, &[2, 2], 4..12)],
        metadata: BTreeMap::from([("format".to_owned(), "pt".to_owned())]),
        header_bytes: start,
    };
    assert_eq!(read(&file(header, 12)).unwrap(), expected);
    assert_eq!(expected.tensors[1].elements(), 4);
    assert_eq!(expected.tensors[0].elements(), 1);
}

#[test]
fn a_header_without_tensors_is_a_header() {
    assert_eq!(read(&file("{}", 0)).unwrap().tensors, []);
}

#[test]
fn tensors_without_elements_are_tensors() {
    let header = r#"{"b":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},
        "a":{"dtype":"F64","shape":[0,7],"data_offsets":[0,0]},"c":{"dtype":"U8","shape":[0],"data_offsets":[12,12]}}"#;
    let names: Vec<String> = read(&file(header, 12)).unwrap().tensors.into_iter().map(|tensor| tensor.name).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn a_name_that_looks_like_a_path_is_only_a_name() {
    let header = r#"{"../../etc/passwd":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
    assert_eq!(read(&file(header, 1)).unwrap().tensors[0].name, "../../etc/passwd");
}

#[test]
fn a_header_longer_than_the_first_read_is_read_too() {
    let entries: Vec<String> = (0..2_000)
        .map(|index| format!(r#""layer.{index}":{{"dtype":"U8","shape":[1],"data_offsets":[{index},{}]}}"#, index + 1))
        .collect();
    let header = format!("{{{}}}", entries.join(","));
    assert!(header.len() as u64 > FIRST_READ);
    assert_eq!(read(&file(&header, 2_000)).unwrap().tensors.len(), 2_000);
}

#[test]
fn an_empty_file_is_refused() {
    assert!(message(b"").contains("the file is empty"));
}

#[test]
fn a_file_shorter_than_the_length_is_refused() {
    assert!(message(b"\x01\0\0").contains("the file has 3 bytes"));
}

#[test]
fn a_header_longer_than_the_file_is_refused() {
    let mut short = file("{}", 0);
    short[0] = 200;
    let message = message(&short);
    assert!(message.contains("claims 200 bytes, but the whole file has 10"), "{message}");
}

#[test]
fn a_header_over_the_limit_is_refused() {
    let mut long = file("{}", 0);
    long[..8].copy_from_slice(&100_000_001_u64.to_le_bytes());
    let found = message(&long);
    assert!(found.contains("claims 100000001 bytes; at most 100000000"), "{found}");
    long[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(message(&long).contains("claims 18446744073709551615 bytes"));
}

#[test]
fn a_header_that_is_empty_is_refused() {
    assert!(message(&file("", 4)).contains("claims 0 bytes"));
}

#[test]
fn a_header_that_does_not_start_with_a_brace_is_refused() {
    assert_refused(" {}", 0, &["starts with the byte 0x20", "`{` was expected"]);
    assert_refused("[]", 0, &["starts with the byte 0x5b"]);
}

#[test]
fn a_header_that_is_not_utf8_is_refused() {
    let mut broken = file(r#"{"w":1}"#, 0);
    broken[10] = 0xff;
    assert!(message(&broken).contains("not UTF-8 after its first 2 bytes"));
}

#[test]
fn a_header_that_is_not_json_is_refused() {
    assert_refused("{", 0, &["not the JSON", "EOF while parsing", "line 1 column 1"]);
    assert_refused(&format!("{{{ONE}}}, more"), 24, &["not the JSON", "trailing characters"]);
    assert_refused("{\"w\":{\"dtype\":\"F32\",}}", 0, &["not the JSON"]);
}

#[test]
fn nesting_does_not_overflow_the_stack() {
    for opening in ["[", r#"{"a":"#] {
        assert_refused(&format!(r#"{{"w":{}"#, opening.repeat(1_000_000)), 0, &["model.safetensors", "\"w\""]);
        let shape = format!(r#"{{"w":{{"shape":{}"#, opening.repeat(1_000_000));
        assert_refused(&shape, 0, &["model.safetensors", "\"w\""]);
    }
    assert_refused(&format!(r#"{{"__metadata__":{}"#, r#"{"a":"#.repeat(1_000_000)), 0, &["__metadata__"]);
}

#[test]
fn a_tensor_listed_twice_is_refused_also_through_escapes() {
    assert_refused(&format!("{{{ONE},{ONE}}}"), 24, &["tensor \"w\" is listed twice"]);
    let escaped = ONE.replacen("\"w\"", r#""\u0077""#, 1);
    assert_refused(&format!("{{{ONE},{escaped}}}"), 24, &["tensor \"w\" is listed twice"]);
}

#[test]
fn a_key_given_twice_is_refused_also_through_escapes() {
    for (key, value) in [("dtype", r#""F32""#), ("shape", "[2,3]"), ("data_offsets", "[0,24]")] {
        let escaped = format!("\\u{:04x}{}", key.as_bytes()[0], &key[1..]);
        for again in [key, &escaped] {
            let header = format!("{{{}}}", ONE.replace('}', &format!(r#","{again}":{value}}}"#)));
            assert_refused(&header, 24, &["tensor \"w\"", &format!("the key `{key}` twice")]);
        }
    }
    assert_refused(r#"{"__metadata__":{"a":"1","\u0061":"2"}}"#, 0, &["`__metadata__` has the key \"a\" twice"]);
    assert_refused(r#"{"__metadata__":{},"__metadata__":{}}"#, 0, &["\"__metadata__\" is listed twice"]);
}

#[test]
fn an_unknown_dtype_is_refused_with_the_ones_that_are_read() {
    let header = |dtype: &str| format!("{{{}}}", ONE.replace("F32", dtype));
    assert_refused(&header("Q4_K"), 24, &["tensor \"w\"", "\"Q4_K\" is not a safetensors dtype", "BF16", "F8_E4M3"]);
    assert_refused(&header("C64"), 24, &["tensor \"w\"", "\"C64\" belongs to the format but is not supported here"]);
}

#[test]
fn metadata_that_is_not_strings_is_refused() {
    assert_refused(r#"{"__metadata__":{"epoch":3}}"#, 0, &["`__metadata__`", "integer `3`", "expected a string"]);
    assert_refused(r#"{"__metadata__":[]}"#, 0, &["`__metadata__`", "expected an object of strings"]);
    assert_refused(r#"{"__metadata__":null}"#, 0, &["`__metadata__`", "null"]);
}

#[test]
fn a_rank_over_the_limit_is_refused_and_the_limit_said() {
    let shape = |rank: usize| format!("[{}]", vec!["1"; rank].join(","));
    let header = |rank| format!("{{{}}}", ONE.replace("[2,3]", &shape(rank)).replace("24", "4"));
    assert_eq!(read(&file(&header(8), 4)).unwrap().tensors[0].shape, [1; 8]);
    assert_refused(&header(9), 4, &["tensor \"w\"", "9 dimensions", "at most 8"]);
    assert_refused(&header(100_000), 4, &["tensor \"w\"", "more than 64 numbers"]);
}

#[test]
fn offsets_that_are_no_sizes_are_refused() {
    let whole = "expected a whole number from 0 to 2^64 - 1";
    for (found, said) in [("-1", "integer `-1`"), ("0.5", "floating point `0.5`"), ("\"0\"", "string \"0\"")] {
        assert_refused(
            &format!("{{{}}}", ONE.replace("[0,24]", &format!("[{found},24]"))),
            24,
            &["\"w\"", said, whole],
        );
        assert_refused(&format!("{{{}}}", ONE.replace("[2,3]", &format!("[2,{found}]"))), 24, &["\"w\"", said, whole]);
    }
    let overflowing = ONE.replace("24]", "18446744073709551616]");
    assert_refused(&format!("{{{overflowing}}}"), 24, &["\"w\"", "1.8446744073709552e+19", whole]);
    assert_refused(&format!("{{{}}}", ONE.replace("[0,24]", "[0]")), 24, &["\"w\"", "1 numbers, expected 2"]);
    assert_refused(&format!("{{{}}}", ONE.replace("[0,24]", "[24,0]")), 24, &["\"w\"", "backwards, from 24 to 0"]);
}

#[test]
fn an_entry_that_lacks_a_key_or_has_another_is_refused() {
    assert_refused(r#"{"w":{"dtype":"F32","shape":[]}}"#, 4, &["\"w\"", "missing field `data_offsets`"]);
    assert_refused(&format!("{{{}}}", ONE.replace('}', r#","strides":[1,2]}"#)), 24, &["\"w\"", "\"strides\""]);
    assert_refused(r#"{"w":["F32",[1],[0,4]]}"#, 4, &["\"w\"", "expected an object"]);
}

#[test]
fn offsets_beyond_the_file_are_refused() {
    assert_refused(&format!("{{{ONE}}}"), 23, &["\"w\"", "0..24", "only 23 bytes follow"]);
    let far = r#"{"w":{"dtype":"U8","shape":[4],"data_offsets":[18446744073709551611,18446744073709551615]}}"#;
    assert_refused(far, 24, &["\"w\"", "18446744073709551611..18446744073709551615", "only 24 bytes"]);
}

#[test]
fn overlapping_tensors_are_refused() {
    let header = format!(r#"{{{ONE},"v":{{"dtype":"F32","shape":[2],"data_offsets":[20,28]}}}}"#);
    assert_refused(&header, 28, &["tensor \"v\" starts at data offset 20", "inside tensor \"w\"", "ends at 24"]);
    let same = format!("{{{ONE},{}}}", ONE.replace('w', "v"));
    assert_refused(&same, 24, &["tensor \"w\" starts at data offset 0", "inside tensor \"v\""]);
}

#[test]
fn holes_and_trailing_bytes_are_refused() {
    let header = format!(r#"{{{ONE},"v":{{"dtype":"U8","shape":[1],"data_offsets":[25,26]}}}}"#);
    assert_refused(&header, 26, &["24..25", "before tensor \"v\"", "belong to no tensor"]);
    assert_refused(&format!("{{{ONE}}}"), 30, &["ends at data offset 24, but 30 bytes follow"]);
    assert_refused("{}", 1, &["ends at data offset 0, but 1 bytes follow"]);
}

#[test]
fn a_shape_that_does_not_take_its_bytes_is_refused() {
    let header = format!("{{{}}}", ONE.replace("[2,3]", "[2,4]"));
    assert_refused(&header, 24, &["\"w\"", "24 bytes", "[2, 4] of F32 takes 32"]);
}

#[test]
fn a_shape_that_overflows_is_refused() {
    for shape in ["[4294967296,4294967296]", "[4611686018427387904]", "[0,4294967296,4294967296]"] {
        let header = format!("{{{}}}", ONE.replace("[2,3]", shape));
        assert_refused(&header, 24, &["\"w\"", "of F32 overflows"]);
    }
}

#[test]
fn a_name_that_is_empty_or_holds_a_nul_is_refused() {
    assert_refused(&format!("{{{}}}", ONE.replacen("\"w\"", "\"\"", 1)), 24, &["tensor \"\"", "empty or holds a NUL"]);
    let nul = ONE.replacen("\"w\"", r#""a\u0000b""#, 1);
    assert_refused(&format!("{{{nul}}}"), 24, &[r#"tensor "a\0b""#, "empty or holds a NUL"]);
}

#[test]
fn a_long_or_controlling_name_is_tamed_in_messages() {
    let name = format!("\\u001b[2J{}", "x".repeat(100_000));
    let message = message(&file(&format!("{{{}}}", ONE.replacen('w', &name, 1)), 0));
    assert!(message.len() < 600 && message.contains(r"\u{1b}[2J"), "{message}");
}

#[test]
fn files_of_other_kinds_are_recognised() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    assert!(message(pointer.as_bytes()).contains("Git LFS pointer"));
    assert!(message(b"GGUF\x03\0\0\0\x01").contains("safetensors release"));
    assert!(message(b"PK\x03\x04\0\0\x08\x08\0\0").contains("PyTorch file"));
    assert!(message(b"\x80\x02}q\0").contains("PyTorch file"));
    assert!(message(b"<!DOCTYPE html><html>404").contains("web page"));
}

#[test]
fn a_large_header_is_read_fast() {
    let entries: Vec<String> = (0..100_000)
        .map(|index| {
            format!(
                r#""model.layers.{index}.mlp.experts.7.down_proj.weight":{{"dtype":"BF16","shape":[1,2],"data_offsets":[{},{}]}}"#,
                index * 4,
                index * 4 + 4
            )
        })
        .collect();
    let bytes = file(&format!("{{{}}}", entries.join(",")), 400_000);
    let started = Instant::now();
    let header = ShardHeader::from_file_bytes("model.safetensors", &bytes).unwrap();
    assert_eq!(header.tensors.len(), 100_000);
    // About 50 ms; the limit only catches something quadratic.
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}

mod against_safetensors;
