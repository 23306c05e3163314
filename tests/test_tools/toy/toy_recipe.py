custom_imports = dict(imports=['toy_parts'], allow_failed_imports=False)

model = dict(type='ToyModel')
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='ToyDataset'),
    sampler=dict(type='InfiniteSampler', shuffle=True))
test_dataloader = dict(
    batch_size=4,
    num_workers=0,
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='ToyDataset'),
    sampler=dict(type='DefaultSampler', shuffle=False))
test_evaluator = dict(type='ToyError')
train_cfg = dict(type='IterBasedTrainLoop', max_iters=6)
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=0.1))
param_scheduler = [dict(type='LinearLR', start_factor=0.5, by_epoch=False, begin=0, end=6)]
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=1),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2))
randomness = dict(seed=0)
custom_hooks = [dict(type='Interrupt', iteration=None)]
