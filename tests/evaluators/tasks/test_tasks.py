"""Each built-in task equals an ordinary network, candidate by candidate, and can be learned."""

from functools import cache
from itertools import combinations, pairwise
from math import log, sqrt

import numpy as np
import pytest
import torch
from plain_networks import PLAIN
from torch import Tensor

from germline.evaluators.data.load import SPLITS, text
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.task import Split
from germline.evaluators.tasks.diamonds_mlp import DiamondsMLP
from germline.evaluators.tasks.digits_deep import DigitsDeep
from germline.evaluators.tasks.digits_mlp import DigitsMLP
from germline.evaluators.tasks.digits_small_batch import DigitsSmallBatch
from germline.evaluators.tasks.mnist5k_autoencoder import MNIST5kAutoencoder
from germline.evaluators.tasks.mnist5k_conv import MNIST5kConv
from germline.evaluators.tasks.mnist5k_noisy import MNIST5kNoisy, _with_noise
from germline.evaluators.tasks.text import ALPHABET, SEQUENCE, TextTask
from germline.evaluators.tasks.text_conv import TextConv
from germline.evaluators.tasks.text_gru import TextGRU
from germline.evaluators.tasks.text_transformer import TextTransformer
from germline.evaluators.tasks.text_transformer_deep import DeepTextTransformer

torch.set_num_threads(1)


@cache
def task(kind: type[TrainingTask]) -> TrainingTask:
    return kind()


def candidates(kind: type[TrainingTask], n: int, spread: float = 0.1) -> dict[str, Tensor]:
    """Parameters of n different candidates, as views into one `[n, P]` buffer: candidate i is the same for every n."""
    drawn = []
    for i in range(n):
        generator = torch.Generator().manual_seed(i)
        parts = [(spec.std + spread) * torch.randn(spec.size, generator=generator) for spec in kind.parameters]
        drawn.append(torch.cat(parts))
    views = torch.stack(drawn).split([spec.size for spec in kind.parameters], dim=1)
    return {
        spec.name: view.view(n, *spec.shape).requires_grad_() for spec, view in zip(kind.parameters, views, strict=True)
    }


def batch(kind: type[TrainingTask], size: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.randint(task(kind).size("train"), (size or kind.rungs[0].batch,), generator=generator)


def loss_and_gradients(kind: type[TrainingTask], params: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    loss = task(kind).loss(params, "train", batch(kind))
    gradients = torch.autograd.grad(loss.sum(), list(params.values()))
    return loss.detach(), dict(zip(params, gradients, strict=True))


TEXTS = [kind for kind in PLAIN if issubclass(kind, TextTask)]
CHANCE: dict[type[TrainingTask], float] = {MNIST5kAutoencoder: log(2), DiamondsMLP: 2.0}
"""Losses of guesses on the tasks without classes, which measure no accuracy: no preference between bright and dark, and
prices at random with the right variance."""
every_task = pytest.mark.parametrize("kind", PLAIN, ids=[kind.name for kind in PLAIN])


@every_task
@pytest.mark.parametrize("n", [1, 3, 10])
def test_loss_and_gradient_equal_an_ordinary_network_for_each_candidate(kind: type[TrainingTask], n: int) -> None:
    params = candidates(kind, n, spread=0.02)
    losses, gradients = loss_and_gradients(kind, params)
    assert losses.shape == (n,)
    for i in {0, n // 2, n - 1}:
        own = {name: tensor[i].detach().clone().requires_grad_() for name, tensor in params.items()}
        loss = PLAIN[kind](task(kind), own, batch(kind))
        torch.testing.assert_close(losses[i], loss.detach(), atol=1e-5, rtol=1e-5)
        expected = torch.autograd.grad(loss, list(own.values()))
        for name, gradient in zip(own, expected, strict=True):
            torch.testing.assert_close(gradients[name][i], gradient, atol=1e-5, rtol=1e-5, msg=name)


@every_task
@pytest.mark.parametrize("n", [1, 2, 9])
def test_a_candidate_scores_the_same_bits_in_any_pack(kind: type[TrainingTask], n: int) -> None:
    many_losses, many_gradients = loss_and_gradients(kind, candidates(kind, 20))
    losses, gradients = loss_and_gradients(kind, candidates(kind, n))
    assert torch.equal(losses, many_losses[:n])
    assert all(torch.equal(gradients[name], many_gradients[name][:n]) for name in gradients)


@every_task
def test_the_order_of_the_candidates_does_not_change_a_bit(kind: type[TrainingTask]) -> None:
    params = candidates(kind, 12)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    losses, gradients = loss_and_gradients(kind, params)
    reordered = {name: tensor.detach()[order].requires_grad_() for name, tensor in params.items()}
    other_losses, other_gradients = loss_and_gradients(kind, reordered)
    assert torch.equal(losses[order], other_losses)
    assert all(torch.equal(gradients[name][order], other_gradients[name]) for name in gradients)


@every_task
def test_a_candidate_that_diverged_does_not_change_the_others(kind: type[TrainingTask]) -> None:
    clean_losses, clean_gradients = loss_and_gradients(kind, candidates(kind, 4))
    params = candidates(kind, 4)
    with torch.no_grad():
        for tensor in params.values():
            tensor[1], tensor[2] = torch.nan, torch.inf
    losses, gradients = loss_and_gradients(kind, params)
    assert losses[1:3].isnan().all()
    assert torch.equal(losses[[0, 3]], clean_losses[[0, 3]])
    assert all(torch.equal(gradients[name][[0, 3]], clean_gradients[name][[0, 3]]) for name in gradients)


@every_task
@pytest.mark.parametrize("split", ["validation", "heldout"])
def test_an_untrained_model_is_as_good_as_guessing(kind: type[TrainingTask], split: Split) -> None:
    start = task(kind).start(torch.Generator().manual_seed(0))
    params = {name: tensor[None].expand(2, *tensor.shape) for name, tensor in start.items()}
    measured = task(kind).measure(params, split)
    assert all(values.shape == (2,) and not values.requires_grad for values in measured.values())
    chance = CHANCE.get(kind, log(len(ALPHABET) if issubclass(kind, TextTask) else 10))
    assert chance - 0.1 < measured["loss"][0] < chance + 0.4
    assert set(measured) == {"loss"} if kind in CHANCE else 0 <= measured["accuracy"][0] < 0.25


@pytest.mark.parametrize("kind", [kind for kind in PLAIN if kind not in TEXTS], ids=lambda kind: kind.name)
def test_measured_loss_is_the_mean_over_the_whole_split(kind: type[TrainingTask]) -> None:
    params = candidates(kind, 10)
    whole = torch.arange(task(kind).size("validation"))
    expected = task(kind).loss(params, "validation", whole).detach()
    torch.testing.assert_close(task(kind).measure(params, "validation")["loss"], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "rate", "steps", "below"),
    [
        (DigitsMLP, 0.3, 150, 0.6),
        (MNIST5kConv, 0.2, 100, 0.9),
        (TextTransformer, 0.3, 60, 2.95),
        (DeepTextTransformer, 0.3, 60, 2.95),
        (TextGRU, 1.0, 60, 3.0),
        (TextConv, 0.3, 60, 3.0),
        (MNIST5kAutoencoder, 1.0, 100, 0.3),
        (MNIST5kNoisy, 0.1, 150, 1.9),
        (DigitsSmallBatch, 0.03, 300, 1.0),
        (DiamondsMLP, 0.03, 50, 0.2),
        (DigitsDeep, 0.1, 150, 1.9),
    ],
)
def test_gradient_descent_learns(kind: type[TrainingTask], rate: float, steps: int, below: float) -> None:
    own, generator = task(kind), torch.Generator().manual_seed(0)
    params = {name: tensor[None].clone().requires_grad_() for name, tensor in own.start(generator).items()}
    before = own.measure(params, "validation")
    for _ in range(steps):
        index = torch.randint(own.size("train"), (kind.rungs[0].batch,), generator=generator)
        gradients = torch.autograd.grad(own.loss(params, "train", index).sum(), list(params.values()))
        with torch.no_grad():
            for tensor, gradient in zip(params.values(), gradients, strict=True):
                tensor -= rate * gradient
    after = own.measure(params, "validation")
    assert after["loss"][0] < below < before["loss"][0]
    assert kind in CHANCE or after["accuracy"][0] > before["accuracy"][0] + 0.1


@every_task
def test_rungs_are_ten_times_apart_and_parameter_names_are_unique(kind: type[TrainingTask]) -> None:
    steps = [rung.steps for rung in kind.rungs]
    assert all(later == 10 * earlier for earlier, later in pairwise(steps))
    names = [parameter.name for parameter in kind.parameters]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        (DigitsMLP, (1_197, 300, 300)),
        (MNIST5kConv, (3_500, 750, 750)),
        (MNIST5kAutoencoder, (3_500, 750, 750)),
        (MNIST5kNoisy, (3_500, 750, 750)),
        (DiamondsMLP, (6_000, 1_000, 1_000)),
        (TextTransformer, (3_882_201 - SEQUENCE, 213_184 - SEQUENCE, 208_056 - SEQUENCE)),
    ],
)
def test_each_split_has_its_own_examples(kind: type[TrainingTask], sizes: tuple[int, ...]) -> None:
    own, params, index = task(kind), candidates(kind, 1), torch.arange(16)
    assert tuple(own.size(split) for split in SPLITS) == sizes
    for one, other in combinations(SPLITS, 2):
        assert not torch.equal(own.loss(params, one, index), own.loss(params, other, index))


def test_the_last_window_of_a_text_fits() -> None:
    own = task(TextTransformer)
    last = torch.tensor([own.size("heldout") - 1])
    assert own.loss(candidates(TextTransformer, 2), "heldout", last).isfinite().all()


def test_the_alphabet_is_every_character_of_the_text() -> None:
    assert bytes(np.unique(text())).decode("ascii") == ALPHABET


@pytest.mark.parametrize("kind", TEXTS, ids=[kind.name for kind in TEXTS])
def test_a_model_of_text_cannot_see_the_character_it_predicts(kind: type[TextTask]) -> None:
    own = task(kind)
    assert isinstance(own, TextTask)
    params = candidates(kind, 2)
    seen = torch.arange(SEQUENCE)
    changed = seen.clone()
    changed[20] = 70
    before, after = own.logits(params, seen), own.logits(params, changed)
    assert torch.equal(before[..., :20], after[..., :20])
    assert (before[..., 20:] != after[..., 20:]).any(1).all()


def test_four_in_ten_training_labels_are_wrong_and_the_others_are_right() -> None:
    labels = torch.arange(3_500) % 10
    noisy = _with_noise(labels)
    wrong = noisy[noisy != labels]
    assert len(wrong) / len(labels) == pytest.approx(0.4, abs=0.02)
    assert wrong.unique().tolist() == list(range(10)) == noisy.unique().tolist()
    assert torch.equal(noisy, _with_noise(labels))


def test_weights_start_with_the_spread_they_declare() -> None:
    start = task(DigitsMLP).start(torch.Generator().manual_seed(0))
    assert start["hidden1.weight"].std().item() == pytest.approx(sqrt(2 / 64), rel=0.1)
    assert not start["hidden1.bias"].any()
