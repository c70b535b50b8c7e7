"""WordPiece: words into the longest pieces of a vocabulary, all words at once.

The vocabulary is a trie laid out in a double array (Aoe, 1989): the child of `node` by `symbol`
is slot `base[node] + symbol`, if `check` of that slot says `node`. All words of a batch walk down
it in step, so that one step is a few gathers however long the text.

A character has two symbols, one where it begins a word and one where it goes on ("##"). No piece
has the first kind inside, so no walk leaves its word, and both kinds of pieces share one trie.
"""

import collections
import itertools

import numpy as np
import tensorflow as tf

from bert_keras.text.characters import PROTECTED
from bert_keras.text.vocabulary import CONTINUATION, SPECIAL_TOKENS, UNK

MAX_WORD = 200  # characters; the original's max_input_chars_per_word
_ROOT = 0
_WINDOW = 512  # slots looked at together for a place


class Trie(tf.Module):
    """The pieces of a vocabulary.

    Args:
        vocabulary: list of str.
        protect_special_tokens: also holds [CLS] and the others written in protected characters.

    Attributes:
        symbols: dict from code point to its number in the alphabet, from 1; 0 is any other
            character.
    """

    def __init__(self, vocabulary, protect_special_tokens):
        super().__init__()
        self._unk_id = vocabulary.index(UNK)
        keys = {}  # code points of a piece -> its id and whether it begins a word
        for index, token in enumerate(vocabulary):
            begins = not token.startswith(CONTINUATION) or token == CONTINUATION
            word = [ord(char) for char in (token if begins else token[len(CONTINUATION) :])]
            if len(word) <= MAX_WORD:
                keys[begins, *word] = index
        if protect_special_tokens:
            for token in SPECIAL_TOKENS:
                keys[True, *(PROTECTED + ord(c) for c in token)] = vocabulary.index(token)
        alphabet = sorted({code for _, *word in keys for code in word})
        self.symbols = {code: symbol for symbol, code in enumerate(alphabet, 1)}
        # Symbols of the second kind are offset by this.
        self._shift = len(alphabet) + 1
        paths = {}
        for (begins, *word), index in keys.items():
            path = [self.symbols[code] + self._shift for code in word]
            path[0] -= self._shift * begins
            paths["".join(map(chr, path))] = index
        base, check, best = _double_array(paths, 2 * self._shift)
        self._depth = max(map(len, paths))
        self._base = tf.constant(base)
        self._check = tf.constant(check)
        self._best = tf.constant(best)

    def cut(self, symbols, begins):
        """Cuts words into pieces.

        Args:
            symbols: int32 [characters], numbers of the alphabet.
            begins: bool [characters], whether the character begins a word.

        Returns:
            marked: bool [characters], whether a token begins here.
            ids: int32 [characters], the token's id where one begins.
            lengths: int32 [characters], its length in characters.
        """
        word = tf.cumsum(tf.cast(begins, tf.int32)) - 1  # [characters]
        firsts = tf.cast(tf.where(begins)[:, 0], tf.int32)  # [words]
        word_lengths = tf.concat([firsts[1:], [tf.size(symbols)]], 0)[: tf.size(firsts)] - firsts
        too_long = word_lengths > MAX_WORD

        # Most words are one piece: only in the others is it looked for at every character.
        symbols = tf.where(begins, symbols, symbols + self._shift)
        whole = self._walk(symbols, firsts)  # [words]
        is_cut = (tf.gather(self._best, whole)[:, 0] < word_lengths) & ~too_long
        inside = tf.gather(is_cut, word) & ~begins  # [characters]
        parts = self._walk(symbols, tf.cast(tf.where(inside)[:, 0], tf.int32))
        nodes = tf.concat([whole, parts, [self._shift]], 0)
        nth_part = tf.size(firsts) + tf.cumsum(tf.cast(inside, tf.int32)) - 1
        which = tf.where(begins, word, tf.where(inside, nth_part, tf.size(nodes) - 1))
        best = tf.gather(self._best, tf.gather(nodes, which))  # [characters, 2]
        lengths, ids = best[:, 0], best[:, 1]

        marked = _chain(lengths, begins, tf.boolean_mask(firsts, is_cut))
        stuck = tf.boolean_mask(word, marked & (lengths == 0))
        unknown = tf.tensor_scatter_nd_update(
            too_long, stuck[:, tf.newaxis], tf.ones_like(stuck, tf.bool)
        )  # [words]
        unknown = tf.gather(unknown, word)  # [characters]
        return (
            begins | (marked & ~unknown),
            tf.where(unknown, self._unk_id, ids),
            tf.where(unknown, tf.gather(word_lengths, word), lengths),
        )

    def _walk(self, symbols, positions):
        """Goes down the trie from some characters, in step.

        Args:
            symbols: int32 [characters].
            positions: int32 [positions], characters.

        Returns:
            int32 [positions], the deepest node reached, `_shift` where there is none.
        """
        symbols = tf.pad(symbols, [[0, self._depth]])
        first = tf.gather(symbols, positions)
        node = tf.where(tf.gather(self._check, first) == _ROOT, first, self._shift)

        def step(ahead, node, deepest):
            child = tf.gather(self._base, node) + tf.gather(symbols, ahead)
            found = tf.gather(self._check, child) == node
            return (
                ahead + 1,
                tf.where(found, child, self._shift),
                tf.where(found, child, deepest),
            )

        _, _, deepest = tf.while_loop(
            lambda ahead, node, deepest: tf.reduce_any(node != self._shift),
            step,
            (positions + 1, node, node),
            maximum_iterations=self._depth - 1,
        )
        return deepest


def _chain(lengths, begins, firsts):
    """Goes from piece to piece through each word.

    Args:
        lengths: int32 [characters], of the longest piece at each character, or 0.
        begins: bool [characters], whether the character begins a word.
        firsts: int32 [words], the characters from which to go.

    Returns:
        bool [characters], whether a word or one of the pieces met begins here.
    """
    follower = tf.range(tf.size(lengths)) + lengths
    # A word's last piece and a character with no piece lead nowhere.
    ends = tf.gather(tf.concat([begins, [True]], 0), follower)
    follower = tf.where(ends | (lengths == 0), -1, follower)

    def step(front, marked):
        front = tf.gather(follower, front)
        front = tf.boolean_mask(front, front >= 0)
        return front, tf.tensor_scatter_nd_update(
            marked, front[:, tf.newaxis], tf.ones_like(front, tf.bool)
        )

    _, marked = tf.while_loop(
        lambda front, marked: tf.size(front) > 0,
        step,
        (firsts, begins),
        shape_invariants=(tf.TensorShape([None]), tf.TensorShape([None])),
    )
    return marked


def _double_array(paths, width):
    """Lays a trie out in arrays.

    Args:
        paths: dict from a string of symbols to a piece's id.
        width: symbols are less than this. Symbol and slot width // 2 are used by no path.

    Returns:
        `base` and `check`, int32 [slots], and `best`, int32 [slots, 2]: length and id of the
        longest piece on the way to the slot.
    """
    # Nodes in the order of their making, parents first.
    node_of, parents, symbols = {"": 0}, [-1], [0]
    for path in paths:
        parent = 0
        for end in range(1, len(path) + 1):
            node = node_of.setdefault(path[:end], len(parents))
            if node == len(parents):
                parents.append(parent)
                symbols.append(ord(path[end - 1]))
            parent = node
    children = collections.defaultdict(list)
    for node, parent in enumerate(parents):
        children[parent].append(node)
    parents, symbols = np.array(parents), np.array(symbols)

    # The root's children are at their symbols. Then the nodes with most children choose first, and
    # only children fill the holes.
    free = np.ones(2 * (width + _WINDOW + len(parents)), bool)
    free[:width] = False
    bases = np.zeros(len(parents), np.int64)
    lone = []
    first = width
    for parent in sorted(children, key=lambda parent: -len(children[parent])):
        if parent <= 0:
            continue
        if len(children[parent]) == 1:
            lone.append(parent)
            continue
        wanted = np.sort(symbols[children[parent]])
        while True:
            if first + _WINDOW + width > len(free):
                free = np.concatenate([free, np.ones(len(free), bool)])
            slots = first + np.flatnonzero(free[first : first + _WINDOW])
            fits = free[slots[:, np.newaxis] + (wanted - wanted[0])].all(1)
            if fits.any():
                break
            first += _WINDOW
        bases[parent] = slots[fits.argmax()] - wanted[0]
        free[bases[parent] + wanted] = False
    only = symbols[[children[parent][0] for parent in lone]]
    bases[lone] = np.flatnonzero(free)[: len(lone)] - only

    slots = bases[parents] + symbols
    slots[0] = _ROOT
    size = max(slots.max(), bases.max()) + width
    base, check = np.zeros(size, np.int32), np.full(size, -1, np.int32)
    base[slots] = bases
    check[slots[1:]] = slots[parents[1:]]
    longest = [(0, 0)]  # by node, from the root
    for path, node in itertools.islice(node_of.items(), 1, None):
        longest.append((len(path), paths[path]) if path in paths else longest[parents[node]])
    best = np.zeros([size, 2], np.int32)
    best[slots] = longest
    return base, check, best
