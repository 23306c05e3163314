PYTHON ?= python3
PIP = .venv/bin/pip --disable-pip-version-check install --no-compile
# --no-compile leaves it to the first import of a module to write its bytecode, which saves half of
# the installation; a setting that forbids it would make every later start slow.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint fidelity
demo: .venv/.installed  ## make the data set, train, evaluate, and write pictures
	.venv/bin/python tools/demo.py

# One thread a worker: more of them than cores slow each other down by far more than half.
test: lint
	OMP_NUM_THREADS=1 .venv/bin/pytest --numprocesses auto --dist loadfile

fidelity: .venv/.installed  ## compare models at full size with the official ones (10.2 GiB)
	.venv/bin/python tests/parity/verify_parity.py ../shared/golden/full
	.venv/bin/python tests/parity/verify_parity.py ../shared/golden/fcclip_full

lint: .venv/.installed
	.venv/bin/ruff check

# mmcv must not see torch while it is built (pip's default), or it compiles its ops for 10 minutes.
.venv/.installed: requirements.txt requirements-openmmlab.txt setup.py
	$(PYTHON) -m venv .venv
	$(PIP) --requirement requirements.txt
	$(PIP) --no-deps --requirement requirements-openmmlab.txt --editable .
	touch $@
