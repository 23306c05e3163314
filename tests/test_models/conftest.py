"""Configs of the small frozen models."""

import pytest


@pytest.fixture(scope='session')
def clip_cfg(small_models):
    return dict(type='FrozenCLIP', model=str(small_models / 'clip'))
