# make run     start Stillroom with the demo site (PROFILE=psilocybin SPEED=60 PORT=8080 MQTT_PORT=1883
#              SITE=stillroom.yaml DATA=folder change what it does)
# make test    everything that is checked before a change is taken
# make test-long  what takes minutes: the designer, set-up and room check in Chromium, kills, a sealed session
# make bench   the performance promises, each with its figure
# make test-homeassistant  Home Assistant's own code against our discovery (a large package, own environment)
# make lint    only the checks that run nothing
# make setup   what all of them do first: system packages, .venv, this program in it

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Stamps lie in the environment, so that without it everything is made anew.
RUN_STAMP := $(VENV)/.stillroom-run
TEST_STAMP := $(VENV)/.stillroom-test

PROFILE ?= quiet-room
RUN_FLAGS = --profile '$(PROFILE)' \
	$(if $(SPEED),--speed '$(SPEED)') $(if $(PORT),--port '$(PORT)') \
	$(if $(MQTT_PORT),--mqtt-port '$(MQTT_PORT)') $(if $(SITE),--site '$(SITE)') $(if $(DATA),--data '$(DATA)')

PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
export PYTHON

.PHONY: setup run test test-long test-homeassistant lint bench clean
.DEFAULT_GOAL := run

setup: $(RUN_STAMP)

$(RUN_STAMP): pyproject.toml .ci/system-packages
	@.ci/system-packages run
	@$(BIN)/python -c '' 2>/dev/null || { rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); }
	@echo "stillroom: installing its Python packages into $(VENV) (the first time takes some minutes)"
	@$(PIP) install --use-pep517 --editable .
	@touch $@

$(TEST_STAMP): $(RUN_STAMP)
	@.ci/system-packages test
	@echo "stillroom: installing what the tests need into $(VENV)"
	@$(PIP) install --use-pep517 --editable '.[test,browser]'
	@touch $@

run: setup
	@$(BIN)/stillroom run $(RUN_FLAGS)

lint: $(TEST_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Most wait more than they work, hence three workers. What listens to sound runs alone afterwards: it measures real time.
test: lint
	$(BIN)/pytest -n 3 --dist loadfile -m "not real_time and not long"
	$(BIN)/pytest -m "real_time and not long"

# What would make `make test` longer than ten minutes: whole daemons and pages (tests/conftest.py names them).
test-long: $(TEST_STAMP)
	$(BIN)/pytest -n 2 --dist loadfile -m long

# Home Assistant's newest release for Python 3.11, with what its MQTT integration would fetch for itself.
HA_VENV := .venv-homeassistant
HA_STAMP := $(HA_VENV)/.stillroom-homeassistant

$(HA_STAMP):
	@$(PYTHON) -m venv $(HA_VENV)
	@echo "stillroom: installing Home Assistant into $(HA_VENV)"
	@$(HA_VENV)/bin/python -m pip --disable-pip-version-check --quiet install \
		homeassistant==2024.3.3 paho-mqtt==1.6.1 janus==1.0.0
	@touch $@

test-homeassistant: $(TEST_STAMP) $(HA_STAMP)
	STILLROOM_TEST_HOMEASSISTANT=1 $(BIN)/pytest tests/homeassistant

bench: $(TEST_STAMP)
	@failed=; for program in benchmarks/[a-z]*.py; do \
		echo "== $$program"; \
		$(BIN)/python "$$program" || failed="$$failed $$program"; \
	done; \
	if [ -n "$$failed" ]; then echo "stillroom: these did not hold their promise:$$failed" >&2; exit 1; fi

clean:
	rm -rf $(VENV) $(HA_VENV) .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
