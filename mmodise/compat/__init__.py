"""Makes the OpenMMLab stack importable where a part of it is missing, and mmcv's attention lean.

Each part is looked for first, and replaced only if it is not there:

==================  ===========================================================================
what may be missing  what stands in
==================  ===========================================================================
mmcv's compiled ops  :mod:`mmodise.compat.mmcv_ops`: an error at the call instead of the import
torchvision's ops    :mod:`mmodise.compat.torchvision_ops`: the declarations that it asks for
panopticapi          :mod:`mmodise.compat.panopticapi`: the names that mmdet imports
OpenCV's libraries   :mod:`mmodise.compat.opencv`: nothing; an error that says what to install
torch below 2.6      :mod:`mmodise.compat.torch_version`: nothing; likewise
==================  ===========================================================================

Two are replaced always: mmcv's PyTorch code for deformable attention, by the same code over a part
of the queries at a time, :mod:`mmodise.compat.deformable_attention`; and how mmdet's inferencer
pairs texts with pictures, :mod:`mmodise.compat.inferencer_texts`.
"""

import logging

from . import (
    deformable_attention,
    inferencer_texts,
    mmcv_ops,
    opencv,
    panopticapi,
    torch_version,
    torchvision_ops,
)


def install() -> None:
    """Install the stand-ins that are needed, and say so in one log line.

    Must run before mmdet is imported; importing ``mmodise`` does it.

    Raises:
        ImportError: If torch is too old, or if OpenCV, mmcv or torchvision is missing, or does not
            load for another reason than those above.
    """
    torch_version.check()
    opencv.check()
    parts = (torchvision_ops, mmcv_ops, deformable_attention, panopticapi, inferencer_texts)
    actions = [action for part in parts if (action := part.install()) is not None]
    if actions:
        from mmengine.logging import print_log
        print_log(f'mmodise: {"; ".join(actions)}.', logger='current', level=logging.INFO)
