# ODISE with caption supervision on the embedded data set, over small frozen models: what the masks
# are called is learned from captions alone.
_base_ = [
    '../_base_/models/odise_small.py', '../_base_/datasets/shapes_caption.py',
    '../_base_/schedules/odise_minutes.py', '../_base_/default_runtime.py'
]

model = dict(
    panoptic_head=dict(
        type='ODISECaptionHead',
        prompt='a photo of a {}.',
        vocabulary={{_base_.vocabulary}},
        loss_grounding=dict(type='GroundingLoss', loss_weight=1.0)))

max_iters = 700
param_scheduler = [
    dict(type='LinearLR', start_factor=0.067, by_epoch=False, begin=0, end=20),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        begin=20,
        end=max_iters,
        T_max=max_iters - 20,
        eta_min=1e-5)
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
