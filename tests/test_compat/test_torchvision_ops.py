import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torchvision

from mmodise.compat import torchvision_ops

# Loads the module without its package, which would import the real torchvision before.
INSTALL = f'''
import importlib.util
spec = importlib.util.spec_from_file_location('ops', {torchvision_ops.__file__!r})
ops = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ops)
print(ops.install(), len(ops._declared))
'''
# As torchvision does at its import, and like it finds the op there or not.
USE_NMS = "import torch\ntorch.library.register_fake('torchvision::nms')(lambda *args: None)\n"
DEFINE_NMS = '''
import torch
library = torch.library.Library('torchvision', 'DEF')
library.define('nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
'''


def install(folder: Path, torchvision_code: str) -> subprocess.CompletedProcess:
    (folder / 'torchvision.py').write_text(torchvision_code)
    return subprocess.run(
        [sys.executable, '-c', INSTALL], cwd=folder, text=True, capture_output=True)


@pytest.mark.parametrize(('code', 'output'), [
    pytest.param(DEFINE_NMS + USE_NMS, 'None 0', id='library loads'),
    pytest.param(
        USE_NMS,
        "declared torchvision's ops (its compiled library does not load beside this torch) 1",
        id='library does not load'),
])
def test_ops_are_declared_only_where_they_are_missing(tmp_path, code, output):
    result = install(tmp_path, code)
    assert result.stdout.strip() == output, result.stderr


def test_other_errors_of_torchvision_pass_as_they_are(tmp_path):
    result = install(tmp_path, "raise RuntimeError('compiled for another CUDA')")
    assert 'RuntimeError: compiled for another CUDA' in result.stderr


def test_real_torchvision_is_usable_here():
    assert 'iou_threshold' in str(torch.ops.torchvision.nms.default._schema)
    resized = torchvision.transforms.functional.resize(torch.ones(3, 4, 4), [2, 2])
    assert torch.equal(resized, torch.ones(3, 2, 2))
