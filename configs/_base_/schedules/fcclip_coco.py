# FC-CLIP's schedule for COCO: batches of 16, 368,750 iterations (50 epochs), without a warm-up.
# What is not said is as in ODISE's.
_base_ = './odise_coco.py'

max_iters = 368750

train_cfg = dict(
    max_iters=max_iters,
    # After the last full interval, evaluate once more, at the end.
    dynamic_intervals=[(365001, max_iters)])

optim_wrapper = dict(
    # No decay of norms and of tables of embeddings; biases do decay, and so does the pixel
    # decoder's level_encoding.
    paramwise_cfg=dict(
        _delete_=True,
        norm_decay_mult=0.0,
        custom_keys={
            name: dict(decay_mult=0.0) for name in (
                'panoptic_head.void_embedding', 'panoptic_head.query_feat',
                'panoptic_head.query_embed', 'panoptic_head.level_embed')}))

param_scheduler = [
    dict(type='MultiStepLR', by_epoch=False, milestones=[327778, 355092], gamma=0.1)
]

# 8 GPUs with 2 images each. `--auto-scale-lr` scales the learning rate to other batches.
auto_scale_lr = dict(base_batch_size=16)
