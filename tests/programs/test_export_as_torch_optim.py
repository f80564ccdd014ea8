"""Exports behave as the documentation of torch.optim.Optimizer says.

Every program of the library is exported, verified and compared with the interpreter in `test_export.py`. What all
classes inherit or share is tested here on one program of each family of generated code.
"""

import copy
import importlib.util
import inspect
import io
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.optim import Optimizer, lr_scheduler
from torch.optim import optimizer as torch_optimizer

from germline.programs.export.origin import Origin
from germline.programs.optimizer import library, parse
from germline.programs.optimizer.export import export_torch

pytestmark = pytest.mark.slow

LIBRARY = sorted(library())
FAMILIES = ("adafactor", "adamw", "hypergradient", "lars", "lion_raw", "muon", "schedule_free", "soap", "stable_spam")
"""A program of each family of generated code: states of rows and columns, of elements with a step count, a number of
all parameters with a state between steps, sizes of each tensor without a step count, a clip of all parameters by the
schedule, matrices beside elements, a read-out, matrices as states, and states of a tensor with a period."""
COMPILED = ("adafactor", "adamw", "muon", "stable_spam")
"""The families that keep a tensor, a number or a step count for the compiler to guard."""
WHOLE = {"hypergradient", "lion_raw", "stable_spam"}
"""Programs of these that look at all parameters at once."""
MATRIX = {"adafactor", "muon", "soap"}
"""Programs of these that look at rows and columns."""
SHAPES = ((), (4,), (3, 5))

Make = Callable[..., Optimizer]


@pytest.fixture(scope="module")
def makers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Make]]:
    """The exported class of each program, each in a module that can be imported by name."""
    folder: Path = tmp_path_factory.mktemp("exports")
    classes = {}
    for name in LIBRARY:
        module_name = f"germline_export_of_{name}"
        path = folder / f"{module_name}.py"
        source = export_torch(parse(library()[name]), Origin(None, None, "0" * 24, None, None), "Found")
        path.write_text(source, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(module_name, path)
        assert spec is not None and spec.loader is not None
        module = sys.modules[module_name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        classes[name] = module.Found
    yield classes
    for name in LIBRARY:
        del sys.modules[f"germline_export_of_{name}"]


@pytest.fixture(params=FAMILIES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(makers: dict[str, Make], name: str) -> Make:
    return makers[name]


def parameters(dtype: torch.dtype = torch.float32, seed: int = 0) -> list[Tensor]:
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=random).to(dtype).requires_grad_() for shape in SHAPES]


def train(optimizer: Optimizer, params: list[Tensor], steps: range, sign: float = 1.0) -> None:
    for step in steps:
        for p, g in zip(params, parameters(seed=100 + step), strict=True):
            p.grad = sign * g.detach().to(p.dtype)
        optimizer.step()


def same(first: list[Tensor], second: list[Tensor], tolerance: float = 0.0) -> bool:
    return all(
        torch.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True) for a, b in zip(first, second, strict=True)
    )


def states(optimizer: Optimizer, p: Tensor) -> dict[str, Tensor]:
    return {key: value for key, value in optimizer.state[p].items() if key != "step"}


# Constructors.


def test_adamw_and_sgd_have_the_signatures_of_torch(makers: dict[str, Make]) -> None:
    options = {"foreach": None, "maximize": False, "capturable": False, "differentiable": False}
    for name, expected in {
        "adamw": {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01},
        "adam": {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-8},
        "adabelief": {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-16},
        "lamb": {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-6, "weight_decay": 0.01},
        "lion": {"lr": 0.0001, "betas": (0.9, 0.99)},
        "rmsprop": {"lr": 0.01, "alpha": 0.99, "eps": 1e-8},
        "sgd_momentum": {"lr": 0.01, "momentum": 0.9},
        "lars": {"lr": 1.0, "momentum": 0.9, "weight_decay": 0.0005, "trust_coefficient": 0.001},
        "adafactor": {"lr": 0.01, "beta2_decay": -0.8, "min_scale": 0.001},
        "adagrad_norm": {"lr": 1.0, "initial_accumulator_value": 0.0001},
        "hypergradient": {"lr": 0.01, "min_alpha": 0.2, "max_alpha": 5.0},
        "lion_raw": {"lr": 0.0002, "momentum": 0.899, "eps": 1e-8, "weight_decay": 0.4602, "beta2": 1.109},
        "muon": {"lr": 0.02, "betas": (0.9, 0.999), "momentum": 0.95, "eps": 1e-8, "adam_scale": 0.05},
        "stable_spam": {
            "lr": 0.001,
            "betas": (0.9, 0.999),
            "gamma1": 0.7,
            "gamma2": 0.9,
            "theta": 0.999,
            "eps": 1e-8,
            "period": 1000,
        },
        "adagrad": {"lr": 0.01, "eps": 1e-10},
        "adopt": {"lr": 0.001, "betas": (0.9, 0.9999), "eps": 1e-6},
        "c_adamw": {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01},
        "c_lion": {"lr": 0.0001, "betas": (0.9, 0.99)},
        "cwd_adamw": {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01},
        "grams": {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01},
        "nadamw": {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01},
        "schedule_free": {"lr": 0.1, "momentum": 0.9},
        "ademamix": {
            "lr": 0.001,
            "betas": (0.9, 0.999, 0.9999),
            "eps": 1e-8,
            "weight_decay": 0.01,
            "alpha": 5.0,
        },
        "mars": {"lr": 0.003, "betas": (0.95, 0.99), "eps": 1e-8, "weight_decay": 0.01, "change_scale": 0.475},
        "muonh": {"lr": 0.02, "betas": (0.95, 0.999), "eps": 1e-8, "adam_scale": 0.05},
        "normuon": {"lr": 0.001, "betas": (0.95, 0.95), "eps": 1e-8, "weight_decay": 0.01, "muon_scale": 0.2},
        "prodigy": {
            "lr": 1.0,
            "betas": (0.9, 0.999, 0.999499874937461),
            "gamma": 0.999499874937461,
            "eps": 1e-8,
            "d0": 1e-6,
        },
    }.items():
        signature = inspect.signature(makers[name]).parameters
        assert {key: value.default for key, value in list(signature.items())[1:]} == {**expected, **options}
        assert all(signature[key].kind is inspect.Parameter.KEYWORD_ONLY for key in options)


def test_no_export_has_a_number_as_an_argument_that_nobody_would_tune(makers: dict[str, Make]) -> None:
    for name, make in makers.items():
        defaults = [value.default for value in list(inspect.signature(make).parameters.values())[1:]]
        assert not {0.0, -1.0} & {value for value in defaults if type(value) is float}, name


def test_a_decay_moves_its_bias_correction_too(makers: dict[str, Make]) -> None:
    ours, theirs = parameters(), parameters()
    train(makers["adamw"](ours, betas=(0.5, 0.7)), ours, range(5))
    train(torch.optim.AdamW(theirs, betas=(0.5, 0.7)), theirs, range(5))
    assert same(ours, theirs, 1e-6)


def test_exports_equal_the_optimizers_of_torch(makers: dict[str, Make]) -> None:
    pairs: dict[str, Make] = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "adagrad": torch.optim.Adagrad,
        "rmsprop": torch.optim.RMSprop,
        "sgd_momentum": lambda params: torch.optim.SGD(params, 0.01, momentum=0.9),
    }
    for name, reference in pairs.items():
        ours, theirs = parameters(torch.float64), parameters(torch.float64)
        train(makers[name](ours), ours, range(10))
        train(reference(theirs), theirs, range(10))
        assert same(ours, theirs, 1e-12), name


def test_differentiable_is_refused(make: Make) -> None:
    with pytest.raises(RuntimeError, match=r"^Found does not support differentiable=True$"):
        make(parameters(), differentiable=True)


def test_a_learning_rate_below_zero_or_of_two_elements_is_refused(make: Make) -> None:
    with pytest.raises(ValueError, match=r"^Invalid learning rate: -1\.0$"):
        make(parameters(), lr=-1.0)
    with pytest.raises(ValueError, match=r"^Tensor lr must be 1-element$"):
        make(parameters(), lr=torch.ones(2))
    with pytest.raises(ValueError, match=r"^lr as a Tensor is not supported for capturable=False and foreach=True$"):
        make(parameters(), lr=torch.tensor(0.1), foreach=True)


def test_numpy_and_tensor_learning_rates_act_as_the_number_does(make: Make) -> None:
    plain = parameters()
    train(make(plain, lr=0.25), plain, range(3))
    for rate in (np.float64(0.25), np.float32(0.25), torch.tensor(0.25), torch.tensor([0.25])):
        params = parameters()
        train(make(params, lr=rate), params, range(3))
        assert same(plain, params, 1e-5), rate


# Groups.


def test_groups_have_their_own_options(make: Make) -> None:
    first, second, alone = parameters(), parameters(), parameters()
    optimizer = make([{"params": first}, {"params": second, "lr": 0.0}])
    train(optimizer, first + second, range(0))
    for step in range(3):
        for p, g in zip(first + second, parameters(seed=100 + step) * 2, strict=True):
            p.grad = g.detach()
        optimizer.step()
    train(make(alone), alone, range(3))
    assert same(first, alone)
    assert not same(first, second)
    assert optimizer.param_groups[1]["lr"] == 0.0


def test_groups_are_added_later(make: Make) -> None:
    params = parameters()
    optimizer = make(params[:1])
    optimizer.add_param_group({"params": params[1:], "lr": 0.5})
    before = [p.detach().clone() for p in params]
    train(optimizer, params, range(1))
    assert not any(map(torch.equal, params, before))
    with pytest.raises(ValueError, match="more than one parameter group"):
        optimizer.add_param_group({"params": params[:1]})


def test_parameters_may_have_names(make: Make) -> None:
    params = parameters()
    optimizer = make(list(zip("abc", params, strict=True)))
    train(optimizer, params, range(1))
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["a", "b", "c"]
    optimizer.load_state_dict(optimizer.state_dict())
    assert optimizer.param_groups[0]["param_names"] == ["a", "b", "c"]


# Steps.


def test_foreach_does_the_same(make: Make) -> None:
    plain, lists = parameters(), parameters()
    train(make(plain, foreach=False), plain, range(5))
    train(make(lists, foreach=True), lists, range(5))
    assert same(plain, lists, 1e-6)


def test_foreach_takes_several_precisions_at_once(make: Make, name: str) -> None:
    if name in WHOLE:
        return
    plain, lists = ([*parameters(), *parameters(torch.float64), *parameters(torch.bfloat16)] for _ in range(2))
    for params, foreach in ((plain, False), (lists, True)):
        optimizer = make(params, foreach=foreach)
        for step in range(3):
            for k, p in enumerate(params):
                p.grad = parameters(seed=step)[k % 3].detach().to(p.dtype)
            optimizer.step()
    assert same(plain, lists, 1e-2)
    assert same(plain[:6], lists[:6], 1e-6)


def test_maximizing_is_minimizing_the_negative(make: Make) -> None:
    up, down = parameters(), parameters()
    train(make(up, maximize=True), up, range(3))
    train(make(down), down, range(3), sign=-1.0)
    assert same(up, down)


def test_capturable_does_the_same(make: Make) -> None:
    for foreach in (False, True):
        plain, captured = parameters(torch.float64), parameters(torch.float64)
        train(make(plain, foreach=foreach), plain, range(3))
        train(make(captured, foreach=foreach, capturable=True), captured, range(3))
        # As torch's, the step counts of a captured step are float32.
        assert same(plain, captured, 1e-4)


def test_a_capturable_step_never_reads_from_the_device(make: Make) -> None:
    for foreach in (False, True):
        params = [torch.zeros(shape, device="meta", requires_grad=True) for shape in SHAPES]
        optimizer = make(params, foreach=foreach, capturable=True)
        for p in params:
            p.grad = torch.zeros_like(p)
        optimizer.step()
        optimizer.step()


def test_a_closure_is_called_with_gradients_on_and_its_loss_is_returned(make: Make) -> None:
    p = torch.tensor([1.0, -2.0], requires_grad=True)
    optimizer = make([p])
    calls = []

    def closure() -> Tensor:
        calls.append(torch.is_grad_enabled())
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    assert torch.as_tensor(optimizer.step(closure)).item() == 5.0
    assert calls == [True]


def test_gradients_that_are_cleared_in_place_act_as_new_ones(make: Make) -> None:
    fresh, cleared = parameters(), parameters()
    train(make(fresh), fresh, range(3))
    optimizer = make(cleared)
    for step in range(3):
        for p, g in zip(cleared, parameters(seed=100 + step), strict=True):
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
            p.grad += g.detach()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
    assert same(fresh, cleared)


def test_gradients_are_left_as_they_are(make: Make) -> None:
    for foreach in (False, True):
        params = parameters()
        optimizer = make(params, foreach=foreach)
        for p, g in zip(params, parameters(seed=1), strict=True):
            p.grad = g.detach().clone()
        optimizer.step()
        assert same([p.grad for p in params if p.grad is not None], parameters(seed=1))


def test_a_first_gradient_may_come_late(make: Make, name: str) -> None:
    if name in WHOLE:
        return
    for foreach in (False, True):
        params, alone = parameters(), parameters()
        optimizer = make(params, foreach=foreach)
        train(optimizer, params, range(0))
        params[0].grad = torch.ones(())
        optimizer.step()
        late = make(alone[1:], foreach=foreach)
        for step in range(3):
            for p, q, g in zip(params[1:], alone[1:], parameters(seed=step)[1:], strict=True):
                p.grad, q.grad = g.detach().clone(), g.detach().clone()
            optimizer.step()
            late.step()
        assert same(params[1:], alone[1:], 1e-6)


def test_parameters_of_no_elements_are_no_trouble(make: Make) -> None:
    for foreach in (False, True):
        params = [torch.zeros(0, 5, requires_grad=True), torch.zeros(0, requires_grad=True), *parameters()]
        optimizer = make(params, foreach=foreach)
        for p in params:
            p.grad = torch.ones_like(p)
        optimizer.step()
        only = make(params[:2], foreach=foreach)
        only.step()
        assert params[0].shape == (0, 5)
        assert all(p.isfinite().all() for p in params)


def test_complex_parameters_are_pairs_of_real_ones(make: Make, name: str) -> None:
    p = torch.tensor([1 + 2j, -0.5j], requires_grad=True)
    real = torch.view_as_real(p.detach().clone()).requires_grad_()
    optimizer, twin = make([p]), make([real])
    for step in range(3):
        p.grad = torch.randn(2, generator=torch.Generator().manual_seed(step), dtype=torch.complex64)
        real.grad = torch.view_as_real(p.grad.clone())
        if name in MATRIX:
            with pytest.raises(RuntimeError, match=r"^Found does not support complex parameters$"):
                optimizer.step()
            return
        optimizer.step()
        twin.step()
    assert torch.allclose(torch.view_as_real(p.detach()), real.detach(), rtol=1e-6)


def test_sparse_gradients_are_refused(make: Make) -> None:
    embedding = torch.nn.Embedding(5, 3, sparse=True)
    embedding(torch.tensor([1, 2])).sum().backward()
    with pytest.raises(RuntimeError, match=r"^Found does not support sparse gradients$"):
        make(embedding.parameters()).step()


def test_a_gradient_scaler_skips_steps_with_infinite_gradients(make: Make) -> None:
    params = parameters()
    optimizer = make(params)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    for bad in (False, True):
        before = [p.detach().clone() for p in params]
        loss = scaler.scale(sum(((p - 1) ** 2).sum() for p in params) * (torch.inf if bad else 1.0))
        optimizer.zero_grad()
        loss.backward()
        scaler.step(optimizer)
        scaler.update()
        assert same(before, params) is bad


# Hooks.


def test_hooks_run_before_and_after_a_step(make: Make) -> None:
    params, calls = parameters(), []
    optimizer = make(params)
    handles = [
        optimizer.register_step_pre_hook(lambda *_: calls.append("pre")),
        optimizer.register_step_post_hook(lambda *_: calls.append("post")),
        torch_optimizer.register_optimizer_step_pre_hook(lambda *_: calls.append("all pre")),
        torch_optimizer.register_optimizer_step_post_hook(lambda *_: calls.append("all post")),
    ]
    train(optimizer, params, range(1))
    for handle in handles:
        handle.remove()
    train(optimizer, params, range(1))
    assert calls == ["all pre", "pre", "post", "all post"] or calls == ["pre", "all pre", "post", "all post"]


def test_hooks_run_before_and_after_a_state_dict(make: Make) -> None:
    params, calls = parameters(), []
    optimizer = make(params)
    optimizer.register_state_dict_pre_hook(lambda _: calls.append("pre"))
    optimizer.register_state_dict_post_hook(lambda _, saved: {**saved, "mark": 1})
    assert optimizer.state_dict()["mark"] == 1
    assert calls == ["pre"]


def test_hooks_that_match_states_by_name_are_not_undone(make: Make) -> None:
    a, b = (torch.nn.Parameter(torch.ones(2, 3)) for _ in range(2))
    first = make([("a", a), ("b", b)])
    a.grad, b.grad = torch.full((2, 3), 0.5), torch.full((2, 3), -1.0)
    first.step()
    second = make([("b", b), ("a", a)])

    def by_name(optimizer: Optimizer, saved: dict[str, Any]) -> dict[str, Any]:
        names = saved["param_groups"][0]["param_names"]
        here = optimizer.param_groups[0]["param_names"]
        assert all(isinstance(value, Tensor) for own in saved["state"].values() for value in own.values())
        state = {i: saved["state"][names.index(n)] for i, n in enumerate(here) if saved["state"]}
        return {"state": state, "param_groups": [{**saved["param_groups"][0], "param_names": here}]}

    second.register_load_state_dict_pre_hook(by_name)
    second.register_load_state_dict_post_hook(lambda optimizer: optimizer.state[a].update(mark=torch.ones(1)))
    second.load_state_dict(first.state_dict())
    assert "mark" in second.state[a]
    for p in (a, b):
        for key, value in states(first, p).items():
            assert torch.equal(value, second.state[p][key])


def test_a_hook_after_loading_may_cast_states(make: Make) -> None:
    params = parameters()
    optimizer = make(params)
    train(optimizer, params, range(1))

    def cast(optimizer: Optimizer) -> None:
        for key, value in states(optimizer, params[1]).items():
            optimizer.state[params[1]][key] = value.bfloat16()

    optimizer.register_load_state_dict_post_hook(cast)
    optimizer.load_state_dict(optimizer.state_dict())
    assert all(value.dtype == torch.bfloat16 for value in states(optimizer, params[1]).values())


# State dicts and copies.


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_a_run_goes_on_bit_for_bit_from_a_state_dict(make: Make, dtype: torch.dtype) -> None:
    straight, before = parameters(dtype), parameters(dtype)
    train(make(straight), straight, range(6))
    optimizer = make(before)
    train(optimizer, before, range(3))
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    after = [p.detach().clone().requires_grad_() for p in before]
    resumed = make(after, lr=0.123)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    train(resumed, after, range(3, 6))
    assert same(straight, after)
    wide = torch.promote_types(dtype, torch.float32)
    assert all(value.dtype == wide for p in after for value in states(resumed, p).values())


def test_states_follow_parameters_of_another_precision(make: Make) -> None:
    params = parameters()
    optimizer = make(params)
    train(optimizer, params, range(2))
    for dtype, wide in ((torch.float64, torch.float64), (torch.bfloat16, torch.float32)):
        others = parameters(dtype)
        other = make(others)
        other.load_state_dict(optimizer.state_dict())
        assert all(value.dtype == wide for p in others for value in states(other, p).values())
        train(other, others, range(2))


def test_a_state_dict_without_the_options_of_torch_is_loaded(make: Make) -> None:
    params = parameters()
    optimizer = make(params)
    train(optimizer, params, range(1))
    saved = optimizer.state_dict()
    for key in ("foreach", "maximize", "capturable", "differentiable"):
        del saved["param_groups"][0][key]
    optimizer.load_state_dict(saved)
    train(optimizer, params, range(1))


def test_a_state_dict_of_other_groups_is_refused(make: Make) -> None:
    params = parameters()
    with pytest.raises(ValueError, match="doesn't match the size"):
        make(params).load_state_dict(make(params[:1]).state_dict())


@pytest.mark.parametrize("way", ["deepcopy", "pickle"])
def test_a_copy_is_independent(make: Make, way: str) -> None:
    params = parameters()
    optimizer = make(params)
    train(optimizer, params, range(2))
    twin = copy.deepcopy(optimizer) if way == "deepcopy" else pickle.loads(pickle.dumps(optimizer))  # noqa: S301
    copied = twin.param_groups[0]["params"]
    train(optimizer, params, range(2, 4))
    train(twin, copied, range(2, 4))
    assert same(params, copied)
    assert not any(p is q for p, q in zip(params, copied, strict=True))


def test_an_optimizer_prints_its_options(make: Make) -> None:
    text = repr(make(parameters()))
    assert text.startswith("Found (\nParameter Group 0\n") and "    lr: " in text


# Schedulers.

SCHEDULERS: dict[str, Callable[[Optimizer], Any]] = {
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 0.9**epoch),
    "MultiplicativeLR": lambda o: lr_scheduler.MultiplicativeLR(o, lambda epoch: 0.9),
    "StepLR": lambda o: lr_scheduler.StepLR(o, 2),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [1, 2]),
    "ConstantLR": lr_scheduler.ConstantLR,
    "LinearLR": lr_scheduler.LinearLR,
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "PolynomialLR": lr_scheduler.PolynomialLR,
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 3),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=5),
    "ReduceLROnPlateau": lr_scheduler.ReduceLROnPlateau,
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ConstantLR(o)]),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.ConstantLR(o), lr_scheduler.ExponentialLR(o, 0.9)], [2]
    ),
}
CYCLES_MOMENTUM = {"CyclicLR", "OneCycleLR"}


def test_every_scheduler_of_torch_is_tried() -> None:
    public = {name for name in lr_scheduler.__all__ if name != "LRScheduler"}
    assert public == SCHEDULERS.keys()


@pytest.mark.parametrize("scheduler_name", SCHEDULERS)
def test_schedulers_work_with_their_defaults(make: Make, name: str, scheduler_name: str) -> None:
    params = parameters()
    optimizer = make(params)
    group = optimizer.param_groups[0]
    if scheduler_name in CYCLES_MOMENTUM and not {"betas", "momentum"} & group.keys():
        # As for torch.optim.Adagrad: there is no average of gradients whose decay could be cycled.
        with pytest.raises(ValueError, match="must support momentum"):
            SCHEDULERS[scheduler_name](optimizer)
        return
    scheduler = SCHEDULERS[scheduler_name](optimizer)
    for step in range(4):
        train(optimizer, params, range(step, step + 1))
        scheduler.step(*([1.0] if scheduler_name == "ReduceLROnPlateau" else []))
    # The raw program takes the arcsine of gradients clipped at lr / 0.0002, which these schedules take above 1.
    assert all(p.isfinite().all() for p in params) or (name == "lion_raw" and scheduler_name in CYCLES_MOMENTUM)
    if scheduler_name in CYCLES_MOMENTUM:
        cycled = group["betas"][0] if "betas" in group else group["momentum"]
        assert 0.8 <= cycled <= 0.95


# The compiler.


@pytest.mark.parametrize("name", COMPILED)
def test_a_compiled_step_has_no_graph_breaks_and_is_compiled_once(make: Make) -> None:
    from torch._dynamo.testing import CompileCounter

    for foreach in (False, True):
        torch._dynamo.reset()
        params, eager = parameters(), parameters()
        optimizer, twin, counter = make(params, foreach=foreach), make(eager, foreach=foreach), CompileCounter()
        step = torch.compile(optimizer.step, fullgraph=True, backend=counter)
        for k in range(4):
            for p, q, g in zip(params, eager, parameters(seed=k), strict=True):
                p.grad, q.grad = g.detach().clone(), g.detach().clone()
            step()
            twin.step()
        assert counter.frame_count == 1
        assert same(params, eager, 1e-5)
