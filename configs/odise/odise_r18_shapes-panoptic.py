# ODISE's head on an ordinary backbone, from scratch: open vocabulary without a diffusion model.
_base_ = './odise_sd-small_shapes-panoptic.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=18,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        norm_cfg=dict(type='BN'),
        norm_eval=False,
        style='pytorch'),
    panoptic_head=dict(in_channels=[64, 128, 256, 512]))
