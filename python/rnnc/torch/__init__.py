"""Cells written as equations, as modules of PyTorch.

>>> import torch, rnnc.torch
>>> lstm = rnnc.torch.Module("LSTM(3, 4)")
>>> out, (h, c) = lstm(torch.randn(10, 2, 3))      # 10 steps, 2 examples
>>> out.shape, h.shape
(torch.Size([10, 2, 4]), torch.Size([1, 2, 4]))
>>> out.sum().backward()
>>> lstm.W_f.grad.shape
torch.Size([4, 3])

`Module` takes a recipe over the standard library or a text, `load` one over a file. Both passes are rnnc's kernels, behind operators of
PyTorch's dispatcher; the module works with autograd, optimisers, ``torch.compile``, ``copy.deepcopy`` and pickle as any other.
"""

from .errors import ElementError, InputError, RunError
from .module import Module, load

__all__ = ["ElementError", "InputError", "Module", "RunError", "load"]
