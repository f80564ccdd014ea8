"""What the behaviour of gymnasium's environments is: a name for each component of the descriptor, by id.

The descriptor is the last state of an environment of classic control, the last position where an environment reports
positions, else the last observation (`GymnasiumEnvironments.behaviour`). Names of observations follow gymnasium's
documentation of each environment. Bounds are known where the environment itself keeps its state within them.
"""

from math import pi

_X, _X_AND_Y = ("final x position",), ("final x position", "final y position")
_LANDER = (
    *("final x position", "final y position", "final x velocity", "final y velocity"),
    *("final angle", "final angular velocity", "final contact of the left leg", "final contact of the right leg"),
)
_FINGER = (
    *("final cosine of joint 1", "final cosine of joint 2", "final sine of joint 1", "final sine of joint 2"),
    *("x position of the target", "y position of the target"),
    *("final angular velocity of joint 1", "final angular velocity of joint 2"),
    *("final x distance from the target", "final y distance from the target"),
)
_DOUBLE_PENDULUM = (
    *("final cart position", "final sine of pole 1", "final sine of pole 2"),
    *("final cosine of pole 1", "final cosine of pole 2"),
    *("final cart velocity", "final angular velocity of pole 1", "final angular velocity of pole 2"),
    "final constraint force on the cart",
)
_CAR = ("final position", "final velocity")

_NAMES: dict[str, tuple[str, ...]] = {
    "Acrobot": (
        *("final angle of link 1", "final angle of link 2"),
        *("final angular velocity of link 1", "final angular velocity of link 2"),
    ),
    "CartPole": ("final cart position", "final cart velocity", "final pole angle", "final pole angular velocity"),
    "MountainCar": _CAR,
    "MountainCarContinuous": _CAR,
    "Pendulum": ("final angle", "final angular velocity"),
    "LunarLander": _LANDER,
    "LunarLanderContinuous": _LANDER,
    "HalfCheetah": _X,
    "Hopper": _X,
    "Walker2d": _X,
    "Ant": _X_AND_Y,
    "Humanoid": _X_AND_Y,
    "HumanoidStandup-v5": _X_AND_Y,
    "Swimmer": _X_AND_Y,
    "Reacher-v5": _FINGER,
    "Reacher": (*_FINGER, "final z distance from the target"),
    "InvertedPendulum": (
        *("final cart position", "final pole angle"),
        *("final cart velocity", "final pole angular velocity"),
    ),
    "InvertedDoublePendulum-v5": _DOUBLE_PENDULUM,
    "InvertedDoublePendulum": (
        *_DOUBLE_PENDULUM[:-1],
        *(f"{place} constraint force" for place in ("first", "second", "third")),
    ),
}
"""By id, or by id without its version for all other versions."""

_CAR_BOUNDS = ((-1.2, 0.6), (-0.07, 0.07))
_BOUNDS: dict[str, tuple[tuple[float, float], ...]] = {
    "Acrobot": ((-pi, pi), (-pi, pi), (-4 * pi, 4 * pi), (-9 * pi, 9 * pi)),
    "MountainCar": _CAR_BOUNDS,
    "MountainCarContinuous": _CAR_BOUNDS,
}
"""By id without its version. Angles are in radians, angular velocities in radians per second."""


def behaviour_names(identifier: str) -> tuple[str, ...]:
    """Returns a name for each component of the behaviour of an environment; empty if they are not known.

    Args:
        identifier: id of the environment, such as `CartPole-v1`.
    """
    return _NAMES.get(identifier) or _NAMES.get(identifier.rpartition("-v")[0], ())


def behaviour_bounds(identifier: str) -> tuple[tuple[float, float], ...]:
    """Returns the lowest and the highest value of each component of the behaviour of an environment; empty if they are
    not known.

    Args:
        identifier: id of the environment, such as `MountainCar-v0`.
    """
    return _BOUNDS.get(identifier.rpartition("-v")[0], ())
