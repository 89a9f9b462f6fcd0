"""A pretended accelerator: the device "pretend", to which tensors and networks move as to "cuda".

It shows without a GPU what a GPU would show: an operation that mixes tensors of two devices, a
tensor made on the wrong one, and every time the host waits for the device. A tensor on it is an
ordinary `Tensor`. Its storage stands for memory that the host cannot read, and keeps its *twin*,
the storage on the CPU on which operations compute. So the numbers are the CPU's, bit for bit.

As on CUDA:
    * an operation takes tensors of one device, and besides them numbers (CPU tensors without a
      dimension, but not as an index of `gather` or `index_select`) and CPU tensors that index, as
      in `x[i]`, which it copies;
    * random numbers of the device are not those of the CPU, and a generator of the CPU is refused;
    * `Tensor.numpy` fails.

Not shown: that kernels of a GPU add in another order, run later than they are called, or lack a
dtype.

Import it before the first backward pass of the process: autograd counts the devices only then, and
takes one kind. So these tests are skipped where there is a GPU.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

if torch.cuda.is_available():
    pytest.skip("autograd knows one accelerator, and a real one is here", allow_module_level=True)

ROOT = Path(__file__).parents[1]
CPU = torch.device("cpu")
aten = torch.ops.aten


@dataclass
class Traffic:
    """The waits of the host for the device: each one's place in the project, and its operation.

    Attributes:
        reads: numbers that the host waited for: copies, `item`, shapes that depend on values.
        writes: copies to the device, which wait until the host's memory has been read.
    """

    reads: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)


_counting: list[Traffic] = []


@contextmanager
def traffic() -> Iterator[Traffic]:
    """The waits while the block runs.

    Example:
        >>> with traffic() as found:
        ...     torch.ones(3, device="pretend").sum().item()
        >>> len(found.reads), len(found.writes)
        (1, 0)
    """
    found = Traffic()
    _counting.append(found)
    try:
        yield found
    finally:
        _counting.remove(found)


def _wait(kind: str, op) -> None:
    for found in _counting:
        getattr(found, kind).append(f"{_place()} {op}")


def _place() -> str:
    """The innermost line of the project, outside this file, that is running."""
    frame = sys._getframe(1)
    while frame:
        path = frame.f_code.co_filename
        if path.startswith(str(ROOT)) and path != __file__:
            return f"{Path(path).relative_to(ROOT)}:{frame.f_lineno}"
        frame = frame.f_back
    return "backward pass"  # it runs in a thread of autograd's


# --------------------------------------------------------------------------------------- operations


def _compute(op, *args, **kwargs):
    """An operation with tensors on the device, or one that makes some there."""
    given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
    _check_devices(op, given, args)
    _count(op, args, kwargs)
    ours, storages = {}, {}  # by the identity of twins, and of the twins' storages

    def twin(t: Tensor) -> Tensor:
        if t.device == CPU:
            return t
        found = _twin(t)
        ours[id(found)] = storages[found.untyped_storage()._cdata] = t
        return found

    def there(t: Tensor) -> Tensor:
        found = ours.get(id(t))
        if found is None:
            return _there(t, storages.get(t.untyped_storage()._cdata))
        if (t.shape, t.stride()) != (found.shape, found.stride()):  # reshaped in place
            found.data = _there(t, found)
        return found

    args, kwargs = tree_map_only(Tensor, twin, (args, kwargs))
    # torch hands over a number in a tensor's place, as in `t % 2`, as a number
    args = tuple(
        torch.tensor(value, dtype=torch.float64 if isinstance(value, float) else None)
        if isinstance(value, int | float) and str(of.type) == "Tensor"
        else value
        for value, of in zip(args, op._schema.arguments)
    )
    if "device" in kwargs:
        kwargs["device"] = CPU
    if torch.Tag.nondeterministic_seeded in op.tags:
        out = _random(op, *args, **kwargs)
    else:
        out = op(*args, **kwargs)
    return tree_map_only(Tensor, there, out)


def _twin(t: Tensor) -> Tensor:
    """The tensor on the CPU that has the numbers of a tensor on the device."""
    here = torch.empty(0, dtype=t.dtype)
    return here.set_(t.untyped_storage().twin, t.storage_offset(), t.shape, t.stride())


def _there(twin: Tensor, view_of: Tensor | None = None) -> Tensor:
    """The tensor on the device that has this twin; it may share the storage of another one."""
    base = view_of
    if base is None:
        base = torch._C._acc.create_empty_tensor([0], twin.dtype)
        base.untyped_storage().twin = twin.untyped_storage()
    assert base.dtype == twin.dtype, "a view in another dtype is not pretended"
    offset = twin.storage_offset() - base.storage_offset()
    shaped = torch._C._dynamo.guards._reinterpret_tensor
    return shaped(base, twin.shape, twin.stride(), offset)


def _check_devices(op, given: list[Tensor], args: tuple) -> None:
    """Raises an error where an operation on CUDA would, if tensors are of two devices."""
    indices = tree_leaves(args[1]) if op.overloadpacket in _INDEXING else ()
    named = dict(zip((argument.name for argument in op._schema.arguments), args))
    for t in given:
        number = t.ndim == 0 and t is not named.get("index")
        if t.device == CPU and not number and not any(t is i for i in indices):
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"pretend:0 and cpu! ({op})"
            )


_PUTTING = {aten.index_put, aten.index_put_, aten._index_put_impl_}
_INDEXING = {aten.index, *_PUTTING}


def _count(op, args: tuple, kwargs: dict) -> None:
    if op.overloadpacket in _PUTTING:
        indices = [t for t in tree_leaves(args[1]) if isinstance(t, Tensor)]
        if len(indices) == 1 and args[2].numel() == 1:
            return  # filled, as by a mask
        for t in indices:
            if t.device == CPU:
                _wait("writes", op)
            elif t.dtype == torch.bool:  # it becomes indices, whose number is read
                _wait("reads", op)
    elif op.overloadpacket is aten.index:
        pass  # here torch has already turned masks into indices, and moved those of the CPU
    elif _READS & set(op.tags) and kwargs.get("output_size") is None:
        _wait("reads", op)


_READS = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}

_state = torch.Generator().manual_seed(2**31).get_state()


def _random(op, *args, **kwargs):
    """A random operation with the device's own numbers."""
    global _state
    if kwargs.pop("generator", None) is not None:
        raise RuntimeError("Expected a 'pretend' device type for generator but found 'cpu'")
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(_state)
        out = op(*args, **kwargs)
        _state = torch.get_rng_state()
    return out


def _copy(source: Tensor, to: Tensor, non_blocking: bool = False) -> Tensor:
    if CPU in (source.device, to.device):
        _wait("reads" if to.device == CPU else "writes", aten._copy_from)
    here, there = (t if t.device == CPU else _twin(t) for t in (source, to))
    there.copy_(here)
    return to


# Every operation has `_compute` as its kernel, unless torch would make it of others where a device
# has no kernel of its own. The CPU has its own, so its numbers would be others.


def _convolution(x, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    shape = stride, padding, dilation, transposed, output_padding, groups
    return _compute(aten.convolution.default, x, weight, bias, *shape)


def _convolution_backward(
    g, x, weight, stride, padding, dilation, transposed, output_padding, groups, mask
):
    shape = stride, padding, dilation, transposed, output_padding, groups
    biases = [g.shape[1]]
    return _compute(aten.convolution_backward.default, g, x, weight, biases, *shape, mask)


class _Module(_DummyBackendModule):
    """What `torch.pretend` has."""

    def is_available(self) -> bool:
        """No, for those who ask for any accelerator, as `DataParallel` does."""
        return False

    def synchronize(self, device=None) -> None:
        _wait("reads", "synchronize")


_setup_privateuseone_for_python_backend("pretend", _Module())
_all, _some = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
_all.fallback(_compute, "PrivateUse1")
_some.impl("_copy_from", _copy, "PrivateUse1")
_some.impl("convolution_overrideable", _convolution, "PrivateUse1")
_some.impl("convolution_backward_overrideable", _convolution_backward, "PrivateUse1")
# torch's own would check the size of the storage, which is empty.
_some.impl("as_strided_", partial(_compute, aten.as_strided_.default), "PrivateUse1")
_has = torch._C._dispatch_has_kernel_for_dispatch_key
for _name in torch._C._dispatch_get_all_op_names():
    _composite = any(_has(_name, f"Composite{kind}Autograd") for kind in ("Explicit", "Implicit"))
    if _name.startswith("aten::") and _composite and _has(_name, "CPU"):
        _packet, _, _overload = _name.removeprefix("aten::").partition(".")
        _op = getattr(getattr(aten, _packet), _overload or "default")
        _some.impl(_op, partial(_compute, _op), "PrivateUse1")


_deepcopy = Tensor.__deepcopy__


def _copied(t: Tensor, memo: dict) -> Tensor:
    """`Tensor.__deepcopy__`, which would copy the storage, and so not its twin."""
    return memo.setdefault(id(t), t.clone()) if t.device.type == "pretend" else _deepcopy(t, memo)


Tensor.__deepcopy__ = _copied
