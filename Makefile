# `make demo` and `make test` need Python 3.11, pip and make, and nothing else.
PYTHON ?= python3.11
VENV := .venv
RUN := runs/demo

.PHONY: demo test test-long clean

demo: $(VENV)/demo
	$(VENV)/bin/python demo/news.py runs/bbc_news
	$(VENV)/bin/python run_classifier.py --flagfile=demo/bbc_news.flags --do_export --output_dir=$(RUN)
	@printf '\nThe SavedModel, asked with TensorFlow alone:\n'
	@$(VENV)/bin/python demo/ask.py $(RUN)/export 2>$(RUN)/ask.log || { cat $(RUN)/ask.log; exit 1; }
	@printf '\nThe run:           $(RUN)\n'
	@printf 'Watch it:          $(VENV)/bin/tensorboard --logdir $(RUN)\n'
	@printf 'Look at the model: $(VENV)/bin/saved_model_cli show --dir $(RUN)/export/1 --all\n'

test: $(VENV)/test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/python -m pytest --numprocesses 3 --dist worksteal

test-long: $(VENV)/test
	$(VENV)/bin/python -m pytest -m long --numprocesses 3 --dist worksteal

clean:
	rm -rf $(VENV) $(RUN) runs/bbc_news

$(VENV)/base: setup.py
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --upgrade pip
	$(VENV)/bin/pip install --quiet --editable .
	touch $@

$(VENV)/demo: $(VENV)/base demo/requirements.txt
	$(VENV)/bin/pip install --quiet --no-deps --only-binary :all: --require-hashes -r demo/requirements.txt
	touch $@

$(VENV)/test: $(VENV)/base
	$(VENV)/bin/pip install --quiet --editable '.[test]'
	touch $@
