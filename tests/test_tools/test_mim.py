"""``mim train``, ``mim test`` and ``mim run`` on both ways of installing, from another folder."""

import importlib.util
import os
import pickle
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

# not imported: two workers that do so at once on a new machine make its cache folder twice
pytestmark = pytest.mark.skipif(importlib.util.find_spec('mim') is None, reason='needs mim')

ROOT = Path(__file__).parents[2]
TOY = Path(__file__).parent / 'toy'
FILES = ('mmodise', 'configs', 'tools', 'setup.py', 'pyproject.toml', 'MANIFEST.in', 'README.md',
         'LICENSE', 'model-index.yml', 'requirements.txt', 'requirements-openmmlab.txt')
COMMANDS = sorted(path.stem for path in (ROOT / 'tools').rglob('*.py'))
# in one process: mim takes longer to start than the commands
HELP_OF_ALL = """
import sys
from mim.commands.run import run
for command in sys.argv[1:]:
    run('mmodise', command, other_args=('--help', ))
"""


class Installation:
    """A virtual environment with an installed copy of the project, and a recipe to run."""

    def __init__(self, folder: Path, editable: bool) -> None:
        self.folder = folder
        self.source = folder / 'source'
        self.copy_source()
        self.python = folder / 'venv' / 'bin' / 'python'
        self.call(sys.executable, '-m', 'venv', '--without-pip', folder / 'venv')
        self.site_packages = next((folder / 'venv' / 'lib').glob('python*/site-packages'))
        # All else comes from the environment of this test, as if it were installed here.
        (self.site_packages / 'parent.pth').write_text(sysconfig.get_path('purelib'))
        self.pip('install', *(['--editable', self.source] if editable else [self.build_wheel()]))

    def copy_source(self) -> None:
        self.source.mkdir()
        for name in FILES:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.source / name)
        (self.source / 'configs' / 'toy').mkdir()
        shutil.copy(TOY / 'toy_recipe.py', self.source / 'configs' / 'toy')
        (self.source / 'tools' / 'toy_tool.py').write_text('import sys; print(sys.argv[1:])')

    def build_wheel(self) -> Path:
        """From a source distribution, as package indexes offer it."""
        make_sdist = 'import sys, setuptools.build_meta as b; print(b.build_sdist(sys.argv[1]))'
        sdist = self.call(
            sys.executable, '-c', make_sdist, self.folder, cwd=self.source).split()[-1]
        shutil.rmtree(self.source)  # what was built must do without it
        self.pip('wheel', '--wheel-dir', self.folder, self.folder / sdist)
        return next(self.folder.glob('*.whl'))

    def pip(self, command: str, *arguments) -> None:
        self.call(sys.executable, '-m', 'pip', '--python', self.python, command, '--quiet',
                  '--no-deps', '--no-build-isolation', *arguments)

    def call(self, *command, cwd: Path | None = None) -> str:
        result = subprocess.run(
            [str(word) for word in command], cwd=cwd or self.folder, text=True, capture_output=True,
            env=dict(os.environ, PYTHONPATH=str(TOY), CUDA_VISIBLE_DEVICES=''))
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
        return result.stdout


@pytest.fixture(scope='module')
def editable(tmp_path_factory):
    return Installation(tmp_path_factory.mktemp('editable'), editable=True)


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    return Installation(tmp_path_factory.mktemp('wheel'), editable=False)


def test_mim_trains_and_tests_an_editable_installation(editable):
    editable.call(
        editable.python, '-m', 'mim', 'train', 'mmodise', 'toy_recipe.py', '--work-dir', 'work',
        '--amp', '--cfg-options', 'train_cfg.max_iters=2')
    assert (editable.folder / 'work' / 'iter_2.pth').is_file()
    editable.call(
        editable.python, '-m', 'mim', 'test', 'mmodise', 'toy_recipe.py', '--checkpoint',
        'work/iter_2.pth', '--work-dir', 'tested', '--out', 'predictions.pkl')
    assert len(pickle.loads((editable.folder / 'predictions.pkl').read_bytes())) == 16


def test_mim_trains_in_two_processes(editable):
    """Without a GPU, two of them are two processes."""
    editable.call(
        editable.python, '-m', 'mim', 'train', 'mmodise', 'toy_recipe.py', '--launcher', 'pytorch',
        '--gpus', '2', '--work-dir', 'two', '--cfg-options', 'train_cfg.max_iters=2')
    log, = editable.folder.glob('two/*/*.log')
    assert 'GPU number: 2' in log.read_text()
    assert (editable.folder / 'two' / 'iter_2.pth').is_file()


@pytest.mark.parametrize('way', ['editable', 'wheel'])
def test_mim_runs_every_command(way, request):
    installation = request.getfixturevalue(way)
    output = installation.call(
        installation.python, '-m', 'mim', 'run', 'mmodise', 'toy_tool', '--texts', 'cat')
    assert "['--texts', 'cat']" in output
    output = installation.call(installation.python, '-c', HELP_OF_ALL, *COMMANDS)
    for command in COMMANDS:
        assert f'usage: {command}.py' in output
    assert 'Multiple scripts' not in output


def test_editable_installation_leaves_no_copies(editable):
    assert not list(editable.source.rglob('.mim'))
    assert not (editable.source / 'build').exists()
    assert not list(editable.site_packages.rglob('.mim'))


def test_wheel_carries_real_files_for_mim(wheel):
    metadata, = wheel.site_packages.glob('mmodise-*.dist-info')
    for mim in (wheel.site_packages / 'mmodise/.mim', metadata / '.mim'):  # openmim's, onedl-mim's
        for folder in ('configs', 'tools'):
            files = {p.relative_to(ROOT) for p in (ROOT / folder).rglob('*')
                     if p.is_file() and '__pycache__' not in p.parts}
            assert all((mim / file).read_bytes() == (ROOT / file).read_bytes() for file in files)
        assert (mim / 'model-index.yml').is_file()
        assert not any(path.is_symlink() for path in mim.rglob('*'))
    installed = {p.name for p in wheel.site_packages.iterdir()}
    assert not installed & {'configs', 'tools', 'tests'}


def test_wheel_has_all_files_of_the_package(wheel):
    files = {path.relative_to(ROOT) for path in (ROOT / 'mmodise').rglob('*')
             if path.is_file() and '__pycache__' not in path.parts}
    assert len(files) > 100
    assert not [file for file in files if not (wheel.site_packages / file).is_file()]


def test_mim_trains_from_a_wheel(wheel):
    wheel.call(
        wheel.python, '-m', 'mim', 'train', 'mmodise', 'toy_recipe.py', '--work-dir', 'work',
        '--cfg-options', 'train_cfg.max_iters=2')
    assert (wheel.folder / 'work' / 'iter_2.pth').is_file()
