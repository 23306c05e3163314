from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmodise.apis import CheckedInferencer
from mmodise.checkpoints import UnsafeFileError

CONFIG = Path(__file__).parents[2] / 'configs/odise/odise_sd-small_shapes-panoptic.py'


class Callback:
    """An object that no checkpoint of mmengine's holds."""


def test_a_checkpoint_with_python_objects_is_refused(tmp_path):
    torch.save(dict(state_dict={}, callback=Callback()), tmp_path / 'bad.pth')
    with pytest.raises(UnsafeFileError, match=r'bad\.pth .* objects of .*Callback'):
        CheckedInferencer(str(CONFIG), str(tmp_path / 'bad.pth'), 'cpu')


@pytest.mark.parametrize('tf32', [True, False])
def test_float32_is_what_the_config_says(small_checkpoint, tf32):
    cfg = Config.fromfile(CONFIG)
    cfg.tf32 = tf32
    CheckedInferencer(cfg, str(small_checkpoint), 'cpu')
    assert torch.backends.cudnn.allow_tf32 is tf32
