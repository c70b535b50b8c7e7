import sys

import pytest

from bert_keras.quiet import hidden


def test_a_hidden_library_is_missing_meanwhile(monkeypatch, tmp_path):
    (tmp_path / "an_own_library.py").write_text("here = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    with hidden("an_own_library", "sys"):
        with pytest.raises(ImportError):
            import an_own_library
        assert sys.modules["sys"] is sys  # loaded before
    import an_own_library

    assert an_own_library.here
    del sys.modules["an_own_library"]
