# Of trainings of minutes: a tenfold learning rate. Derived configs give the number of iterations.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys=dict(in_proj_bias=dict(decay_mult=0.0))),
    clip_grad=dict(max_norm=0.1, norm_type=2))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
