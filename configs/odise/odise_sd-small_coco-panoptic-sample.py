# ODISE over small frozen models on a few photos in COCO's own layout, such as COCO's own sample of
# two; trained and tested on the same, it shows within minutes on two CPU cores that it learns.
# `COCO_ROOT=PATH` says where the photos are.
_base_ = [
    '../_base_/models/odise_small.py', '../_base_/datasets/coco_panoptic_sample.py',
    '../_base_/schedules/odise_minutes.py', '../_base_/default_runtime.py'
]

model = dict(
    panoptic_head=dict(vocabulary={{_base_.coco_vocabulary}}, num_queries=60),
    train_cfg=dict(num_points=2048))

max_iters = 150
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
