"""Makes tests/data/goldens/spectrum.json: singular values by numpy's SVD (LAPACK's gesdd, in f64).

    python spectrum.py OUT

The matrices are made of a formula that crates/core/src/spectrum/tests.rs has too: sines, in f64, rounded to f32.
"""

import json
import pathlib
import sys

import numpy

CASES = {
    # name: rows, columns, rank of the part that stands out, size of the rest
    "low_rank": (300, 200, 5, 0.0),
    "low_rank_with_noise": (400, 260, 12, 0.01),
    "wide": (180, 420, 20, 0.003),
    "small": (40, 24, 6, 0.1),
    "noise": (320, 240, 0, 1.0),
}


def matrix(rows, columns, rank, rest):
    i = numpy.arange(rows, dtype=numpy.float64)[:, None]
    j = numpy.arange(columns, dtype=numpy.float64)[None, :]
    total = numpy.zeros((rows, columns))
    for k in range(rank):
        total += 0.7**k * numpy.sin((k + 1.0) * (i + 1.0) * 0.37) * numpy.sin((k + 2.0) * (j + 1.0) * 0.53)
    # Sines of large and unrelated arguments are as good as noise.
    total += rest * numpy.sin((i + 1.0) * (j + 1.0) * 12.9898 + (i + 1.0) * (i + 1.0) * 78.233 + (j + 1.0) * 4.1414)
    return total.astype(numpy.float32)


def main(out):
    found = {}
    for name, case in CASES.items():
        values = numpy.linalg.svd(matrix(*case).astype(numpy.float64), compute_uv=False)
        p = values[values > 0] / values.sum()
        found[name] = {
            "case": case,
            "singular_values": values[:16].tolist(),
            "l2": float(numpy.sqrt((values**2).sum())),
            "effective_rank": float(numpy.exp(-(p * numpy.log(p)).sum())),
            "errors": {str(rank): float(numpy.sqrt((values[rank:] ** 2).sum() / (values**2).sum())) for rank in (1, 4, 8, 16)},
        }
    pathlib.Path(out).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
