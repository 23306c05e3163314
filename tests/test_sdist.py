"""The source distribution holds all that a wheel is built from."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: What is of no use to who only installs.
LEFT_OUT = '.ci/', '.git', 'Makefile', 'docs/', 'tests/'


@pytest.fixture
def tracked():
    """Paths of all files under version control."""
    if not (ROOT / '.git').exists() or shutil.which('git') is None:
        pytest.skip('needs the repository')
    listed = subprocess.run(
        ['git', 'ls-files', '-z'], cwd=ROOT, check=True, capture_output=True, text=True)
    return [name for name in listed.stdout.split('\0') if (ROOT / name).is_file()]


def test_it_holds_every_file_of_the_repository(tracked, tmp_path):
    source = tmp_path / 'source'
    for name in tracked:
        if not name.startswith(LEFT_OUT):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    build = 'import sys, setuptools.build_meta as b; b.build_sdist(sys.argv[1])'
    subprocess.run(
        [sys.executable, '-c', build, tmp_path], cwd=source, check=True, capture_output=True)
    archive, = tmp_path.glob('*.tar.gz')
    with tarfile.open(archive) as tar:
        held = {name.partition('/')[2] for name in tar.getnames()}
    expected = {name for name in tracked if not name.startswith(LEFT_OUT)}
    assert 'mmodise/benchmark/official_times.json' in expected
    assert expected <= held
