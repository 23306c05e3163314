# The small CLIP learns from the true masks of base classes to classify masks (MaskCLIP++); all else
# is the model that comes with mmodise, and stays as it is. Minutes on two CPU cores.
_base_ = '../odise/odise_sd-small_shapes-panoptic.py'

load_from = 'mmodise://shapes/odise.pth'

model = dict(
    classifier=dict(type='TunedCLIPClassifier', last_blocks=None),  # of four blocks, all
    train_classifier_only=True)
# Without PhotoMetricDistortion, which exchanges colour channels: CLIP knows the names of colours.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPanopticAnnotations'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs', meta_keys={{_base_.meta_keys}}),
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))

# MaskCLIP++'s schedule, at a learning rate for minutes: the tower's is a part of the others'.
optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(custom_keys={
        'classifier.tuned': dict(lr_mult=0.1),
        'classifier.tuned.positions': dict(lr_mult=0.1, decay_mult=0.0),
        'classifier.tuned.mask_scale': dict(decay_mult=0.0)}),
    clip_grad=dict(max_norm=1.0))
max_iters = 150
param_scheduler = [
    dict(type='CosineAnnealingLR', by_epoch=False, begin=0, end=max_iters, T_max=max_iters,
         eta_min_ratio=0.05)]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
