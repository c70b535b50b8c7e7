"""The peer of embeddings: sentence-transformers on pairs of texts with scores.

Reads JSON on standard input, {"first": texts, "second": texts, "scores": numbers}, and prints JSON:
`spearman` and `pearson` of the cosines, the `cosines`, and the `version`.
"""

import json
import sys

from benchmarks.harness import arguments


def main():
    flags = arguments.parser(__doc__)
    flags.add_argument("--folder", required=True, help="a folder of sentence-transformers")
    flags.add_argument("--max_seq_length", type=int, required=True)
    args = flags.parse_args()
    import scipy.stats
    import sentence_transformers
    import torch

    pairs = json.load(sys.stdin)
    model = sentence_transformers.SentenceTransformer(args.folder, device="cpu")
    model.max_seq_length = args.max_seq_length
    vectors = [model.encode(pairs[side], convert_to_tensor=True) for side in ("first", "second")]
    cosines = torch.nn.functional.cosine_similarity(*vectors).tolist()
    scores = {
        "spearman": scipy.stats.spearmanr(cosines, pairs["scores"]).statistic,
        "pearson": scipy.stats.pearsonr(cosines, pairs["scores"]).statistic,
    }
    print(json.dumps(scores | {"cosines": cosines, "version": sentence_transformers.__version__}))


if __name__ == "__main__":
    main()
