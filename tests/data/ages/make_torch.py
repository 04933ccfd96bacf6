"""Writes small float models in ONNX as torch's exporters do, and what torch says of them.

    python tests/data/ages/make_torch.py FOLDER

In an environment with torch, onnx and onnxscript. Writes ``<model>_<exporter><opset>.onnx``, and
``<model>.npz`` of inputs and outputs. Weights and inputs are quarters, so that every sum is exact.
"""

import os
import sys
import warnings

import numpy as np
import torch

EVENTS = 24
OPSETS = {"script": (11, 13, 17), "dynamo": (18, 21)}
"""Of each exporter."""


def dense():
    return torch.nn.Sequential(
        torch.nn.Linear(4, 6),
        torch.nn.BatchNorm1d(6, eps=2.0**-10),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(6, 4, bias=False),
        torch.nn.LeakyReLU(0.25),
        torch.nn.Linear(4, 3),
    )


class Image(torch.nn.Module):
    """Channels first; a sum of two branches, a slope, a mean."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 3, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(3, eps=2.0**-10)
        self.one = torch.nn.Conv2d(3, 3, 1)
        self.pool = torch.nn.MaxPool2d(2)
        self.mean = torch.nn.AvgPool2d(2)
        self.out = torch.nn.Linear(6, 2)

    def forward(self, values):
        values = torch.relu(self.norm(self.conv(values)))
        values = self.pool(values + self.one(values))
        return self.out(torch.flatten(self.mean(values), 1))


class Parts(torch.nn.Module):
    """The same layer for each of four particles, and their mean, kept as a step and not."""

    def __init__(self):
        super().__init__()
        self.phi, self.leaky = torch.nn.Linear(3, 4), torch.nn.LeakyReLU(0.25)
        self.rho = torch.nn.Linear(8, 2)

    def forward(self, values):
        each = torch.relu(self.phi(values))
        kept = torch.flatten(each.mean(dim=1, keepdim=True), 1)
        return self.rho(torch.cat([each.mean(dim=1), self.leaky(kept)], dim=1))


SHAPES = {dense: (4,), Image: (2, 4, 8), Parts: (4, 3)}


def quarters(random, shape, most=4):
    return torch.tensor(random.randint(-most, most + 1, tuple(shape)) / 4.0, dtype=torch.float32)


def fill(model, random):
    with torch.no_grad():
        for name, values in [*model.named_parameters(), *model.named_buffers()]:
            if "running_var" in name:
                values.fill_(0.25 - 2.0**-10)
            elif values.is_floating_point():
                values.copy_(quarters(random, values.shape))


def main(folder):
    warnings.simplefilter("ignore")
    random = np.random.RandomState(11)
    for build, shape in SHAPES.items():
        model = build().eval()
        fill(model, random)
        values = quarters(random, (EVENTS, *shape), 8)
        path = os.path.join(folder, "t" + build.__name__.lower())
        said = model(values).detach().numpy()
        np.savez_compressed(
            path + ".npz", x0=(values.numpy() * 4).astype(np.int8), y0=said, steps=np.float32(4)
        )
        for exporter, opsets in OPSETS.items():
            for opset in opsets:
                file = f"{path}_{exporter}{opset}.onnx"
                more = {"dynamo": exporter == "dynamo"}
                if exporter == "dynamo":
                    more |= {"external_data": False, "verbose": False}
                torch.onnx.export(
                    model, (values[:1],), file, opset_version=opset, input_names=["x"], **more
                )


if __name__ == "__main__":
    main(sys.argv[1])
