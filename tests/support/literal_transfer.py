"""Transfer losses written as their formulas: slow loops over samples, classes and positions."""

import math
from collections.abc import Sequence

from torch import Tensor

Row = Sequence[float]
Matrix = Sequence[Row]


def softmax(scores: Row) -> list[float]:
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]


def divergence(to: Matrix, source: Matrix, temperature: float) -> float:
    """T^2 mean_b sum_c p (log p - log q)."""
    total = 0.0
    for z, t in zip(to, source, strict=True):
        q, p = (softmax([score / temperature for score in row]) for row in (z, t))
        total += sum(b * (math.log(b) - math.log(a)) for a, b in zip(q, p, strict=True))
    return temperature**2 * total / len(to)


def logit_distance(to: Matrix, source: Matrix) -> float:
    pairs = zip(to, source, strict=True)
    return sum((a - b) ** 2 for z, t in pairs for a, b in zip(z, t, strict=True)) / len(to)


def energy(picture: Tensor) -> list[float]:
    """Return the mean square of the channels at each position, at unit length."""
    channels, height, width = picture.shape
    means = [
        sum(float(picture[c, y, x]) ** 2 for c in range(channels)) / channels
        for y in range(height)
        for x in range(width)
    ]
    length = math.sqrt(sum(mean**2 for mean in means))
    return [mean / length for mean in means]


def attention(to: Tensor, source: Tensor) -> float:
    pairs = [(energy(a), energy(b)) for a, b in zip(to, source, strict=True)]
    return sum(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) for a, b in pairs) / len(to)


def z_map(picture: Tensor) -> list[float]:
    """Return the channels' sum at each position, with mean 0 and standard deviation 1."""
    channels, height, width = picture.shape
    sums = [
        sum(float(picture[c, y, x]) for c in range(channels))
        for y in range(height)
        for x in range(width)
    ]
    mean = sum(sums) / len(sums)
    deviation = math.sqrt(sum((one - mean) ** 2 for one in sums) / len(sums))
    return [(one - mean) / deviation for one in sums]


def z_attention(to: Tensor, source: Tensor) -> float:
    pairs = [(z_map(a), z_map(b)) for a, b in zip(to, source, strict=True)]
    squares = [(x - y) ** 2 for a, b in pairs for x, y in zip(a, b, strict=True)]
    return sum(squares) / len(squares)


def huber(a: float, b: float) -> float:
    return 0.5 * (a - b) ** 2 if abs(a - b) < 1 else abs(a - b) - 0.5


def minus(a: Row, b: Row) -> list[float]:
    return [x - y for x, y in zip(a, b, strict=True)]


def dot(a: Row, b: Row) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def length(a: Row) -> float:
    return math.sqrt(dot(a, a))


def cosine(a: Row, b: Row) -> float:
    return dot(a, b) / (length(a) * length(b)) if length(a) and length(b) else 0.0


def angle(to: Matrix, source: Matrix) -> float:
    triples = [(i, j, k) for i in range(len(to)) for j in range(len(to)) for k in range(len(to))]
    mine, its = (
        [cosine(minus(o[i], o[j]), minus(o[k], o[j])) for i, j, k in triples] for o in (to, source)
    )
    return sum(map(huber, mine, its)) / len(triples)


def distance(to: Matrix, source: Matrix) -> float:
    def scaled(o: Matrix) -> list[float]:
        apart = [length(minus(a, b)) for a in o for b in o]
        others = [one for one in apart if one > 0]
        return [one / (sum(others) / len(others)) for one in apart]

    return sum(map(huber, scaled(to), scaled(source))) / len(to) ** 2


def similarities(anchors: Matrix, others: Matrix, tau: float) -> list[list[float]]:
    return [[cosine(a, b) / tau for b in others] for a in anchors]


def contrast(anchors: Matrix, others: Matrix, targets: Row, tau: float) -> float:
    """-mean_i mean_{p in P(i)} log(e^{S_ip} / sum_{j != i} e^{S_ij}), 0 for an empty P(i)."""
    scores = similarities(anchors, others, tau)
    total = 0.0
    for i, row in enumerate(scores):
        rest = sum(math.exp(score) for j, score in enumerate(row) if j != i)
        like = [j for j, one in enumerate(targets) if one == targets[i] and j != i]
        surprises = [-math.log(math.exp(row[j]) / rest) for j in like]
        total += sum(surprises) / len(surprises) if surprises else 0.0
    return total / len(scores)


def soft_contrast(to: Matrix, source: Matrix, tau: float, temperature: float) -> float:
    mine, its = similarities(to, to, tau), similarities(source, source, tau)
    return divergence(mine, its, temperature)


def soft_mutual_contrast(to: Matrix, source: Matrix, tau: float, temperature: float) -> float:
    forth, back = similarities(to, source, tau), similarities(source, to, tau)
    return divergence(forth, back, temperature)
