"""How often a semantic cache would serve the answer to another question: real prompts, all of them different.

    python benchmarks/semantic.py --data FOLDER [--prompts 3000] [--dimensions 1024]

FOLDER holds `*.prompts.csv.gz` with a column `prompt`. Each prompt is looked up among those before it; since no two
are the same question, every hit is a false one. The embedding is lexical (hashed words and pairs of words), the only
one that needs no network: a trained model puts other texts near each other, so measure yours with `trial=True`.
"""

import argparse
import csv
import gzip
import random
import re
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np

THRESHOLDS = (0.8, 0.9, 0.95, 0.97, 0.99)
WORD = re.compile(r"\w+")


def direction(text, dimensions):
    """A unit vector of hashed words and pairs of neighbours."""
    vector = np.zeros(dimensions, np.float32)
    words = WORD.findall(text.lower()) or [text]
    for token in [*words, *(f"{a} {b}" for a, b in pairwise(words))]:
        place = crc32(token.encode())
        vector[place % dimensions] += 1 if place & 1 << 31 else -1
    return vector / (np.linalg.norm(vector) or 1)


def prompts_of(path, most):
    """So many different prompts of a set, in a fixed random order."""
    csv.field_size_limit(10**8)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        texts = sorted({row["prompt"].strip() for row in csv.DictReader(lines)})
    return random.Random(0).sample(texts, min(most, len(texts)))


def nearest(texts, dimensions):
    """The similarity of each prompt to the nearest one before it."""
    matrix = np.stack([direction(text, dimensions) for text in texts])
    return np.array([(matrix[:at] @ matrix[at]).max() for at in range(1, len(texts))])


def main():
    """One row a set."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--prompts", type=int, default=3000)
    parser.add_argument("--dimensions", type=int, default=1024)
    options = parser.parse_args()
    print(f"{'false hits in %, threshold':28}" + "".join(f"{threshold:>8}" for threshold in THRESHOLDS))
    for path in sorted(options.data.glob("*.prompts.csv.gz")):
        similar = nearest(prompts_of(path, options.prompts), options.dimensions)
        shares = [100 * float((similar >= threshold).mean()) for threshold in THRESHOLDS]
        name = f"{path.name.partition('.')[0]} ({len(similar) + 1})"
        print(f"{name:28}" + "".join(f"{share:8.2f}" for share in shares))


if __name__ == "__main__":
    main()
