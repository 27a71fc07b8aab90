# make demo    install, train on the bundled faces, say where the pictures are, and
#              write a page that draws more
# make test    install, run the tests (minutes); make test-slow: the long ones
# Everything is called as `.venv/bin/python -m …`: the scripts that pip installs do not
# start from a path with a space in it.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' \
	2>/dev/null && echo $$p && break; done)
RUN = .venv/bin/python

.PHONY: demo install test test-slow lint bench clean

demo: install
	@$(RUN) main.py --flagfile configs/demo.flags --train
	@$(RUN) main.py --dataset toonfaces --name demo --task export --formats page

install: .venv/installed

test: .venv/installed-dev
	@$(RUN) -m pytest -q -n 2 --dist loadfile -m 'not slow'

test-slow: .venv/installed-dev
	@$(RUN) -m pytest -q -n 2 --dist loadfile -m slow
	@PYTHON=$(RUN) bash tests/tf1/check.sh

bench: .venv/installed-dev .venv-torch/installed
	@$(RUN) bench/speed/speed.py

lint: .venv/installed-dev
	@$(RUN) -m ruff check .

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo 'No Python 3.10 to 3.13 found on PATH; give one:' \
		'make PYTHON=/path/to/python3.12' >&2; exit 2; }
	@"$(PYTHON)" -m venv .venv || { rm -rf .venv; echo 'venv failed; on Debian and' \
		'Ubuntu: apt install python3-venv' >&2; exit 2; }

.venv/installed: requirements.txt | .venv/bin/python
	@echo 'installing into .venv (TensorFlow is large: some minutes the first time)'
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/installed-dev: requirements-dev.txt .venv/installed
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.venv-torch/installed: bench/requirements-torch.txt | .venv/bin/python
	@.venv/bin/python -m venv .venv-torch
	@.venv-torch/bin/python -m pip install --quiet --disable-pip-version-check \
		-r bench/requirements-torch.txt
	@touch $@

clean:
	rm -rf .venv .venv-tf1 .venv-torch
