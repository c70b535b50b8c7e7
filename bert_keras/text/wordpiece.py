"""WordPiece: splits words into the longest pieces of a vocabulary, all words of a batch at once.

The vocabulary is a trie in a double array (Aoe 1989, An efficient digital search algorithm by using
a double-array structure): the child of `node` by `symbol` is slot `base[node] + symbol`, provided
that `check` of that slot is `node`. All words of a batch descend the trie in lockstep, so each step
is a few gathers however long the text is.

A character has two symbols, one at the start of a word and one inside a word ("##"). The first kind
never occurs inside a piece, so no descent runs on into the next word, and one trie holds both kinds
of pieces.
"""

import collections
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from bert_keras.text.characters import PROTECTED
from bert_keras.text.vocabulary import CONTINUATION, SPECIAL_TOKENS, UNK

MAX_WORD = 200  # characters; max_input_chars_per_word of google-research/bert
_ROOT = 0
_WINDOW = 512  # slots that are searched at once for a free position


class Trie(tf.Module):
    """A vocabulary's pieces.

    Source: `WordpieceTokenizer` of google-research/bert, tokenization.py.

    Args:
        vocabulary: the tokens in the order of their ids.
        protect_special_tokens: whether to add the special tokens in protected characters too.

    Attributes:
        symbols: maps a code point to its number in the alphabet, from 1. Any other character has
            the number 0.
    """

    def __init__(self, vocabulary: Sequence[str], protect_special_tokens: bool) -> None:
        super().__init__()
        self._unk_id = vocabulary.index(UNK)
        keys = {}  # (whether the piece starts a word, *its code points) -> id
        for index, token in enumerate(vocabulary):
            is_start = not token.startswith(CONTINUATION) or token == CONTINUATION
            word = [ord(char) for char in (token if is_start else token[len(CONTINUATION) :])]
            if len(word) <= MAX_WORD:
                keys[is_start, *word] = index
        if protect_special_tokens:
            for token in SPECIAL_TOKENS:
                keys[True, *(PROTECTED + ord(c) for c in token)] = vocabulary.index(token)
        alphabet = sorted({code for _, *word in keys for code in word})
        self.symbols = {code: symbol for symbol, code in enumerate(alphabet, 1)}
        # The symbol of a character inside a word is its number plus this.
        self._shift = len(alphabet) + 1
        paths = {}
        for (starts_word, *word), index in keys.items():
            path = [self.symbols[code] + self._shift for code in word]
            path[0] -= self._shift * starts_word
            paths["".join(map(chr, path))] = index
        base, check, best = _double_array(paths, 2 * self._shift)
        self._depth = max(map(len, paths))
        self._base = tf.constant(base)
        self._check = tf.constant(check)
        self._best = tf.constant(best)

    def cut(
        self, symbols: tf.Tensor, is_start: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Splits words into tokens.

        Args:
            symbols: int32 [characters], numbers in the alphabet.
            is_start: bool [characters], whether the character starts a word.

        Returns:
            is_token_start: bool [characters], whether a token starts here.
            ids: int32 [characters], the token's id where one starts.
            lengths: int32 [characters], its length in characters where one starts.
        """
        word = tf.cumsum(tf.cast(is_start, tf.int32)) - 1  # [characters]
        firsts = tf.cast(tf.where(is_start)[:, 0], tf.int32)  # [words]
        word_lengths = tf.concat([firsts[1:], [tf.size(symbols)]], 0)[: tf.size(firsts)] - firsts
        too_long = word_lengths > MAX_WORD

        # Most words are one piece. Only in the others do pieces start at further characters.
        symbols = tf.where(is_start, symbols, symbols + self._shift)
        first_nodes = self._descend(symbols, firsts)  # [words]
        is_split = (tf.gather(self._best, first_nodes)[:, 0] < word_lengths) & ~too_long
        inside = tf.gather(is_split, word) & ~is_start  # [characters]
        inside_nodes = self._descend(symbols, tf.cast(tf.where(inside)[:, 0], tf.int32))
        nodes = tf.concat([first_nodes, inside_nodes, [self._shift]], 0)
        inside_index = tf.size(firsts) + tf.cumsum(tf.cast(inside, tf.int32)) - 1
        node_index = tf.where(is_start, word, tf.where(inside, inside_index, tf.size(nodes) - 1))
        best = tf.gather(self._best, tf.gather(nodes, node_index))  # [characters, 2]
        lengths, ids = best[:, 0], best[:, 1]

        is_piece_start = _chain(lengths, is_start, tf.boolean_mask(firsts, is_split))
        stuck = tf.boolean_mask(word, is_piece_start & (lengths == 0))
        unknown = tf.tensor_scatter_nd_update(
            too_long, stuck[:, tf.newaxis], tf.ones_like(stuck, tf.bool)
        )  # [words]
        unknown = tf.gather(unknown, word)  # [characters]
        return (
            is_start | (is_piece_start & ~unknown),
            tf.where(unknown, self._unk_id, ids),
            tf.where(unknown, tf.gather(word_lengths, word), lengths),
        )

    def _descend(self, symbols: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
        """Descends the trie from several characters in lockstep.

        Args:
            symbols: int32 [characters].
            positions: int32 [positions], the characters to start at.

        Returns:
            int32 [positions], the deepest node reached, `_shift` where there is none.
        """
        symbols = tf.pad(symbols, [[0, self._depth]])
        first = tf.gather(symbols, positions)
        node = tf.where(tf.gather(self._check, first) == _ROOT, first, self._shift)

        def step(
            position: tf.Tensor, node: tf.Tensor, deepest: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            child = tf.gather(self._base, node) + tf.gather(symbols, position)
            exists = tf.gather(self._check, child) == node
            return (
                position + 1,
                tf.where(exists, child, self._shift),
                tf.where(exists, child, deepest),
            )

        _, _, deepest = tf.while_loop(
            lambda position, node, deepest: tf.reduce_any(node != self._shift),
            step,
            (positions + 1, node, node),
            maximum_iterations=self._depth - 1,
        )
        return deepest


def _chain(lengths: tf.Tensor, is_start: tf.Tensor, firsts: tf.Tensor) -> tf.Tensor:
    """Follows the pieces of each word from one to the next.

    Args:
        lengths: int32 [characters], of the longest piece at each character, or 0.
        is_start: bool [characters], whether the character starts a word.
        firsts: int32 [words], the first characters of the words to follow.

    Returns:
        bool [characters], whether a word starts here or one of the pieces that were reached.
    """
    successors = tf.range(tf.size(lengths)) + lengths
    # A word's last piece has no successor, nor does a character without a piece.
    is_last = tf.gather(tf.concat([is_start, [True]], 0), successors)
    successors = tf.where(is_last | (lengths == 0), -1, successors)

    def step(front: tf.Tensor, reached: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        front = tf.gather(successors, front)
        front = tf.boolean_mask(front, front >= 0)
        return front, tf.tensor_scatter_nd_update(
            reached, front[:, tf.newaxis], tf.ones_like(front, tf.bool)
        )

    _, reached = tf.while_loop(
        lambda front, reached: tf.size(front) > 0,
        step,
        (firsts, is_start),
        shape_invariants=(tf.TensorShape([None]), tf.TensorShape([None])),
    )
    return reached


def _double_array(
    paths: Mapping[str, int], width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stores a trie in a double array.

    Args:
        paths: maps a piece, as a string of symbols, to its id.
        width: all symbols are smaller. No path uses the symbol width // 2, so that slot stays free.

    Returns:
        base: int32 [slots].
        check: int32 [slots].
        best: int32 [slots, 2], length and id of the longest piece on the path to the slot.
    """
    nodes, parents, symbols = _nodes(paths)
    children = collections.defaultdict(list)
    for node, parent in enumerate(parents):
        children[parent].append(node)

    # The slots of the root's children are their symbols. Of the other nodes, those with the most
    # children are placed first; single children then fill the gaps.
    free = np.ones(2 * (width + _WINDOW + len(parents)), bool)
    free[:width] = False
    bases = np.zeros(len(parents), np.int64)
    single = []  # nodes with one child
    first = width
    for parent in sorted(children, key=lambda parent: -len(children[parent])):
        if parent <= 0:
            continue
        if len(children[parent]) == 1:
            single.append(parent)
            continue
        child_symbols = np.sort(symbols[children[parent]])
        while True:
            if first + _WINDOW + width > len(free):
                free = np.concatenate([free, np.ones(len(free), bool)])
            slots = first + np.flatnonzero(free[first : first + _WINDOW])
            fits = free[slots[:, np.newaxis] + (child_symbols - child_symbols[0])].all(1)
            if fits.any():
                break
            first += _WINDOW
        bases[parent] = slots[fits.argmax()] - child_symbols[0]
        free[bases[parent] + child_symbols] = False
    single_symbols = symbols[[children[parent][0] for parent in single]]
    bases[single] = np.flatnonzero(free)[: len(single)] - single_symbols

    slots = bases[parents] + symbols
    slots[0] = _ROOT
    size = max(slots.max(), bases.max()) + width
    base, check = np.zeros(size, np.int32), np.full(size, -1, np.int32)
    base[slots] = bases
    check[slots[1:]] = slots[parents[1:]]
    longest = [(0, 0)]  # by node, from the root
    for path, node in itertools.islice(nodes.items(), 1, None):
        longest.append((len(path), paths[path]) if path in paths else longest[parents[node]])
    best = np.zeros([size, 2], np.int32)
    best[slots] = longest
    return base, check, best


def _nodes(paths: Mapping[str, int]) -> tuple[dict[str, int], np.ndarray, np.ndarray]:
    """Numbers a trie's nodes, parents first.

    Returns:
        The node of each prefix of a path, each node's parent, and the symbol that leads to it.
    """
    nodes, parents, symbols = {"": 0}, [-1], [0]
    for path in paths:
        parent = 0
        for end in range(1, len(path) + 1):
            node = nodes.setdefault(path[:end], len(parents))
            if node == len(parents):
                parents.append(parent)
                symbols.append(ord(path[end - 1]))
            parent = node
    return nodes, np.array(parents), np.array(symbols)
