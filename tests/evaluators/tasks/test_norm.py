import pytest
import torch
import torch.nn.functional as F

from germline.evaluators.tasks.norm import EPSILON, layer_norm, layer_norm_of_torch

either = pytest.mark.parametrize("form", [layer_norm, layer_norm_of_torch], ids=["compiled", "torch"])


def inputs(candidates: int = 5, positions: int = 33, width: int = 24) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    stream = 2 + 3 * torch.randn(candidates, positions, width, generator=generator)
    # As in training: a column of a wider buffer, so that rows are far apart.
    columns = torch.randn(candidates, 3 * width, generator=generator)
    return [stream, columns[:, :width], columns[:, width : 2 * width]]


def run(stream: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor, form=layer_norm) -> list[torch.Tensor]:
    leaves = [tensor.detach().requires_grad_() for tensor in (stream, scale, bias)]
    normed = form(*leaves)
    return [normed.detach(), *torch.autograd.grad(normed.pow(3).sum(), leaves)]


@either
def test_layer_norm_equals_torchs_in_double_precision_up_to_rounding(form):
    stream, scale, bias = (tensor.double().requires_grad_() for tensor in inputs())
    normed = F.layer_norm(stream, stream.shape[-1:], eps=EPSILON) * (1 + scale[:, None]) + bias[:, None]
    exact = [normed, *torch.autograd.grad(normed.pow(3).sum(), (stream, scale, bias))]
    for got, wanted in zip(run(*inputs(), form), exact, strict=True):
        torch.testing.assert_close(
            got.double(), wanted.detach(), rtol=2e-5, atol=2e-5 * float(wanted.detach().abs().max())
        )


def test_a_candidate_gets_the_same_bits_in_any_pack():
    together = run(*inputs())
    for n in range(5):
        alone = run(*(tensor[n : n + 1] for tensor in inputs()))
        assert all(torch.equal(one[0], all_[n]) for one, all_ in zip(alone, together, strict=True))


@either
def test_a_value_that_is_not_finite_does_not_reach_other_candidates(form):
    stream, scale, bias = inputs()
    healthy = run(stream, scale, bias, form)
    stream[1, 2, 3] = torch.inf
    stream[2, 0, 0] = torch.nan
    found = run(stream, scale, bias, form)
    for n in range(5):
        same = all(torch.equal(a[n], b[n]) for a, b in zip(found, healthy, strict=True))
        assert same == (n not in (1, 2))
    assert not found[0][1, 2].isfinite().any()
    assert not found[0][2, 0].isfinite().any()


@either
def test_an_overflow_becomes_nan(form):
    """On every device, so that a candidate that diverges on a CPU diverges on a GPU too."""
    stream, scale, bias = inputs()
    stream[1, 2] *= 1e20
    found = run(stream, scale, bias, form)
    assert found[0][1, 2].isnan().all()
    assert found[1][1, 2].isnan().all()
    assert found[0][1, 3].isfinite().all()


def test_wrong_shapes_are_refused():
    stream, scale, bias = inputs()
    with pytest.raises(ValueError, match=r"expected scale and bias of shape \(5, 24\), got \(1, 24\) and \(5, 24\)"):
        layer_norm(stream, scale[:1], bias)
