"""How much of CLIP's opinion: one pass over the test set for many values of alpha and beta."""

from collections.abc import Iterable

import torch
from mmengine.runner import Runner

Shares = tuple[float, float]


@torch.no_grad()
def sweep_opinions(runner: Runner, shares: Iterable[Shares]) -> dict[Shares, dict[str, float]]:
    """Evaluate an :class:`ODISE` with several shares of its :class:`CLIPClassifier`.

    The networks run once an image; only what alpha and beta decide is done for each pair.

    Args:
        runner (Runner): With the test data, the evaluator and the trained model.
        shares (Iterable[tuple[float, float]]): Pairs of alpha and beta, CLIP's share in the score
            of seen and of unseen classes. (0, 0) is the head's opinion alone.

    Returns:
        dict[tuple[float, float], dict[str, float]]: The metrics of each pair.

    Raises:
        ValueError: If the model has no classifier.
    """
    model, loader = runner.model, runner.test_dataloader
    classifier = model.classifier
    if classifier is None:
        raise ValueError('sweep_opinions: model.classifier is None; give it a CLIPClassifier')
    runner.load_or_resume()
    model.eval()
    evaluators = {pair: runner.build_evaluator(runner.cfg.test_evaluator) for pair in shares}
    for evaluator in evaluators.values():
        evaluator.dataset_meta = loader.dataset.metainfo
    configured = classifier.alpha, classifier.beta
    for batch in loader:
        data = model.data_preprocessor(batch, training=False)
        samples = data['data_samples']
        opinions = model.opinions(data['inputs'], samples)
        for pair, evaluator in evaluators.items():
            classifier.alpha, classifier.beta = pair
            evaluator.process(model.label(opinions, samples), batch)
    classifier.alpha, classifier.beta = configured
    return {pair: evaluator.evaluate(len(loader.dataset))
            for pair, evaluator in evaluators.items()}
