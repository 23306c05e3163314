# The recipe: as many pictures of the first training as own ones. Both show classes that they do not
# annotate; masks there are not taught to be "no object".
_base_ = './odise_sd-small_own-shapes.py'

# The classes of the first training, and the own ones.
vocabulary = dict(
    thing_classes=(
        'red ball, crimson ball',
        'blue ball',
        'yellow ball, golden ball',
        'red box, crimson box',
        'blue box',
        'yellow box, golden box',
        'striped box, stripy box',
        'red star',
        'blue star',
        'yellow star',
        'striped star',
        'red ring, crimson ring',
        'blue ring',
        'striped ring, stripy ring',
    ),
    stuff_classes=(
        'grass',
        'sand, beach',
        'water',
        'snow, snowfield',
        'night sky, starry sky',
        'wooden floor',
        'checkered carpet, checkered rug',
    ))
# As the annotation files call them.
metainfo = dict(
    classes=(
        'red ball', 'blue ball', 'yellow ball', 'red box', 'blue box', 'yellow box', 'striped box',
        'red star', 'blue star', 'yellow star', 'striped star', 'red ring', 'blue ring',
        'striped ring', 'grass', 'sand', 'water', 'snow', 'night sky', 'wooden floor',
        'checkered carpet'),
    **vocabulary)

model = dict(panoptic_head=dict(vocabulary=vocabulary, ignore_unannotated=True))

data = dict(
    type='CheckedPanopticDataset', metainfo=metainfo, return_classes=True,
    pipeline={{_base_.train_pipeline}})
own_pictures = dict(
    **data,
    data_root='data/own_shapes/',
    ann_file='annotations/panoptic_val.json',
    data_prefix=dict(img='val/', seg='annotations/panoptic_val/'))
original_pictures = dict(
    **data,
    data_root='data/shapes/',
    ann_file='annotations/panoptic_train.json',
    data_prefix=dict(img='train/', seg='annotations/panoptic_train/'))
train_dataloader = dict(dataset=dict(
    _delete_=True,
    type='ConcatDataset',
    datasets=[
        dict(type='RepeatDataset', dataset=own_pictures, times=12),  # of 33, to 400
        original_pictures]))

# Each own picture as often as in plain fine-tuning: twice as many iterations.
max_iters = 400
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
