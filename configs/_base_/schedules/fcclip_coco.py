# FC-CLIP's schedule for COCO: batches of 16, 368,750 iterations (50 epochs).
max_iters = 368750
val_interval = 5000

train_cfg = dict(
    type='IterBasedTrainLoop',
    max_iters=max_iters,
    val_interval=val_interval,
    # After the last full interval, evaluate once more, at the end.
    dynamic_intervals=[(max_iters // val_interval * val_interval + 1, max_iters)])
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.05),
    # No decay of norms and of tables of embeddings; biases do decay, and so does the pixel
    # decoder's level_encoding.
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys={
            name: dict(decay_mult=0.0) for name in (
                'panoptic_head.void_embedding', 'panoptic_head.query_feat',
                'panoptic_head.query_embed', 'panoptic_head.level_embed')}),
    clip_grad=dict(max_norm=0.01, norm_type=2))

# without a warm-up
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=False, milestones=[327778, 355092], gamma=0.1)
]

# 8 GPUs with 2 images each. `--auto-scale-lr` scales the learning rate to other batches.
auto_scale_lr = dict(enable=False, base_batch_size=16)
