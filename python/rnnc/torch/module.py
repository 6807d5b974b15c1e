"""A recipe as a module of PyTorch."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Optional, Union

import torch
from torch import Tensor, nn

import rnnc

from . import arguments, errors, ops
from .program import Program, Spec, program, shape_text
from .states import Given, States


def load(path: Union[str, os.PathLike], recipe: str, **options) -> Module:
    """A module of a recipe over the items of a file, such as ``load("cell.rnn", "MyCell", I=3, H=4)``.

    The arguments are those of `Module`.
    """
    return Module(recipe, library=rnnc.Library.file(path), **options)


class Module(nn.Module):
    """A recurrent cell, layer or model written as equations, with the calling conventions of ``torch.nn.LSTM``.

    Args:
        recipe: what to make, as the language writes it: ``LSTM(3, 4)``, ``Stack(2, Bi(GRU(_, 8)))``, or the name alone, with its static
            parameters as keywords: ``Module("LSTM", I=3, H=4)``.
        text: a program with items of your own, which are there beside those of the standard library.
        batch_first: tensors over a domain have the batch first, ``[batch, steps, …]``, in place of ``[steps, batch, …]``.
        seed: what parameters are drawn from, a whole number; left out, it is drawn from PyTorch's own generator, so that
            ``torch.manual_seed`` decides.
        threads: threads that a call is shared out to, as far as it is worth it. They are the module's own; ``torch.set_num_threads``
            does not count here. No number of them changes a bit of the results.
        outputs: outputs or states (``h``, ``l1.c``) to give, in place of those that the text declares.
        fixed: parameters that are not trained: they are buffers.
        given: initial states (``h0``) that calls give although the text computes them.
        reproducible: the same bits on every computer.
        dims: static parameters whose names are also those of arguments here.
        library: loaded programs, in place of a text.

    The parameters are those of the equations, under their names there: ``W_f``, ``l1.fw.U_o``. They are initialised as they are declared.
    """

    def __init__(
        self,
        recipe: str,
        text: Optional[str] = None,
        *,
        batch_first: bool = False,
        seed: Optional[int] = None,
        threads: int = 1,
        outputs: Optional[Sequence[str]] = None,
        fixed: Sequence[str] = (),
        given: Sequence[str] = (),
        reproducible: bool = False,
        dims: Optional[Mapping[str, object]] = None,
        library: Optional[rnnc.Library] = None,
        **statics,
    ):
        super().__init__()
        if text is not None and library is not None:
            raise TypeError("give a text or a library, not both")
        if text is not None:
            library = rnnc.Library.text(text)
        recipe, numbers = _with_statics(recipe, {**(dims or {}), **statics})
        spec = Spec(
            recipe=recipe,
            texts=_texts(library),
            dims=numbers,
            given=tuple(given),
            threads=int(threads),
            reproducible=bool(reproducible),
        )
        self.batch_first = batch_first
        self._evaluation, self._training, self._heads = _programs(spec, outputs)
        self._states = States(self._evaluation)
        self._ports = {port.name: port for port in self._evaluation.outputs}
        self._refuse_clashes()
        self._names = [port.name for port in self._evaluation.params]
        self._places = self._own(set(fixed))
        self.reset_parameters(seed)

    def _refuse_clashes(self) -> None:
        for port in self._evaluation.inputs:
            if port.name in ("states", "lengths", "children"):
                raise errors.InputError(f"an input called `{port.name}` cannot be given to a module; rename it in the equations")

    def _own(self, fixed: set[str]) -> list[tuple[nn.Module, str]]:
        """Makes room for the parameters, in a module for each part of their names; says where each one is."""
        places = []
        strange = fixed.difference(port.name for port in self._evaluation.params)
        if strange:
            raise errors.InputError(f"there is no parameter `{min(strange)}`")
        for port in self._evaluation.params:
            *path, leaf = port.name.split(".")
            owner: nn.Module = self
            for part in path:
                # Not by attribute: a part may be called like a method of modules.
                owner = owner._modules.setdefault(part, Part())
            empty = torch.empty(port.extents, dtype=torch.float32, device="cpu")
            if port.name in fixed:
                owner._buffers[leaf] = empty
            else:
                owner._parameters[leaf] = nn.Parameter(empty)
            places.append((owner, leaf))
        return places

    @torch.no_grad()
    def reset_parameters(self, seed: Optional[int] = None) -> None:
        """Draws all parameters anew, as they are declared. The same seed gives the same numbers everywhere."""
        if seed is None:
            seed = int(torch.randint(0, 2**62, (), device="cpu"))
        drawn = self._evaluation.compiled(None).init(seed)
        for name, tensor in zip(self._names, self._weights()):
            tensor.copy_(torch.from_numpy(drawn[name]))

    def _weights(self) -> list[Tensor]:
        """Parameters in the order of the program."""
        return [_weight(owner, leaf) for owner, leaf in self._places]

    def forward(self, input=None, /, states: Given = None, *, lengths=None, children=None, **inputs):
        """Runs the equations.

        Args:
            input: the first input, ``[steps, batch, …]`` (``[batch, steps, …]`` with ``batch_first``), without a batch ``[steps, …]``, or a
                ``PackedSequence``. Over a grid ``[rows, columns, batch, …]``, one per example ``[batch, …]``.
            states: initial states, in the form in which a call gives the last ones, ``[parts, batch, H]`` each; or by name, in a
                dict, ``[batch, H]`` each. Those that are not given are as declared.
            lengths: true lengths of the examples, ``[batch]``, over a grid ``[batch, axes]``; several in a dict by extents.
            children: trees, ``[batch, nodes, edges]``; -1 where there is no child.
            inputs: the inputs by their names in the equations.

        Returns:
            ``(output, states)``. If several outputs are declared, or a loss is, `output` is a dict of them. Losses and metrics
            are means over the batch. What lies beyond an example's length is zero. A state that runs backwards, over a grid
            or a tree has no last value; without any, `states` is ``None``.
        """
        now = self._training if self.training else self._evaluation
        if input is not None:
            if not now.inputs:
                raise TypeError("there is no input here; give states by states=…")
            inputs[now.inputs[0].name] = input
        taken, how = arguments.inputs(now.inputs, inputs, self.batch_first)
        taken.update(self._states.take(states, how.batched))
        taken.update(arguments.lengths(now.inputs, lengths, how))
        taken.update(arguments.children(now.inputs, children, how))
        taken.update(zip(self._names, self._weights()))
        tensors = [taken.get(slot.name) for slot in now.slots]
        _on_cpu(now, tensors)
        tensors.append(torch.randint(0, 2**62, (1,), device="cpu") if now.spec.training else None)
        results = ops.call(now, tensors)
        return self._output(results, how), self._states.give(results, isinstance(states, Mapping), how.batched)

    def _output(self, results: dict[str, Tensor], how: arguments.Arrangement):
        given = {name: how.give(self._ports[name], results[name]) for name in self._heads if not _is_measure(name)}
        for name in self._heads:
            if _is_measure(name):
                given[name] = results[name].mean()
        return next(iter(given.values())) if len(self._heads) == 1 and not _is_measure(self._heads[0]) else given

    def flatten_parameters(self) -> None:
        """Does nothing, as there is nothing to flatten: for scripts that were written for ``torch.nn.LSTM``."""

    @property
    def recipe(self) -> rnnc.Recipe:
        """The equations, to read: ``equations()``, ``gradient()``, shapes."""
        return self._evaluation.recipe

    @property
    def state_names(self) -> list[list[str]]:
        """What the parts of each of the `states` are called in the equations."""
        return self._states.names()

    def load_torch_state_dict(self, state: Mapping[str, Tensor], layout: str = "torch", *, allow_nan: bool = False) -> None:
        """Takes the weights of a module of PyTorch, such as ``torch.nn.LSTM(…).state_dict()``.

        How they are arranged says the ``layout`` block of that name for the cell. Numbers that are not finite are refused unless
        ``allow_nan``.
        """
        arrays = {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in state.items()}
        with errors.refusals():
            ours = self._evaluation.compiled(None).import_weights(arrays, layout, allow_nan=allow_nan)
        with torch.no_grad():
            for name, tensor in zip(self._names, self._weights()):
                tensor.copy_(torch.from_numpy(ours[name]))

    def to_torch_state_dict(self, layout: str = "torch") -> dict[str, Tensor]:
        """The weights as a module of PyTorch takes them by ``load_state_dict``."""
        ours = {name: t.detach().float().contiguous().numpy() for name, t in zip(self._names, self._weights())}
        with errors.refusals():
            arrays = self._evaluation.compiled(None).export_weights(ours, layout)
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def extra_repr(self) -> str:
        now = self._evaluation
        ins = ", ".join(f"{port.name} {shape_text(port, batch_first=self.batch_first)}" for port in now.inputs)
        outs = ", ".join(f"{name} {shape_text(self._ports[name], batch_first=self.batch_first)}" for name in self._heads)
        lines = [now.recipe.name, f"{ins} -> {outs}"]
        if self._states.groups:
            lines.append("states: " + ", ".join(f"{group.name} {group.shape_text(True)}" for group in self._states.groups))
        return "\n".join(lines)


class Part(nn.Module):
    """Parameters of a part of a recipe, such as ``l1`` of a stack."""

    def forward(self):
        raise NotImplementedError("a part of a recipe runs with the whole; make a module of the part's own recipe")


def _weight(owner: nn.Module, leaf: str) -> Tensor:
    # Not by attribute: a parameter may be called like a method of modules.
    found = owner._parameters.get(leaf)
    if found is None:
        found = owner._buffers.get(leaf)
    # `torch.nn.utils.parametrize` puts an attribute in its place.
    return getattr(owner, leaf) if found is None else found


def _programs(spec: Spec, outputs: Optional[Sequence[str]]) -> tuple[Program, Program, list[str]]:
    """Programs for evaluation and for training, and the outputs that calls give."""
    with errors.refusals():
        recipe = spec.build()
        names = [port.name for port in recipe.outputs]
        heads = list(outputs) if outputs is not None else _heads(recipe, names)
        lasts = [f"{port.state}_last" for port in recipe.initial]
        wanted = tuple(dict.fromkeys([*heads, *(last for last in lasts if last in names)]))
        spec = replace(spec, outputs=wanted)
        evaluation = program(spec)
        # Noise is its mean in evaluation. Where there is none, training is the same program.
        noisy = replace(spec, training=True)
        training = program(noisy) if noisy.build().noise else evaluation
    return evaluation, training, heads


def _heads(recipe: rnnc.Recipe, names: list[str]) -> list[str]:
    """Declared outputs; of a model its loss and metrics too."""
    heads = [name for name in names if name in recipe.declared or _is_measure(name)]
    # A text without an `out` of its own has the outputs of the cells it applies.
    return heads or [name for name in names if not name.endswith("_last")]


def _is_measure(name: str) -> bool:
    return name == "loss" or name.startswith("metric.")


def _with_statics(recipe: str, statics: Mapping[str, object]) -> tuple[str, tuple[tuple[str, int], ...]]:
    """A bare name takes its static parameters as arguments; a recipe numbers for the dimensions that it leaves open."""
    if not statics:
        return recipe, ()
    if re.fullmatch(r"\s*[^\W\d][\w']*\s*", recipe):
        written = ", ".join(f"{name} = {_written(name, value)}" for name, value in statics.items())
        return f"{recipe.strip()}({written})", ()
    for name, value in statics.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"`{name}` of {recipe} is {value!r}; a recipe with arguments takes numbers for dimensions that it leaves open")
    return recipe, tuple(sorted(statics.items()))


def _written(name: str, value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_written(name, part) for part in value)}]"
    raise TypeError(f"`{name}` is {value!r}; static parameters are numbers, True or False, lists of these, or text of the language")


def _on_cpu(now: Program, tensors) -> None:
    for slot, tensor in zip(now.slots, tensors):
        if tensor is not None and not tensor.is_cpu:
            raise errors.InputError(
                f"`{slot.name}` is on {tensor.device}, but rnnc computes on the CPU: module.cpu() and {slot.name}.cpu()"
                if tensor.device.type != "meta"
                else f"`{slot.name}` is on the meta device and has no numbers: module.to_empty(device='cpu'), then reset_parameters()"
            )


def _texts(library: Optional[rnnc.Library]) -> tuple[tuple[str, str, bool], ...]:
    """The texts of a library, with those of the files that it uses: a module needs no file when it is loaded elsewhere."""
    if library is None:
        return ()
    _, (texts,) = library.__reduce__()
    return tuple(map(tuple, texts))
