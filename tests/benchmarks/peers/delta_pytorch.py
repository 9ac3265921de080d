"""What a PyTorch user would write to compare two checkpoints tensor by tensor; timed by `cargo xtask bench delta`.

    delta_pytorch.py A B --what norm|everything [--limit-bytes N]

A and B are folders of safetensors files with the same tensors. Only one pair of tensors is in memory at a time. Prints JSON:
seconds, bytes (of both checkpoints) and the result's sum, so that nothing can be left out unnoticed.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from safetensors import safe_open


def tensors(folder):
    """Where every tensor of a checkpoint is: name -> open file."""
    found = {}
    for path in sorted(Path(folder).glob("*.safetensors")):
        file = safe_open(path, framework="pt")
        found.update(dict.fromkeys(file.keys(), file))
    return found


def norm(a, b):
    """The norm of the difference, and nothing else."""
    return (b.float() - a.float()).norm().item()


def everything(a, b):
    """Every sum of `stethoscope.delta/1` in double precision, and the 200 bins of the relative change."""
    a, b = a.float().flatten(), b.float().flatten()
    finite_a, finite_b = a.isfinite(), b.isfinite()
    both = finite_a & finite_b
    non_finite = (~finite_a).sum().item(), (~finite_b).sum().item()
    if not both.all():
        a, b = a[both], b[both]
    d = b - a
    a64, b64, d64 = a.double(), b.double(), d.double()
    aa, bb, dd = a64.dot(a64).item(), b64.dot(b64).item(), d64.dot(d64).item()
    ab, ad = a64.dot(b64).item(), a64.dot(d64).item()
    relative = d / (a.abs() + 1e-8)
    counts = torch.histc(relative, bins=200, min=-1.0, max=1.0)
    return {
        "l2_delta": dd**0.5,
        "l2_a": aa**0.5,
        "l2_b": bb**0.5,
        "l2_relative": (dd / aa) ** 0.5 if aa else None,
        "cosine": ab / (aa * bb) ** 0.5 if aa and bb else None,
        "dot_a_delta": ad,
        "l1_delta": d64.abs().sum().item(),
        "max_abs_delta": d.abs().max().item() if d.numel() else 0.0,
        "changed": (a != b).sum().item(),
        "non_finite": non_finite,
        "counts": counts.tolist(),
        "below": (relative < -1).sum().item(),
        "above": (relative > 1).sum().item(),
        "unchanged": (d == 0).sum().item(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("a")
    parser.add_argument("b")
    parser.add_argument("--what", choices=["norm", "everything"], required=True)
    parser.add_argument("--limit-bytes", type=int, help="stop after so many bytes of each checkpoint")
    arguments = parser.parse_args()

    started = time.perf_counter()
    of_a, of_b = tensors(arguments.a), tensors(arguments.b)
    total, bytes_read, count = 0.0, 0, 0
    # Blocks before the embedding, so that a limit measures the matrices that make most of a model.
    for name in sorted(of_a.keys() & of_b.keys(), key=lambda name: (".layers." not in name, name)):
        if arguments.limit_bytes is not None and bytes_read >= 2 * arguments.limit_bytes:
            break
        a, b = of_a[name].get_tensor(name), of_b[name].get_tensor(name)
        total += norm(a, b) if arguments.what == "norm" else everything(a, b)["l2_delta"]
        bytes_read += a.nbytes + b.nbytes
        count += 1
    seconds = time.perf_counter() - started
    print(
        json.dumps(
            {
                "what": arguments.what,
                "seconds": seconds,
                "bytes": bytes_read,
                "bytes_per_second": bytes_read / seconds,
                "tensors": count,
                "sum_of_l2_delta": total,
                "torch": torch.__version__,
                "threads": torch.get_num_threads(),
            }
        )
    )


if __name__ == "__main__":
    main()
