import sys

import pytest
import torch

from mmodise import compat


@pytest.fixture
def log(monkeypatch):
    lines = []
    monkeypatch.setattr('mmengine.logging.print_log', lambda line, **kwargs: lines.append(line))
    return lines


def test_install_is_silent_where_nothing_is_missing(log):
    compat.install()  # what was missing has its stand-in since mmodise was imported
    assert log == []


def test_install_says_in_one_line_what_it_did(monkeypatch, log):
    for name in ('panopticapi', 'panopticapi.evaluation', 'panopticapi.utils'):
        monkeypatch.setitem(sys.modules, name, None)
    compat.install()
    assert log == ['mmodise: panopticapi is not installed, a stand-in of the same PQ is used.']


def import_error(monkeypatch, tmp_path, message):
    (tmp_path / 'cv2.py').write_text(f'raise ImportError({message!r})')
    monkeypatch.delitem(sys.modules, 'cv2')
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError) as caught:
        compat.opencv.check()
    return str(caught.value)


def test_opencv_without_libgl_names_the_command_that_helps(monkeypatch, tmp_path):
    missing = 'libGL.so.1: cannot open shared object file: No such file or directory'
    message = import_error(monkeypatch, tmp_path, missing)
    assert missing in message
    assert 'pip install --force-reinstall --no-deps opencv-python-headless' in message


def test_other_errors_of_opencv_pass_as_they_are(monkeypatch, tmp_path):
    assert import_error(monkeypatch, tmp_path, 'numpy is too old') == 'numpy is too old'


def test_torch_that_cannot_read_safely_is_refused(monkeypatch):
    compat.torch_version.check()
    monkeypatch.delattr(torch.serialization, 'get_unsafe_globals_in_checkpoint')
    monkeypatch.setattr(torch, '__version__', '2.5.1')
    with pytest.raises(ImportError, match=r'mmodise needs torch 2\.6 or newer, found 2\.5\.1'):
        compat.install()
