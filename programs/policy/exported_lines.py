"""Lines of code that the exported files of all policies share."""

from collections.abc import Iterator

from germline.programs.export.origin import Origin, inert
from germline.programs.policy.genome import Policy
from germline.programs.policy.interface import Interface
from germline.programs.policy.network import Box, Network


def fact_lines(policy: Policy, origin: Origin, mean_return: str | None) -> Iterator[str]:
    """Lines of the docstring: where the policy comes from, its mean return, in words, and its sizes."""
    yield from origin.lines()
    if mean_return:
        yield f"Return: {inert(mean_return)}"
    if policy.generations:
        yield f"Generations: {policy.generations}"
    yield f"Mutations: {len(policy.mutations) - policy.generations}"
    yield f"Parameters: {policy.network.parameter_count:,}"


def example_lines(
    network: Network,
    task: str | None,
    class_name: str,
    stem: str,
    environment: str | None,
    interface: Interface,
    arguments: str = "",
    recurrent: bool = False,
) -> Iterator[str]:
    """Lines of the docstring that show how the policy is used.

    Args:
        network: of the policy.
        task: its task; None: not known.
        class_name: the exported class.
        stem: the name of the exported file without its suffix.
        environment: its environment in gymnasium; None: a single call is shown.
        interface: what differs between environment and network.
        arguments: of the class.
        recurrent: whether it has to be told when an episode begins.
    """
    name = stem if stem.isidentifier() else "NAME"
    if environment is None:
        dtype = "uint8" if network.form == "conv" else "numbers"
        where = f", as germline plays {inert(task)}" if task else ""
        yield from (f"It sees an observation, {dtype} {raw_shape_text(network, interface)}{where}:", "")
        yield from (f"    from {name} import {class_name}", "", f"    policy = {class_name}({arguments})")
        if recurrent:
            yield "    policy.reset()  # an episode begins"
        yield "    action = policy.act(observation)"
        return
    yield from ("To see it play:", "", "    import gymnasium", f"    from {name} import {class_name}", "")
    yield f'    env, policy = gymnasium.make("{inert(environment)}", render_mode="human"), {class_name}({arguments})'
    yield from ("    observation, _ = env.reset(seed=0)", *(["    policy.reset()"] if recurrent else []))
    yield from ("    over = False", "    while not over:")
    yield "        action = policy.act(observation)"
    yield "        observation, reward, terminated, truncated, _ = env.step(action)"
    yield "        over = terminated or truncated"


def shape_text(network: Network) -> str:
    """The shape of an observation of the network."""
    return str(list(network.observation))


def raw_shape_text(network: Network, interface: Interface) -> str:
    """The shape of an observation of the environment."""
    first, *rest = network.observation
    return str([*rest, first] if interface.channels_last else [first, *rest])


def actions_text(actions: int | Box, interface: Interface) -> str:
    """What the policy does: the first line of the docstring of the exported class."""
    if isinstance(actions, int):
        return f"Chooses one of {actions} actions, counted from {interface.first_action}."
    return f"Sets {len(actions.low)} numbers." if len(actions.low) > 1 else "Sets a number."


def act_lines(network: Network, interface: Interface) -> Iterator[str]:
    """Lines of `act`."""
    discrete = isinstance(network.actions, int)
    rule = "the place of the largest output" if discrete else "outputs from -1 to 1, scaled to the box"
    yield f'"""The action for an observation {raw_shape_text(network, interface)}, or actions for a batch of them:'
    yield f'{rule}."""'
    yield "observation = np.ascontiguousarray(observation, dtype=np.float64)"
    if interface.channels_last:
        yield "observation = np.moveaxis(observation, -1, -3)"
    if discrete:
        first = f" + {interface.first_action}" if interface.first_action else ""
        yield f"actions = self(observation).argmax(-1).numpy(force=True){first}"
        yield "return actions if actions.ndim else int(actions)"
        return
    yield "share = (self(observation).double().clamp(-1, 1) + 1) / 2"
    cast = "" if interface.action_type == "float32" else f".astype(np.{interface.action_type})"
    yield "actions = (self.low + share * (self.high - self.low)).float()"
    yield f"return actions.numpy(force=True){cast}"


def constants(network: Network) -> dict[str, tuple[float, ...]]:
    """Constants of a network besides its weights: normalisation, and the bounds of its actions."""
    buffers: dict[str, tuple[float, ...]] = {}
    if network.normalisation:
        buffers |= {"mean": network.normalisation.mean, "scale": network.normalisation.scale}
    if isinstance(network.actions, Box):
        buffers |= {"low": network.actions.low, "high": network.actions.high}
    return buffers
