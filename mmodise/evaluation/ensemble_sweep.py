"""One pass over the test set for many values of the geometric ensemble's alpha and beta."""

from collections.abc import Iterable

import torch
from mmengine.runner import Runner
from tqdm import tqdm

from .class_figures import with_novel_classes

Weights = tuple[float, float]


@torch.no_grad()
def sweep_ensemble(runner: Runner, weights: Iterable[Weights]) -> dict[Weights, dict[str, float]]:
    """Evaluate an :class:`ODISE` with several weights of its :class:`GeometricEnsemble`.

    The networks run once per image; only what alpha and beta decide is done for each pair.

    Args:
        runner (Runner): With the test data, the evaluator and the trained model.
        weights (Iterable[tuple[float, float]]): Pairs of alpha and beta, the weights of the
            out-of-vocabulary score for seen and for unseen classes. (0, 0) is the in-vocabulary
            score alone.

    Returns:
        dict[tuple[float, float], dict[str, float]]: The metrics of each pair.

    Raises:
        ValueError: If the model has no classifier.
    """
    model, loader = runner.model, runner.test_dataloader
    if model.classifier is None:
        raise ValueError('sweep_ensemble: model.classifier is None; give it a CLIPClassifier')
    runner.load_or_resume()
    model.eval()
    evaluators = {pair: runner.build_evaluator(runner.cfg.test_evaluator) for pair in weights}
    for evaluator in evaluators.values():
        evaluator.dataset_meta = with_novel_classes(loader.dataset.metainfo, model)
    ensemble = model.ensemble
    configured = ensemble.alpha, ensemble.beta
    for batch in tqdm(loader, 'alpha and beta', unit='batch', disable=None):
        data = model.data_preprocessor(batch, training=False)
        samples = data['data_samples']
        scores = model.predict_scores(data['inputs'], samples)
        for pair, evaluator in evaluators.items():
            ensemble.alpha, ensemble.beta = pair
            evaluator.process(model.make_results(scores, samples), batch)
    ensemble.alpha, ensemble.beta = configured
    return {pair: evaluator.evaluate(len(loader.dataset))
            for pair, evaluator in evaluators.items()}
