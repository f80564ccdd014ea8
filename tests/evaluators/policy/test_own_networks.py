"""Policies whose network is a user's own module: together they compute what each computes alone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from own_policies import MODULES, NAMES
from own_tasks import task_file
from torch import nn

from germline.evaluators.errors import InvalidTask
from germline.evaluators.policy.compatibility import CannotPlay, playable
from germline.evaluators.policy.evaluator import PolicyEvaluator
from germline.evaluators.policy.networks.backend import networks_of
from germline.evaluators.policy.networks.own_module import fresh_module
from germline.evaluators.policy.networks.own_network import OwnNetwork, tensors_of
from germline.evaluators.policy.networks.own_policies import OwnPolicies
from germline.evaluators.policy.networks.own_state import form_text, leaves_of, with_leaves
from germline.evaluators.policy.networks.own_trial import own_network
from germline.evaluators.policy.player import Episode, play
from germline.evaluators.policy.task import PolicyTask
from germline.evaluators.tasks.gym import GymTask
from germline.evaluators.tasks.registry import task_class
from germline.programs.policy.genome import Policy, write
from germline.programs.policy.network import Network, Normalisation
from germline.programs.policy.parameters import initial_parameters, mutate, replay
from germline.search.kinds.policy import PolicyKind

every_network = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield task_file(tmp_path_factory.mktemp("own"), MODULES)


def loaded(path: Path, name: str) -> type[PolicyTask]:
    return task_class(f"{path}:{name}")  # type: ignore[return-value]


def network_of(task: type[PolicyTask], normalisation: Normalisation | None = None) -> Network:
    spec = task.environment_spec()
    return Network("own", spec.observation, spec.actions, normalisation=normalisation, own=tensors_of(task))


def rows_of(network: Network, count: int) -> np.ndarray:
    rows = np.stack([initial_parameters(network, seed) for seed in range(count)])
    for seed, row in enumerate(rows):
        mutate(row, seed, 0.3)
    return rows


def plain_outputs(task: type[PolicyTask], row: np.ndarray, observations: np.ndarray) -> np.ndarray:
    """Outputs for an episode of the module itself, in torch alone: float64 `[decisions, outputs]`."""
    network, module = network_of(task), fresh_module(task).double()
    places, state, outputs = dict(module.named_parameters()), None, []
    with torch.no_grad():
        for tensor in network.tensors:
            places[tensor.name].copy_(torch.tensor(tensor.view(row)))
        torch.set_default_dtype(torch.float64)
        try:
            for observation in torch.tensor(observations):
                result = module(observation[None], state) if own_network(task).recurrent else module(observation[None])
                output, state = result if isinstance(result, tuple) else (result, None)
                outputs.append(output[0].numpy())
        finally:
            torch.set_default_dtype(torch.float32)
    return np.stack(outputs)


@pytest.mark.slow
@every_network
def test_policies_together_have_the_outputs_of_the_module_in_torch(path: Path, name: str) -> None:
    task = loaded(path, name)
    network, rng = network_of(task), np.random.default_rng(1)
    rows, observations = rows_of(network, 5), rng.normal(size=(12, 5, *network.observation))
    policies = OwnPolicies(network, rows, own_network(task))
    policies.assign_slots(np.arange(5), np.ones(5, np.bool_))
    index = np.arange(5)
    outputs = np.stack([policies.forward(index, batch) for batch in observations], 1)
    for row, own, seen in zip(rows, outputs, observations.swapaxes(0, 1), strict=True):
        expected = plain_outputs(task, row, seen)
        # What is remembered is rounded to single precision, which the plain episode does not do.
        np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-5)
    assert len({tuple(own.ravel()) for own in outputs}) == 5


@pytest.mark.slow
@every_network
def test_an_episode_depends_on_its_policy_and_its_seed_alone(path: Path, name: str) -> None:
    task = loaded(path, name)
    network = network_of(task)
    rows, own = rows_of(network, 6), own_network(task)
    episodes = [Episode(i, seed) for i in range(6) for seed in (3, 4)]

    def results(backend: OwnPolicies, slots: int) -> list[object]:
        environments = task().environments(slots)
        return list(play(backend.forward, network.actions, environments, episodes, 60, backend.assign_slots))

    expected = results(OwnPolicies(network, rows, own), 12)
    assert results(OwnPolicies(network, rows, own), 1) == expected
    assert results(OwnPolicies(network, rows, own), 5) == expected
    assert results(OwnPolicies(network, rows, replace(own, way="alone")), 4) == expected
    assert len({repr(result) for result in expected}) > 3  # a policy that always pushes left falls as another does


@pytest.mark.slow
def test_a_slot_begins_an_episode_without_what_the_last_one_left(path: Path) -> None:
    task = loaded(path, "Remembering")
    network = network_of(task)
    policies, observation = networks_of(network, rows_of(network, 2), task=task), np.ones((2, 4))
    index = np.array([0, 1])
    policies.assign_slots(np.array([3, 1]), np.array([True, True]))
    first = policies.forward(index, observation)
    second = policies.forward(index, observation)
    assert (first != second).all()
    policies.assign_slots(np.array([3, 1]), np.array([True, False]))
    third = policies.forward(index, observation)
    assert (third[0] == first[0]).all() and (third[1] != first[1]).all() and (third[1] != second[1]).all()
    policies.assign_slots(np.array([7]), np.array([True]))
    assert (policies.forward(np.array([1]), observation[:1]) == first[1]).all()


@pytest.mark.slow
def test_networks_say_how_they_are_computed(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ways = {name: own_network(loaded(path, name)) for name in NAMES}
    assert {name: own.way for name, own in ways.items()} == {
        name: "alone" if name == "Branching" else "rules" for name in NAMES
    }
    assert [name for name, own in ways.items() if own.recurrent] == ["Remembering", "Deep", "Looking", "Blind"]
    assert [name for name, own in ways.items() if own.double_default] == ["Deep"]
    assert [name for name, own in ways.items() if own.attends] == ["Looking"]
    own_network.cache_clear()
    own_network(loaded(path, "Branching"))
    assert "policies compute one after the other" in caplog.text and "torch.where" in caplog.text


def test_constants_of_a_module_are_where_policies_begin_and_random_vectors_begin_at_zero(path: Path) -> None:
    starts = {tensor.name: tensor.start for tensor in tensors_of(loaded(path, "Plain"))}
    assert starts == {
        **{f"{place}.weight": None for place in (0, 4, 8)},
        **{f"{place}.bias": 0.0 for place in (0, 1, 4, 7, 8)},
        **{f"{place}.weight": 1.0 for place in (1, 7)},
    }


def own_task(module: object) -> type[PolicyTask]:
    attributes = {"name": "mine", "environment": "CartPole-v1", "network": staticmethod(module)}
    return type("Mine", (GymTask,), attributes)


class Of(nn.Module):
    """A linear layer, of whose outputs `change` makes something else; `prepare` adds to the module."""

    def __init__(self, change: object = None, prepare: object = None) -> None:
        super().__init__()
        self.layer, self.change = nn.Linear(4, 2), change
        if prepare is not None:
            prepare(self)  # type: ignore[operator]

    def forward(self, x: torch.Tensor) -> object:
        outputs = self.layer(x)
        return outputs if self.change is None else self.change(self, x, outputs)  # type: ignore[operator]


class Stateful(nn.Module):
    def __init__(self, change: object) -> None:
        super().__init__()
        self.layer, self.change = nn.Linear(4, 2), change

    def forward(self, x: torch.Tensor, state: object = None) -> object:
        return self.change(self.layer(x), state)  # type: ignore[operator]


def counted(module: Of, x: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
    module.calls = getattr(module, "calls", 0) + 1
    return outputs * module.calls


def buffered(module: Of, x: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
    module.total += outputs.sum()
    return outputs + module.total


def grown(outputs: torch.Tensor, state: object) -> object:
    return outputs, torch.cat([state, outputs]) if isinstance(state, torch.Tensor) else outputs


def drawing(module: Of) -> None:
    module.table = torch.randn(4, 4)


def first_seen(module: Of, x: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
    module.first = getattr(module, "first", x.clone())
    return module.layer(x - module.first)


def cached(module: Of, x: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
    module.weight = getattr(module, "weight", module.layer.weight / module.layer.weight.norm())
    return x @ module.weight.T


class Extra(nn.Linear):
    def get_extra_state(self) -> object:
        return {"version": 1}

    def set_extra_state(self, state: object) -> None:
        pass


ONE_MODULE = nn.Linear(4, 2)


def ramp(module: Of) -> None:
    module.layer.bias = nn.Parameter(torch.arange(2.0))


REFUSED = {
    "no module": (lambda: 3, r"network\(\) has to return a torch.nn.Module, not 3"),
    "an error": (lambda: 1 / 0, r"network\(\) failed with ZeroDivisionError"),
    "other outputs": (lambda: nn.Linear(4, 3), r"has to return outputs \[1, 2\] for an observation \[1, 4\], got a te"),
    "other inputs": (lambda: nn.Linear(5, 2), r"forward failed on an observation \[1, 4\] with RuntimeError"),
    "its place": (lambda: Of(lambda m, x, y: y[5]), r"IndexError: .* \(test_own_networks.py:\d+, in <lambda>\)"),
    "NaN": (lambda: Of(lambda m, x, y: y * torch.nan), "forward returns NaN for the first observations of an episode"),
    "a cast": (lambda: Of(lambda m, x, y: m.layer(x.float())), "double precision: leave casts such as .float"),
    "nothing": (lambda: Of(lambda m, x, y: None), r"has to return outputs \[1, 2\] .* got None"),
    "randomness": (lambda: Of(lambda m, x, y: y + torch.randn(2)), "draws random numbers in evaluation mode"),
    "a counter": (lambda: Of(counted), "calls changed: what a network remembers has to be its state"),
    "a buffer": (
        lambda: Of(buffered, lambda m: m.register_buffer("total", torch.zeros(()))),
        "writes into total, which all policies and episodes would share",
    ),
    "random buffer": (
        lambda: Of(None, lambda m: m.register_buffer("table", torch.randn(3))),
        "table is drawn at random, but does not evolve",
    ),
    "a random attribute": (
        lambda: Of(lambda m, x, y: m.layer(x @ m.table.to(x)), drawing),
        "built anew it gives other outputs with the same parameters, so something else in it is drawn at random",
    ),
    "what it saw first": (lambda: Of(first_seen), "after other observations and weights it gives other outputs"),
    "a cache of weights": (lambda: Of(cached), "after other observations and weights it gives other outputs"),
    "extra state": (lambda: Extra(4, 2), r"has extra state \(get_extra_state\)"),
    "a parametrization": (
        lambda: nn.Sequential(nn.utils.parametrizations.orthogonal(nn.Linear(4, 4)), nn.Linear(4, 2)),
        "leave the parametrization out",
    ),
    "the same each time": (lambda: ONE_MODULE, "returns the same module each time"),
    "values": (lambda: Of(None, ramp), "layer.bias starts with several values that are not drawn at random"),
    "frozen": (lambda: nn.Linear(4, 2).requires_grad_(False), "no parameter that could evolve"),
    "other layers": (
        lambda: nn.Sequential(*[nn.Linear(4, 4) for _ in range(1 + int(torch.randint(9, ())))], nn.Linear(4, 2)),
        "other parameters each time",
    ),
    "no pair": (lambda: Stateful(lambda y, s: y), r"takes a second argument, the state, and so has to return"),
    "a state of text": (lambda: Stateful(lambda y, s: (y, "now")), "state that forward returns has to be tensors"),
    "a state that grows": (lambda: Stateful(grown), r"keep its form, got float \[2, 2\] after float \[1, 2\]"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_modules_that_cannot_be_the_network_of_policies_are_refused_in_a_line(name: str) -> None:
    module, message = REFUSED[name]
    with pytest.raises(InvalidTask, match=message) as raised:
        own_network(own_task(module))
    assert str(raised.value).startswith("mine: ") and "\n" not in str(raised.value)


def test_a_module_in_the_place_of_a_function_that_returns_it_is_refused() -> None:
    class Mine(GymTask):
        environment, name, network = "CartPole-v1", "mine", ONE_MODULE

    with pytest.raises(InvalidTask, match="network has to be a class or a method that returns a module, got a module"):
        own_network(Mine)


def test_the_tensors_of_a_dict_keep_their_names_in_whatever_order_they_come() -> None:
    def module() -> nn.Module:
        def change(outputs: torch.Tensor, state: object) -> object:
            if not isinstance(state, dict):
                return outputs, {"sum": outputs, "last": -outputs}
            kept = {"last": outputs, "sum": state["sum"] + outputs}
            return kept["sum"], kept

        return Stateful(change)

    task = own_task(module)
    network = network_of(task)
    policies = networks_of(network, rows_of(network, 1), task=task)
    observations = np.random.default_rng(0).normal(size=(3, 1, 4))
    slots, which = np.zeros(1, np.int64), np.zeros(1, np.int64)
    outputs = []
    for place, seen in enumerate(observations):
        policies.assign_slots(slots, np.array([place == 0]))
        outputs.append(policies.forward(which, seen)[0])
    np.testing.assert_allclose(outputs, plain_outputs(task, rows_of(network, 1)[0], observations[:, 0]), rtol=1e-5)


def test_random_numbers_that_a_module_draws_late_are_an_error_of_the_task() -> None:
    def late(module: Of, x: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
        return outputs + torch.randn(2) if float(x.abs().max()) > 50 else outputs  # `vmap` cannot branch on values

    task = own_task(lambda: Of(late))
    network = network_of(task)
    policies = networks_of(network, rows_of(network, 2), task=task)
    with pytest.raises(InvalidTask, match="random numbers that it has drawn after some decisions"):
        policies.forward(np.arange(2), np.full((2, 4), 99.0))


def test_a_parameter_that_is_frozen_stays_as_the_module_has_it() -> None:
    def module() -> nn.Module:
        layers = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
        nn.init.eye_(layers[0].weight)
        layers[0].bias.data.fill_(0.5)
        layers[0].requires_grad_(False)
        return layers

    task = own_task(module)
    assert [tensor.name for tensor in tensors_of(task)] == ["1.weight", "1.bias"]
    network = network_of(task)
    row = rows_of(network, 1)
    outputs = networks_of(network, row, task=task).forward(np.zeros(1, np.int64), np.ones((1, 4)))
    weight, bias = (tensor.view(row[0]) for tensor in network.tensors)
    np.testing.assert_allclose(outputs[0], 1.5 * weight.sum(1) + bias, rtol=1e-6)


def test_an_error_of_a_module_while_it_plays_is_one_of_the_task() -> None:
    def late(module: Of, x: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
        return outputs.reshape(3) if bool(torch.func.debug_unwrap(x).abs().max() > 50) else outputs

    task = own_task(lambda: Of(late))
    network = network_of(task)
    policies = networks_of(network, rows_of(network, 2), task=task)
    with pytest.raises(InvalidTask, match="expected outputs of the network of mine, got RuntimeError"):
        policies.forward(np.arange(2), np.full((2, 4), 99.0))


def test_observations_are_standardised_before_the_module_sees_them() -> None:
    task, scale = own_task(lambda: nn.Linear(4, 2)), Normalisation((0.5, -1.0, 0.0, 2.0), (2.0, 0.1, 30.0, 1.0))
    network = network_of(task, scale)
    rows, batch = rows_of(network, 3), np.random.default_rng(0).normal(size=(3, 4))
    standard = ((batch - np.array(scale.mean)) * np.array(scale.scale)).clip(-5, 5)
    plain = networks_of(replace(network, normalisation=None), rows, task=task)
    outputs = networks_of(network, rows, task=task).forward(np.arange(3), batch)
    np.testing.assert_array_equal(outputs, plain.forward(np.arange(3), standard))


def test_states_are_taken_apart_and_put_together_again() -> None:
    state = {"a": (torch.zeros(2), [torch.ones(1, 3)]), "b": torch.tensor([4])}
    leaves = leaves_of(state)
    assert [leaf.tolist() for leaf in leaves] == [[0, 0], [[1, 1, 1]], [4]]
    again = with_leaves(state, [leaf + 1 for leaf in leaves])
    assert list(again) == ["a", "b"] and type(again["a"]) is tuple and again["b"].tolist() == [5]
    assert form_text(again) == form_text(state) == "{'a': (float [2], [float [1, 3]]), 'b': int64 [1]}"
    with pytest.raises(InvalidTask, match="has to be tensors, alone or in tuples, lists and dicts, got 3"):
        leaves_of((torch.zeros(1), 3))


@pytest.mark.slow
def test_a_policy_for_another_module_is_refused_in_a_line(path: Path) -> None:
    task, name = loaded(path, "Remembering"), f"{path}:Remembering"
    policy = Policy(network_of(task), 1)
    evaluator = PolicyEvaluator(f"{path}:Wider", 1)
    wider = Policy(network_of(loaded(path, "Wider")), 1)
    ok, other, builtin = evaluator.score([write(wider), write(policy), write(Policy(Network("mlp", (4,), 2), 1))], 0, 0)
    assert (ok.status, other.status, builtin.status) == ("ok", "rejected", "ok")
    assert other.error == (
        "expected a policy for the network of remembering, whose cell.weight_ih is [27, 4], got one with [24, 4]"
    )
    assert playable(write(policy), name).policy == policy
    with pytest.raises(CannotPlay, match=r"whose cell.weight_ih is \[27, 4\]"):
        playable(write(policy), f"{path}:Wider")
    with pytest.raises(CannotPlay, match="got gym:CartPole-v1, which has none"):
        playable(write(policy), "gym:CartPole-v1")
    fewer = replace(policy.network, own=policy.network.own[:-1])
    with pytest.raises(CannotPlay, match=r"whose head.bias is \[2\], got one with missing"):
        playable(write(Policy(fewer, 1)), name)


@pytest.mark.slow
def test_a_search_measures_the_observations_of_policies_that_remember(path: Path) -> None:
    kind, task = PolicyKind(), loaded(path, "Remembering")
    prepared = kind.prepare(kind.resolve({}, ["normalise=on"]), task)
    network = kind.space(prepared).network
    assert network.form == "own" and network.normalisation is not None
    assert kind.space(kind.prepare(kind.resolve({}, ["network=mlp"]), task)).network.form == "mlp"


def test_the_parameters_of_a_policy_need_no_module(path: Path) -> None:
    own = own_network(loaded(path, "Remembering"))
    assert isinstance(own, OwnNetwork)
    policy = Policy(network_of(own.task), 5, ((6, 0.1),))
    again = replay(policy)
    assert again.shape == (sum(p.numel() for p in fresh_module(own.task).parameters()),)
