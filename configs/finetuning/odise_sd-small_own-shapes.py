# Plain fine-tuning: three classes, annotated in a few pictures that show others as well.
# mim run mmodise make_shapes data/own_shapes --split val --num-val 60 --seed 1 \
#     --annotate "red box; blue star; snow"
_base_ = '../odise/odise_sd-small_shapes-panoptic.py'

load_from = 'mmodise://shapes/odise.pth'

own_vocabulary = dict(
    thing_classes=('red box, crimson box', 'blue star'), stuff_classes=('snow, snowfield', ))
own_data = dict(
    type='CheckedPanopticDataset',
    data_root='data/own_shapes/',
    ann_file='annotations/panoptic_val.json',
    data_prefix=dict(img='val/', seg='annotations/panoptic_val/'),
    metainfo=dict(classes=('red box', 'blue star', 'snow'), **own_vocabulary),
    return_classes=True,
    pipeline={{_base_.train_pipeline}})

model = dict(panoptic_head=dict(vocabulary=own_vocabulary))
train_dataloader = dict(dataset=dict(_delete_=True, **own_data))

# A fifth of the learning rate, and of the iterations.
optim_wrapper = dict(optimizer=dict(lr=2e-4))
max_iters = 200
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.067, by_epoch=False, begin=0, end=20),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        begin=20,
        end=max_iters,
        T_max=max_iters - 20,
        eta_min=2e-6)
]
