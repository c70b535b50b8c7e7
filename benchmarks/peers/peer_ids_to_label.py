"""The peer of serving: transformers' BERT in ONNX Runtime; it takes turns by `compare_time`.

First it makes the models, then each is timed in a process of its own. Needs torch, transformers,
onnx, onnxscript, onnxruntime and, for texts, tokenizers.
"""

import json
import pathlib

from benchmarks.harness import arguments, compare_time

NAMES = "input_ids", "attention_mask", "token_type_ids"


def make(weights, folder):
    """Writes the model by torch.onnx, with BERT's operations fused, and both in 8 bits."""
    import torch
    import transformers
    from onnxruntime import quantization
    from onnxruntime.transformers import optimizer

    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        weights, attn_implementation="eager"
    ).eval()

    class Probabilities(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, *ids):
            inputs = dict(zip(NAMES, ids, strict=True))
            return self.model(**inputs).logits.softmax(-1)  # [rows, classes]

    ids = torch.ones(2, 32, dtype=torch.long)
    plain, fused = (folder / f"{name}_float32.onnx" for name in ("onnx", "onnx_fused"))
    torch.onnx.export(
        Probabilities(),
        (ids, ids, 0 * ids),
        plain,
        input_names=list(NAMES),
        output_names=["probabilities"],
        dynamic_axes={name: {0: "rows", 1: "length"} for name in NAMES},
        dynamo=False,
    )
    sizes = {"num_heads": model.config.num_attention_heads, "hidden_size": model.config.hidden_size}
    optimizer.optimize_model(str(plain), "bert", **sizes).save_model_to_file(str(fused))
    for path in (plain, fused):
        quantization.quantize_dynamic(
            path,
            path.with_name(path.name.replace("float32", "int8")),
            weight_type=quantization.QuantType.QInt8,
            extra_options={"DefaultTensorType": 1},  # float32 where it is not inferred
        )


def predictor(args):
    """A function that computes labels, a turn's calls."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(args.model, options)
    read = reader(args)

    def run():
        for _ in range(args.calls):
            session.run(None, dict(zip(NAMES, read(), strict=True))).pop().argmax(1)

    return run


def reader(args):
    """A function that returns ids, mask and segments, int64 [rows, length] each."""
    import numpy as np

    if not args.texts:
        ids = np.random.default_rng(0).integers(1000, 2000, (args.rows, args.length))
        inputs = ids, np.ones_like(ids), np.zeros_like(ids)
        return lambda: inputs
    import tokenizers

    tokenizer = tokenizers.BertWordPieceTokenizer(args.vocab)
    tokenizer.enable_padding()
    texts = json.loads(pathlib.Path(args.texts).read_text())

    def read():
        rows = tokenizer.encode_batch(texts)
        return [
            np.array([getattr(row, name) for row in rows])
            for name in ("ids", "attention_mask", "type_ids")
        ]

    return read


def main():
    flags = arguments.parser(__doc__)
    flags.add_argument("--make", help="a folder of weights to make models of, in --folder")
    flags.add_argument("--folder", type=pathlib.Path)
    flags.add_argument("--model", help="the model to time")
    flags.add_argument("--rows", type=int, default=1)
    flags.add_argument("--length", type=int, default=32)
    flags.add_argument("--texts", help="a JSON list of texts, in place of rows of ids")
    flags.add_argument("--vocab", help="a vocab.txt, for texts")
    flags.add_argument("--threads", type=int, default=2)
    flags.add_argument("--calls", type=int, default=1, help="calls of a turn")
    args = flags.parse_args()
    if args.make:
        make(args.make, args.folder)
    else:
        compare_time.take_turns(predictor(args))


if __name__ == "__main__":
    main()
