# ruff: noqa: RUF001
"""Texts in several scripts, and a vocabulary that can spell most of them."""

import random
import unicodedata

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

TEXTS = [
    "The quick brown fox can't jump over 13 lazy dogs; it costs $4.99 (or so).",
    "Élodie a mangé une crème brûlée à Noël, près de l'église Saint-Étienne.",
    "Straße, Größe und Übermut: «Wörter» mit Umlauten – und ½ Liter Öl.",
    "Być może żółw źle śpi; łódź płynie po Wiśle.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. ΟΔΟΣ ΑΘΗΝΑΣ; ναί·",
    "İstanbul'da ışık, Iğdır'da IŞIK ve DİYARBAKIR.",
    "敏捷的棕色狐狸跳过了懒狗。BERT模型(2018年)很好用!",
    "素早い茶色の狐が、のろまな犬を飛び越える。カタカナとがぎぐげご",
    "다람쥐 헌 쳇바퀴에 타고파. 한국어 BERT 모델",
    "نص حكيم له سر قاطع وذو شأن عظيم، مكتوب على ثوب أخضر؟",
    "דג סקרן שט בים מאוכזב ולפתע מצא חברה — שָׁלוֹם",
    "नमस्ते दुनिया, यह एक वाक्य है।",
    "สวัสดีชาวโลก ภาษาไทยไม่มีช่องว่าง",
    "Tiếng Việt có rất nhiều dấu thanh điệu.",
    "Emoji 👍🏽 and 👩‍👩‍👧 family, flags 🇩🇪, math 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 ∑ x² ≤ ∞",
    "un-break\u00adable\u200bspace\u00a0nbsp\u2028line\u2029para\u3000wide\ttab\r\nend",
    "e\u0301a\u0300 A\u030angstro\u0308m \u0301leading \u00e9\u0327 mixed",
    "[CLS] not special [SEP] nor [MASK] here [mask] [UNK]word[PAD]",
    "   spaces   before,    within and after   ",
    "zero\u0000width\ufffdgone\u0007bell\ufeffbom \u0085next\u000bvt\u000cff",
]

# What goes wrong easily: kinds of white space, deleted characters, accents that combine or do not,
# letters whose lower case is special, CJK of several blocks, punctuation of several kinds.
TRICKY = [
    *"abcABC12 .,-#[]",
    *" \t\n\r\u00a0\u2003\u2028\u2029\u3000\u0085\u000b\u001c",
    *"\u0000\ufffd\u00ad\u200b\u200d\ufeff\u0007\U000e0041",
    *"éÉçñÅ\u212b\u0301\u0327\u0345\u20dd\u0903\u093e",
    *"ΣσςΑαΐİıßẞǅŉ\u1e9a\u02b0\u1d2cªⅷ",
    *"中文\u3400\uf900\U0002a6d6\U0002f800々〇",
    *"한\u1112\u1161がぎカ\uff76\uff9e",
    *"«»\u037e\u0387·¿†_$+<=>^`|~€",
    "##",
    "[MASK]",
    "[CLS]",
    "👍",
    "\U0010ffff",
    "\ue000",
    "\u0378",
]


def wide_vocabulary():
    """Returns a vocabulary of the first planes' characters but CJK and Hangul syllables."""
    letters = (chr(code) for code in range(0x20000) if not 0x3400 <= code < 0xE000)
    forms = {unicodedata.normalize("NFD", char.lower()) for char in letters if char.isprintable()}
    chars = sorted(set("".join(forms)) - {" "} | set("中\ue000"))
    return [*SPECIAL, "ab", "##cd", *chars, *("##" + char for char in chars)]


def random_texts(count, seed):
    """Returns strings of tricky characters, half of them rich in spaces, so in short words."""
    rng = random.Random(seed)
    texts = []
    for index in range(count):
        parts = rng.choices(TRICKY, k=rng.randrange(25))
        texts.append((" " if index % 2 else "").join(parts))
    return texts


def vocabulary(lowercase):
    """Returns a vocabulary of most of the samples' characters and of some of their pieces."""
    texts = [*TEXTS, "".join(TRICKY)]
    if lowercase:
        texts = [unicodedata.normalize("NFD", text.lower()) for text in texts]
    rng = random.Random(0)
    chars = sorted(set("".join(texts)) - set(" \t\r\n中kжø"))
    tokens = dict.fromkeys([*SPECIAL, *chars, *("##" + char for char in chars)])
    for word in sorted(set(" ".join(texts).split())):
        letters = "".join(char for char in word if unicodedata.category(char) != "Mn")
        for _ in range(2):
            start = rng.randrange(len(letters) + 1)
            piece = letters[start : start + rng.randrange(2, 8)]
            if piece:
                tokens[("##" if start else "") + piece] = None
    return list(tokens)
