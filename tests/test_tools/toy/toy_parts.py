"""The smallest model, data set and metric that a runner accepts: y = 2 a - b, learned."""

import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, HOOKS, METRICS, MODELS


@MODELS.register_module()
class ToyModel(BaseModel):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 1, bias=False)
        torch.nn.init.zeros_(self.linear.weight)

    def forward(self, inputs, target, mode):
        output = self.linear(inputs).squeeze(-1)
        if mode == 'loss':
            self.output_dtype = output.dtype
            return dict(loss=torch.nn.functional.mse_loss(output.float(), target))
        return [dict(output=o.item(), target=t.item()) for o, t in zip(output, target, strict=True)]


@DATASETS.register_module()
class ToyDataset(torch.utils.data.Dataset):
    def __len__(self):
        return 16

    def __getitem__(self, index):
        a, b = index % 4 / 4, index // 4 / 4
        return dict(inputs=torch.tensor([a, b]), target=torch.tensor(2 * a - b))


@METRICS.register_module()
class ToyError(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += [abs(sample['output'] - sample['target']) for sample in data_samples]

    def compute_metrics(self, results):
        return dict(error=sum(results) / len(results))


@HOOKS.register_module()
class Interrupt(Hook):
    """Ends the run as Ctrl+C does, before an iteration counted from 0."""

    def __init__(self, iteration):
        self.iteration = iteration

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if batch_idx == self.iteration:
            raise KeyboardInterrupt
