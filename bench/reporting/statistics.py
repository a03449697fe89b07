# SPDX-License-Identifier: MIT
"""What a few repeated measurements say, and what they do not.

Nothing here throws dice: the bootstrap of a median has a closed form, so one file gives one report.
"""
import math
from functools import lru_cache


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def binomial_tail(n, least, chance):
    """The chance of at least `least` hits in n tries. By logarithms: n may be large."""
    if least <= 0 or chance >= 1:
        return 1.0
    if chance <= 0:
        return 0.0
    hit, miss = math.log(chance), math.log1p(-chance)
    ways = math.lgamma(n + 1)
    return math.fsum(math.exp(ways - math.lgamma(k + 1) - math.lgamma(n - k + 1)
                              + k * hit + (n - k) * miss) for k in range(least, n + 1))


@lru_cache(maxsize=None)
def resampled_median(n):
    """Of all resamples of n sorted values: where the two in the middle come from, and how often.

    The m-th of a resample is at most the k-th value exactly if at least m of n draws, each of which
    hits the first k with the chance k/n, did so. An even number has two in the middle; that they are
    i and a larger j means that m draws went up to i, one of them to i, and the others from j on.
    """
    m = (n + 1) // 2
    up_to = [binomial_tail(n, m, k / n) for k in range(n + 1)]
    at = [up_to[k] - up_to[k - 1] for k in range(1, n + 1)]
    if n % 2:
        return [(k, k, at[k]) for k in range(n)]
    pairs = []
    ways = math.lgamma(n + 1) - 2 * math.lgamma(m + 1)
    for i in range(n):
        lower = ((i + 1) / n) ** m - (i / n) ** m
        apart = [(i, j, math.exp(ways + math.log(lower)
                                 + math.log(((n - j) / n) ** m - ((n - j - 1) / n) ** m)))
                 for j in range(i + 1, n)]
        pairs.append((i, i, max(0.0, at[i] - math.fsum(chance for _, _, chance in apart))))
        pairs.extend(pair for pair in apart if pair[2] > 1e-12)
    return pairs


def median_interval(values, share=0.95):
    """The bootstrap interval of the median: as wide as all resamples but a few in each tail."""
    ordered = sorted(values)
    medians = sorted(((ordered[i] + ordered[j]) / 2, chance)
                     for i, j, chance in resampled_median(len(ordered)))
    tail = (1 - share) / 2
    low, high, seen = medians[0][0], medians[-1][0], 0.0
    found_low = False
    for value, chance in medians:
        seen += chance
        if not found_low and seen >= tail:
            low, found_low = value, True
        if seen >= 1 - tail:
            high = value
            break
    return low, high


def ratio_median(ratios):
    """Of ratios, and so between the two in the middle of an even number: twice and half make one."""
    return math.exp(median([math.log(ratio) for ratio in ratios]))


def ratio_interval(ratios):
    low, high = median_interval([math.log(ratio) for ratio in ratios])
    return math.exp(low), math.exp(high)


def sign_test(more, less):
    """How often a fair coin falls at least as unevenly; what is equal counts for neither side."""
    n = more + less
    return min(1.0, 2 * binomial_tail(n, max(more, less), 0.5)) if n else 1.0


def holm(chances):
    """The chances again, dearer for how many questions were asked at once."""
    order = sorted(range(len(chances)), key=lambda i: chances[i])
    adjusted, largest = [0.0] * len(chances), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(chances) - rank) * chances[i]))
        adjusted[i] = largest
    return adjusted


def blocks_for_a_claim(questions, level=0.05):
    """With fewer blocks than this not even one that always goes the same way can be claimed."""
    blocks = 1
    while questions * 2.0 ** (1 - blocks) >= level:
        blocks += 1
    return blocks


def histogram_quantile(counts, share):
    """`counts` maps the end of a bucket to its count. Rounded up: never better than measured."""
    wanted = max(1, math.ceil(share * sum(counts.values()) - 1e-9))
    seen = 0
    for end in sorted(counts):
        seen += counts[end]
        if seen >= wanted:
            return end
    return 0
