"""Writes tests/data/dip.json: histograms and their dips by the Python package `diptest` (0.12.0, with numpy).

Each histogram is a list of counts at equally spaced points; the package gets a sample that repeats every point as often
as it was counted. Run from the project's root: python tests/goldens/make_dip.py
"""

import json
from pathlib import Path

import diptest
import numpy as np

POINTS = 200


def histogram(sample):
    counts, _ = np.histogram(sample, bins=POINTS, range=(-1.0, 1.0))
    return counts


def sampled(seed, size, *components):
    """Counts of a mixture of Gaussians, each (weight, mean, deviation)."""
    generator = np.random.default_rng(seed)
    weights = np.array([weight for weight, _, _ in components])
    which = generator.choice(len(components), size=size, p=weights / weights.sum())
    means = np.array([mean for _, mean, _ in components])[which]
    deviations = np.array([deviation for _, _, deviation in components])[which]
    return histogram(generator.normal(means, deviations))


def comb(counts, period):
    counts = counts.copy()
    counts[np.arange(POINTS) % period != 0] = 0
    return counts


def spikes(*placed):
    counts = np.zeros(POINTS, dtype=int)
    for point, count in placed:
        counts[point] = count
    return counts


def histograms():
    wide = sampled(1, 20_000, (1, 0.0, 0.3))
    pair = sampled(2, 20_000, (1, -0.4, 0.1), (1, 0.4, 0.1))
    yield "one mode", wide
    yield "one narrow mode", sampled(3, 20_000, (1, 0.0, 0.01))
    yield "one mode to the side", sampled(4, 20_000, (1, 0.9, 0.2))
    yield "two modes", pair
    yield "two modes that overlap", sampled(5, 20_000, (1, -0.2, 0.15), (1, 0.2, 0.15))
    yield "two modes of different height", sampled(6, 20_000, (10, -0.3, 0.1), (1, 0.5, 0.2))
    yield "three modes", sampled(7, 20_000, (1, -0.6, 0.1), (2, 0.0, 0.1), (1, 0.6, 0.1))
    yield "uniform", np.full(POINTS, 100)
    yield "uniform sample", histogram(np.random.default_rng(8).uniform(-1.0, 1.0, 20_000))
    yield "heavy tails", histogram(0.1 * np.random.default_rng(9).standard_cauchy(20_000))
    yield "equal spikes", spikes((40, 1000), (160, 1000))
    yield "unequal spikes", spikes((40, 1000), (160, 3))
    yield "three spikes", spikes((20, 500), (100, 300), (190, 700))
    yield "spikes side by side", spikes((99, 5000), (100, 5000))
    yield "a spike on a hill", wide + spikes((30, 4000))
    yield "a comb of one mode", comb(wide, 4)
    yield "a comb of two modes", comb(pair, 3)
    yield "a coarse comb", comb(wide, 17)
    yield "falling to both sides of a gap", np.concatenate([np.arange(100), np.arange(100)[::-1]]) * (
        np.abs(np.arange(POINTS) - 99.5) > 10
    )
    for size in (4, 5, 7, 12, 30, 100):
        yield f"{size} elements", few(size)
    yield "one point", spikes((77, 500))


def few(size):
    return histogram(np.random.default_rng(100 + size).uniform(-1.0, 1.0, size))


def main():
    centres = (np.arange(POINTS) + 0.5) / 100.0 - 1.0
    goldens = [
        {
            "name": name,
            "counts": [int(count) for count in counts],
            "dip": float(diptest.dipstat(np.repeat(centres, counts))),
        }
        for name, counts in histograms()
    ]
    lines = ",\n".join(json.dumps(golden, separators=(",", ":")) for golden in goldens)
    Path("tests/data/dip.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
