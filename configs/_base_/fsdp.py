# Behind a recipe in `_base_`: what is trained is sharded over the GPUs by FSDP. The frozen networks
# stay whole on each of them. Numbers and checkpoints are the same as without.
runner_type = 'FlexibleRunner'
strategy = dict(
    type='ShardedStrategy',
    model_wrapper=dict(type='MMFullyShardedDataParallel', use_orig_params=True))
