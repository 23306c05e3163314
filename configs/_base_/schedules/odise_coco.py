# The paper's schedule for COCO: batches of 64, 92,188 iterations (50 epochs). In the official
# release the fractions are written for 184,375 iterations, of batches of 32; ours are half of them.
max_iters = 92188
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
    # The biases of attention's joint input projection are not called 'bias'.
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys=dict(in_proj_bias=dict(decay_mult=0.0))),
    clip_grad=dict(max_norm=0.01, norm_type=2))

param_scheduler = [
    # Over the first 500 of 184,375 iterations; mmengine's last step of a warm-up is end - 1.
    dict(type='LinearLR', start_factor=0.067, by_epoch=False, begin=0, end=251),
    # 163,889 and 177,546 of 184,375 iterations
    dict(type='MultiStepLR', by_epoch=False, milestones=[81945, 88774], gamma=0.1)
]

# 32 GPUs with 2 images each. `--auto-scale-lr` scales the learning rate to other batches.
auto_scale_lr = dict(enable=False, base_batch_size=64)
