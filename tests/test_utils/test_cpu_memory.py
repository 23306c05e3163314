"""Memory of freed tensors is kept where commands ask for it."""

import resource

import pytest
import torch

from mmodise.utils import cpu_memory
from mmodise.utils.cpu_memory import keep_memory

pytestmark = pytest.mark.skipif(cpu_memory._glibc() is None, reason='needs glibc')
SIDE = 2**24  # 64 MiB of float32: more than glibc ever keeps by itself


def faults_of_ten():
    """Pages that the system hands out for ten tensors, one after another."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(SIDE)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.fixture
def plenty(monkeypatch):
    monkeypatch.setattr(cpu_memory, 'available_memory', lambda: cpu_memory.ENOUGH)
    yield
    keep_memory(False)


def test_pages_are_handed_out_once(plenty):
    pages = 4 * SIDE // resource.getpagesize()
    assert keep_memory()
    faults_of_ten()  # until one fits into what is kept
    assert faults_of_ten() < pages
    assert keep_memory(False)
    assert faults_of_ten() > 9 * pages


def test_little_memory_is_given_back(plenty, monkeypatch):
    monkeypatch.setattr(cpu_memory, 'available_memory', lambda: cpu_memory.ENOUGH - 1)
    assert not keep_memory()


def test_what_is_available():
    assert 2**27 < cpu_memory.available_memory() < 2**50
