"""Makes tests/data/goldens/dequantise.safetensors: stored bytes and what PyTorch and transformers decode them to.

    python tests/goldens/dequantise.py

Needs torch, transformers (5.x, for its MXFP4 unpacking) and safetensors. The 16-bit formats have 65,536 values each, so
only the SHA-256 of all of them, as little-endian f32 with every NaN written as 0x7fc00000, is kept, in the metadata.
"""

import hashlib
import pathlib

import torch
from safetensors.torch import save_file
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

OUT = pathlib.Path(__file__).resolve().parents[1] / "data" / "goldens" / "dequantise.safetensors"


def digest(values: torch.Tensor) -> str:
    values = torch.where(values.isnan(), torch.tensor(float("nan")), values)
    return hashlib.sha256(values.contiguous().numpy().astype("<f4").tobytes()).hexdigest()


def eight_bit(dtype: torch.dtype) -> torch.Tensor:
    return torch.arange(256, dtype=torch.int32).to(torch.uint8).view(dtype).to(torch.float32)


def sixteen_bit(dtype: torch.dtype) -> torch.Tensor:
    return torch.arange(65536, dtype=torch.int32).to(torch.uint16).view(dtype).to(torch.float32)


def block_scaled(values: torch.Tensor, scales: torch.Tensor, block: tuple[int, int]) -> torch.Tensor:
    rows, columns = values.shape
    spread = scales.to(torch.float32).repeat_interleave(block[0], 0).repeat_interleave(block[1], 1)
    return values.to(torch.float32) * spread[:rows, :columns]


def main() -> None:
    torch.manual_seed(20)
    tensors = {
        "e4m3": eight_bit(torch.float8_e4m3fn),
        "e5m2": eight_bit(torch.float8_e5m2),
        "e8m0": eight_bit(torch.float8_e8m0fnu),
    }
    # 19 x 23 elements in blocks of 8 x 6: ragged at both edges.
    for name, dtype, scale_dtype in [
        ("e4m3_f32", torch.float8_e4m3fn, torch.float32),
        ("e5m2_bf16", torch.float8_e5m2, torch.bfloat16),
    ]:
        values = torch.randn(19, 23).to(dtype)
        scales = (torch.rand(3, 4) * 0.01).to(scale_dtype)
        tensors[f"{name}.weight"] = values
        tensors[f"{name}.weight_scale_inv"] = scales
        tensors[f"{name}.expected"] = block_scaled(values, scales, (8, 6))
    # One scale, and one a row.
    values = torch.randn(5, 7).to(torch.float8_e4m3fn)
    for name, scales in [("one", torch.rand(1)), ("row", torch.rand(5, 1))]:
        tensors[f"{name}.weight"] = values.clone()
        tensors[f"{name}.weight_scale"] = scales
        tensors[f"{name}.expected"] = values.to(torch.float32) * scales
    # Two experts of 96 inputs and 5 outputs.
    tensors["experts_blocks"] = torch.randint(0, 256, (2, 5, 3, 16), dtype=torch.uint8)
    tensors["experts_scales"] = torch.randint(100, 140, (2, 5, 3), dtype=torch.uint8)
    tensors["experts.expected"] = convert_moe_packed_tensors(
        tensors["experts_blocks"], tensors["experts_scales"], dtype=torch.float32
    )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    metadata = {
        "bf16": digest(sixteen_bit(torch.bfloat16)),
        "f16": digest(sixteen_bit(torch.float16)),
        "made_by": f"torch {torch.__version__}",
    }
    save_file(tensors, OUT, metadata)


if __name__ == "__main__":
    main()
