# Everything one does with the book. `make` alone lists it.
# A recipe that needs Python uses the environment in .venv, which the first one that runs makes.

PYTHON ?= python3
BIN := .venv/bin
export PYTHONPATH := $(CURDIR)
export PYDEVD_DISABLE_FILE_VALIDATION := 1

.DEFAULT_GOAL := help
.PHONY: help book serve lab test notebooks check format bench speed chapter constraints studies clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 20

.venv/.installed: requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "The book needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing what requirements.txt names into .venv ..."
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -r requirements.txt -c constraints.txt
	@touch $@

book: .venv/.installed ## execute the notebooks (cached) and build the site into _build/html
	@$(BIN)/python -m livepage.fetch
	@$(BIN)/jupyter-book build . --warningiserror --keep-going
	@echo "The book: $(CURDIR)/_build/html/index.html"

serve: book ## build the book and open it in a browser
	@$(BIN)/python -m livepage.serve _build/html

lab: .venv/.installed ## open the notebooks in JupyterLab
	@$(BIN)/jupyter lab --notebook-dir=. $(if $(filter 0,$(shell id -u)),--allow-root) chapters # root: in a container

test: book ## run every test: library, notebooks, built book
	@PYTHONPATH=tests $(BIN)/python -m pages.browsers --install
	@$(BIN)/python -m pytest nnlib tests --ignore=tests/pages -n 2
	@# On a busy machine a browser may be late: what fails is run once more by itself, and a real fault fails again.
	@$(BIN)/python -m pytest tests/pages -n 2 || $(BIN)/python -m pytest tests/pages --last-failed
	@$(BIN)/python -m pytest chapters -n 2 --dist loadfile # the cells of a notebook share one kernel: one process

notebooks: .venv/.installed ## re-execute the chapters and store their outputs (make notebooks NAME=losses: one)
	@$(BIN)/python -m livepage.notebooks $(if $(NAME),chapters/$(NAME).ipynb)

check: .venv/.installed ## lint and check the formatting
	@$(BIN)/ruff check .

format: .venv/.installed ## mend what the linter can mend
	@$(BIN)/ruff check --fix .

.cache/bench-venv/.installed: benchmarks/requirements.txt | .venv/.installed
	@echo "Installing what nnlib is measured against into .cache/bench-venv ..."
	@test -x .cache/bench-venv/bin/python || $(PYTHON) -m venv --without-pip .cache/bench-venv
	@$(BIN)/python -m pip --python .cache/bench-venv/bin/python install --quiet --disable-pip-version-check -r $<
	@touch $@

bench: .cache/bench-venv/.installed ## measure nnlib against its peers (a table, and the numbers of the book's chart)
	@.cache/bench-venv/bin/python -m benchmarks

speed: .venv/.installed ## measure how fast Python starts and answers in the built book's pages
	@PYTHONPATH=tests $(BIN)/python -m pages.speed

chapter: .venv/.installed ## build one chapter alone: make chapter NAME=losses
	@test -n "$(NAME)" || { echo 'Which chapter? make chapter NAME=losses'; exit 2; }
	@$(BIN)/python -m livepage.fetch
	@$(BIN)/python -m livepage.chapter $(NAME)

constraints: .venv/.installed ## pin anew everything that requirements.txt brings along
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip compile requirements.txt --universal --python-version 3.11 --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --upgrade --quiet --output-file constraints.txt
	@wc -l constraints.txt

studies: .venv/.installed ## run the experiments of 1986 again from all seeds and store the results (five to fifteen minutes)
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m nnlib.studies $(NAME)

clean: ## remove what was built
	@rm -rf _build
