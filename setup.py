"""Installs mmodise; wheels also carry what mim looks for in a folder ``.mim``."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
MIM_FILES = ('configs', 'tools', 'model-index.yml')


def copy_mim_files(target: Path) -> None:
    """Write ``MIM_FILES`` into the folder ``target``, as real files.

    Only where something is built: with an editable install mim finds those of the repository.
    """
    shutil.rmtree(target, ignore_errors=True)  # of an earlier build in the same folder
    target.mkdir(parents=True)
    for name in MIM_FILES:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, target / name, ignore=shutil.ignore_patterns('__pycache__'))
        else:
            shutil.copy(ROOT / name, target / name)


class BuildWithMim(build_py):
    """Builds the package with ``mmodise/.mim``, where openmim and mmodise itself look."""

    def run(self) -> None:
        """Build the package, then add mim's files, but not to an editable install."""
        super().run()
        if not self.editable_mode:
            copy_mim_files(Path(self.build_lib, 'mmodise', '.mim'))


class WheelWithMim(bdist_wheel):
    """Builds a wheel with ``.mim`` beside its metadata, where onedl-mim looks.

    It takes the first folder of an installed wheel for the package, and that is
    ``mmodise-VERSION.dist-info``, which comes before ``mmodise``.
    """

    def write_wheelfile(self, wheelfile_base: str, **kwargs) -> None:
        """Write the metadata's last file, then add mim's, but not to an editable install."""
        super().write_wheelfile(wheelfile_base, **kwargs)
        if 'bdist_wheel' in self.distribution.commands:
            copy_mim_files(Path(wheelfile_base, '.mim'))


def read_version() -> str:
    """Read the version without importing the package, whose dependencies may be missing."""
    text = (ROOT / 'mmodise' / 'version.py').read_text(encoding='utf-8')
    return re.search(r"__version__ = '(.+)'", text).group(1)


setup(
    name='mmodise',
    version=read_version(),
    description='Open-vocabulary panoptic segmentation with text-to-image diffusion models '
    '(ODISE), for MMDetection',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    keywords='panoptic segmentation, open vocabulary, diffusion models, CLIP, MMDetection',
    license='Apache-2.0',
    license_files=['LICENSE'],
    classifiers=[
        'Development Status :: 3 - Alpha',
        'Intended Audience :: Science/Research',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
    packages=find_packages(include=['mmodise', 'mmodise.*']),
    include_package_data=True,  # see MANIFEST.in
    python_requires='>=3.10,<3.14',
    # Loose: the versions that are tested together are pinned in requirements*.txt. On OpenMMLab's
    # own releases (mmcv, mmdet, mmengine, mmsegmentation) install with --no-deps.
    install_requires=[
        'torch>=2.6',  # reads checkpoints without running code, see mmodise/compat/torch_version.py
        'torchvision>=0.21',
        'onedl-mmengine>=0.10',
        'onedl-mmcv>=2.2',
        'onedl-mmdetection>=3.3',
        'onedl-mmsegmentation>=1.2',
        'diffusers>=0.31',
        'transformers>=4.38',
        'open_clip_torch>=2.26',
        'numpy>=1.26',
        'pillow>=10',
    ],
    extras_require={
        # Noun phrases as in the paper's caption supervision; without it the built-in ones serve.
        'captions': ['nltk>=3.9'],
        'cityscapes': ['cityscapesscripts>=2.2'],  # mask AP as papers have it
        'clusters': ['scikit-learn>=1.4'],
        'pandas': ['pandas>=2'],
        'supervision': ['supervision>=0.26'],
        'video': ['av>=17'],  # older ones mistake the colours of HD videos
        'webui': ['gradio>=6.31'],
    },
    cmdclass={'build_py': BuildWithMim, 'bdist_wheel': WheelWithMim},
    zip_safe=False,
)
