"""Devices: which is used, how exactly it computes, and errors that say that it has no memory left."""

from collections.abc import Iterator

import pytest
import torch

from germline.evaluators.device import NoDevice, compute_exactly, lost, resolve
from germline.evaluators.memory import out_of_memory


@pytest.fixture
def torch_settings() -> Iterator[None]:
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.allow_tf32
    yield
    cudnn.deterministic, cudnn.allow_tf32 = before


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(NoDevice, match="expected a device out of auto, cpu, cuda"):
        resolve("tpu")
    assert resolve("cpu") == "cpu"


def test_a_gpu_gets_the_same_bits_again_and_full_precision(torch_settings: None) -> None:
    compute_exactly("cpu")
    assert not torch.backends.cudnn.deterministic and torch.backends.cudnn.allow_tf32
    compute_exactly("cuda")
    assert torch.backends.cudnn.deterministic and not torch.backends.cudnn.allow_tf32


def test_a_cpu_cannot_be_lost() -> None:
    assert lost("cpu") is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_cannot_be_used() -> None:
    cause = lost("cuda")
    assert cause is not None and "\n" not in cause


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        torch.cuda.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        RuntimeError("Triton Error [CUDA]: out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_exhausted_memory_is_recognised(error: BaseException) -> None:
    assert out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: device-side assert triggered"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        ValueError("out of memory"),
    ],
)
def test_other_errors_are_not_exhausted_memory(error: BaseException) -> None:
    assert not out_of_memory(error)
