"""Makes the seed corpora in tests/data/fuzz-seeds: files that the safetensors library writes, and ones broken by hand.

    python tests/goldens/fuzz_seeds.py
"""

import json
import pathlib
import struct

import numpy
from safetensors.numpy import save

OUT = pathlib.Path(__file__).resolve().parents[1] / "data" / "fuzz-seeds"


def file(header: str | bytes, data: bytes = b"") -> bytes:
    header = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(header)) + header + data


def entry(dtype: str = "U8", shape: object = (1,), offsets: object = (0, 1)) -> str:
    return json.dumps({"dtype": dtype, "shape": shape, "data_offsets": offsets}, separators=(",", ":"))


def headers() -> dict[str, bytes]:
    one = entry()
    return {
        "written-none": save({}),
        "written-scalar": save({"scalar": numpy.array(1.5, numpy.float32)}),
        "written-several": save(
            {
                "model.layers.0.self_attn.q_proj.weight": numpy.zeros((2, 3), numpy.float16),
                "model.norm.weight": numpy.ones(2, numpy.float32),
                "empty": numpy.zeros((0, 4), numpy.int64),
            },
            {"format": "pt"},
        ),
        "written-unicode": save({"é\n\"\\": numpy.zeros(1, numpy.uint8)}),
        "empty": b"",
        "short": b"\x01\x00\x00",
        "length-beyond-end": struct.pack("<Q", 1000) + b"{}",
        "length-huge": struct.pack("<Q", 2**64 - 1) + b"{}",
        "no-header": file(""),
        "array": file("[]"),
        "space-first": file(" {}"),
        "not-utf8": file(b'{"\xff":1}'),
        "not-json": file('{"a":'),
        "nested": file('{"a":' + "[" * 200),
        "duplicate": file(f'{{"a":{one},"\\u0061":{one}}}', b"x"),
        "duplicate-key": file('{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"x"),
        "unknown-dtype": file(f'{{"a":{entry("Q4_K")}}}', b"x"),
        "metadata-number": file('{"__metadata__":{"epoch":3}}'),
        "rank": file(f'{{"a":{entry(shape=[1] * 9)}}}', b"x"),
        "negative": file(f'{{"a":{entry(offsets=[-1, 0])}}}', b"x"),
        "fraction": file(f'{{"a":{entry(offsets=[0.5, 1])}}}', b"x"),
        "overflow": file(f'{{"a":{entry(shape=[2**32, 2**32])}}}', b"x"),
        "overflow-offset": file(f'{{"a":{entry(offsets=[0, 2**64])}}}', b"x"),
        "overlap": file(f'{{"a":{entry(shape=[2], offsets=[0, 2])},"b":{entry(shape=[2], offsets=[1, 3])}}}', b"xxx"),
        "hole": file(f'{{"a":{one},"b":{entry(offsets=[2, 3])}}}', b"xxx"),
        "trailing": file(f'{{"a":{one}}}', b"xx"),
        "wrong-length": file(f'{{"a":{entry("F32")}}}', b"x"),
        "path-name": file(f'{{"../../a":{one}}}', b"x"),
        "nul-name": file(f'{{"a\\u0000":{one}}}', b"x"),
        "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "gguf": b"GGUF\x03\x00\x00\x00",
        "zip": b"PK\x03\x04\x00\x00\x08\x08",
    }


def indexes() -> dict[str, bytes]:
    texts = {
        "usual": '{"metadata":{"total_size":2},"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}}',
        "folder": '{"weight_map":{"a":"text_encoder/m.safetensors"}}',
        "float-size": '{"metadata":{"total_size":2.0e3},"weight_map":{"a":"m.safetensors"}}',
        "empty-map": '{"weight_map":{}}',
        "no-map": "{}",
        "nothing": "",
        "array": "[]",
        "cut": '{"weight_map":{"a":',
        "duplicate": '{"weight_map":{"a":"x.safetensors","\\u0061":"y.safetensors"}}',
        "number": '{"weight_map":{"a":1}}',
        "parent": '{"weight_map":{"a":"../x.safetensors"}}',
        "absolute": '{"weight_map":{"a":"/x.safetensors"}}',
        "backslash": '{"weight_map":{"a":"..\\\\x.safetensors"}}',
        "drive": '{"weight_map":{"a":"C:x.safetensors"}}',
        "nul": '{"weight_map":{"a":"x\\u0000.safetensors"}}',
        "pytorch": '{"weight_map":{"a":"pytorch_model.bin"}}',
        "nested": '{"weight_map":' + '{"a":' * 200,
        "nested-metadata": '{"metadata":' + "[" * 200,
    }
    return {name: text.encode() for name, text in texts.items()}


def main() -> None:
    for target, seeds in {"shard_header": headers(), "shard_index": indexes()}.items():
        folder = OUT / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in seeds.items():
            (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
