"""Sequences in which every word of a few symbols occurs equally often."""

import numpy as np

MOST_SYMBOLS = 10_000  # a cycle has at most so many symbols


def word_length(alphabet: int) -> int:
    """The length of the longest words of which there are at most `MOST_SYMBOLS`; at least 1.

    Args:
        alphabet: how many symbols there are.
    """
    length = 1
    while alphabet > 1 and alphabet ** (length + 1) <= MOST_SYMBOLS:
        length += 1
    return length


def cycle(alphabet: int, length: int, generator: np.random.Generator) -> np.ndarray:
    """A cycle of `alphabet ** length` symbols that holds each word of `length` symbols once.

    It is a random Eulerian circuit of the graph whose nodes are the words of one symbol less (a de
    Bruijn cycle). An average over it is the exact average over all words; random symbols would draw
    some words more often than others, which adds noise.

    Args:
        alphabet: how many symbols there are.
        length: the length of a word.
        generator: the random generator that draws the circuit.

    Returns:
        Symbols `[alphabet ** length]`, from 0; the cycle goes on with the first after the last.
    """
    nodes = alphabet ** (length - 1)
    unused = [list(generator.permutation(alphabet)) for _ in range(nodes)]  # edges of each node
    path, circuit = [0], []
    while path:  # Hierholzer's algorithm
        node = path[-1]
        if unused[node]:
            path.append((node * alphabet + int(unused[node].pop())) % nodes)
        else:
            circuit.append(path.pop())
    if length == 1:  # all edges lead from the one node to itself
        return generator.permutation(alphabet)
    return np.asarray(circuit[:0:-1]) % alphabet


def rows(symbols: np.ndarray, most: int, before: int) -> np.ndarray:
    """A cycle cut into rows of at most `most` symbols, each after the `before` symbols before it.

    If the cycle can't be cut into rows of equal length, the last row ends with its first symbols.

    Args:
        symbols: the cycle, `[n]`.
        most: the largest number of symbols in a row.
        before: how many symbols stand before each row.

    Returns:
        `[rows, before + steps]`.
    """
    count = -(-len(symbols) // most)
    steps = -(-len(symbols) // count)
    starts = np.arange(count) * steps
    return symbols[(starts[:, None] + np.arange(-before, steps)) % len(symbols)]
