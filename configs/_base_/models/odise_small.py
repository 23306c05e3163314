# The same model over the small frozen models that come with mmodise, with a head to match:
# trained on two CPU cores within minutes.
_base_ = './odise.py'

clip = dict(type='FrozenCLIP', model='mmodise://shapes/clip', pretrained=None)

attention = dict(embed_dims=128)

model = dict(
    backbone=dict(
        extractor=dict(pretrained='mmodise://shapes/stable_diffusion'),
        captioner=dict(clip=clip),
        out_channels=128,
        window_size=128,
        with_cp=False),
    panoptic_head=dict(
        clip=clip,
        in_channels=[128, 128, 128, 128],
        feat_channels=128,
        out_channels=128,
        num_queries=12,
        pixel_decoder=dict(
            encoder=dict(
                num_layers=1,
                layer_cfg=dict(
                    self_attn_cfg=attention,
                    ffn_cfg=dict(embed_dims=128, feedforward_channels=256))),
            positional_encoding=dict(num_feats=64)),
        positional_encoding=dict(num_feats=64),
        transformer_decoder=dict(
            num_layers=3,
            layer_cfg=dict(
                self_attn_cfg=attention,
                cross_attn_cfg=attention,
                ffn_cfg=dict(embed_dims=128, feedforward_channels=256)))),
    classifier=dict(clip=clip),
    ensemble=dict(alpha=0.4, beta=0.6),  # chosen on the pictures for validation
    train_cfg=dict(num_points=512))
