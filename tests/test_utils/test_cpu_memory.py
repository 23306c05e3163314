"""Memory of freed tensors is kept where commands ask for it."""

import resource
import subprocess
import sys

import pytest

from mmodise.utils import cpu_memory
from mmodise.utils.cpu_memory import keep_memory

pytestmark = pytest.mark.skipif(cpu_memory.glibc() is None, reason='needs glibc')
#: A process of its own, whose memory no other test has cut up. It tells pages per tensor, kept: of
#: 64 MiB, more than glibc ever keeps by itself; and given back: of 256 MiB, more than was kept.
PROGRAM = """
import resource
import torch
from mmodise.utils import cpu_memory

def pages(number):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(number)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 10

cpu_memory.available_memory = lambda: cpu_memory.ENOUGH
assert cpu_memory.keep_memory()
kept = pages(2**24)
assert cpu_memory.keep_memory(False)
print(kept, pages(2**26))
"""


def test_pages_are_handed_out_once():
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM], capture_output=True, text=True, check=True)
    kept, given_back = map(float, done.stdout.splitlines()[-1].split())
    page = resource.getpagesize()
    assert kept < 2**26 / page / 4 and given_back > 2**28 / page * 0.9


@pytest.fixture
def plenty(monkeypatch):
    monkeypatch.setattr(cpu_memory, 'available_memory', lambda: cpu_memory.ENOUGH)
    yield
    keep_memory(False)


def test_little_memory_is_given_back(plenty, monkeypatch):
    monkeypatch.setattr(cpu_memory, 'available_memory', lambda: cpu_memory.ENOUGH - 1)
    assert not keep_memory()


def test_what_is_available():
    assert 2**27 < cpu_memory.available_memory() < 2**50
