# Clusters of a small diffusion model's features on the embedded data set: nothing is trained.
# `mim test mmodise cluster_sd-small_shapes-panoptic.py --checkpoint none`
_base_ = [
    '../_base_/models/cluster.py', '../_base_/datasets/shapes_panoptic.py',
    '../_base_/default_runtime.py'
]

clip = dict(type='FrozenCLIP', model='mmodise://shapes/clip', pretrained=None)

model = dict(
    backbone=dict(
        extractor=dict(
            pretrained='mmodise://shapes/stable_diffusion',
            unet_blocks=(7, 8),
            decoder_blocks=(5, ),
            attentions=(),
            timesteps=(100, )),
        window_size=64,  # the model sees them twice as large: small things have more cells
        strides=(8, 8, 4),
        with_image=False),
    panoptic_head=dict(
        vocabulary={{_base_.vocabulary}},
        method='kmeans',
        num_clusters=8,
        stride=4,
        weights=(1.0, 1.4),  # the decoder's map, and two of the UNet
        center=True,
        min_size=0.015,
        refine=None),
    classifier=dict(clip=clip, align_masks=False, min_coverage=0.9))

train_dataloader = val_dataloader = val_evaluator = None
test_cfg = dict(type='TestLoop')

truth = dict(
    ann_file=_base_.data_root + 'annotations/panoptic_val.json',
    seg_prefix=_base_.data_root + 'annotations/panoptic_val/')
test_evaluator = [
    dict(type='OpenVocabularyPanopticMetric', **truth),
    dict(type='OpenVocabularyInstanceMetric', **truth),
    dict(type='OpenVocabularySemanticMetric', **truth),
    dict(type='ClassAgnosticMetric', **truth)
]
