"""Programs whose smallest form is known, and pairs of programs that look equal and are not."""

from dataclasses import dataclass

from germline.programs.optimizer import Program, parse


@dataclass(frozen=True)
class Case:
    """A program and the size of its smallest form.

    Attributes:
        body: its statements, separated by semicolons; the last but those of states assigns the update.
        states: of the program, each returned under its own name.
        statements: of the smallest form.
        kept: states of the smallest form.
    """

    body: str
    states: str
    statements: int
    kept: int = 0

    @property
    def program(self) -> Program:
        """The program."""
        return program(self.body, self.states)


def program(body: str, states: str = "") -> Program:
    """A program of statements, separated by semicolons, that returns `update` and its states."""
    names = states.split()
    step = ["step"] if "step" in body else []
    lines = [f"def train({', '.join(['w', 'g', *[name.replace(':', ': ') for name in names], 'lr', *step])}):"]
    lines += [f"  {line.strip()}" for line in body.split(";")]
    lines += [f"  return {', '.join(['update', *[name.partition(':')[0] for name in names]])}"]
    return parse("\n".join(lines))


CASES = {
    # Dead code.
    "a dead statement": Case("x = exp(w); update = g * lr", "", 1),
    "a chain of dead statements": Case("x = exp(w); y = x + g; z = y * y; update = g * lr", "", 1),
    "a state that is never read": Case("m = interp(g, m, 0.9); update = g * lr", "m", 1),
    "a state that is overwritten before it is read": Case("m = sin(g); update = m * lr; m = cosh(update)", "m", 2),
    "two states that read only each other": Case("m = m + v; v = v - m; update = g * lr", "m v", 1),
    "a state that is only its own past": Case("m = 0.9 * m; m = m + g; update = g * lr", "m", 1),
    "a copy": Case("x = g; y = x; update = y * lr", "", 1),
    # States that stay zero.
    "a state that stays zero": Case("m = m * 0.9; update = g + m", "m", 0),
    "a state that stays zero under functions": Case("m = sin(m); update = g * lr + m", "m", 1),
    "two states that stay zero": Case("m = v * 0.5; v = m + v; update = g - v", "m v", 0),
    "a zero state inside of an average": Case("m = abs(m); v = interp(g, v, 0.9); update = v + m", "m v", 1, 1),
    "a zero state under a norm": Case("m = m * lr; update = g + norm(m)", "m", 0),
    "a product with a zero state": Case("m = m * 0.5; update = g + g * m", "m", 0),
    # Constants.
    "split constants": Case("a = 0.5 * 4.0; b = a - 1.0; update = g * b", "", 0),
    "constants of the language": Case("a = get_pi(); b = cos(a); update = g * b", "", 1),
    "a sum of constants": Case("a = 0.25 + 0.5; update = g * a", "", 1),
    "a power of constants": Case("a = power(2.0, 3.0); update = g * a", "", 1),
    "an average of constants": Case("a = interp(1.0, 3.0, 0.5); update = g * a", "", 1),
    "two factors": Case("x = g * 2.0; update = x * 3.0", "", 1),
    "three factors": Case("x = g * 2.0; y = 3.0 * x; update = y * 0.5", "", 1),
    "factors around the schedule": Case("x = g * 2.0; y = lr * 0.5; update = x * y", "", 1),
    "two shifts": Case("x = g + 1.0; update = x + 2.0", "", 1),
    "shifts that cancel": Case("x = g + 1.5; update = x - 1.5", "", 0),
    "division by a constant": Case("x = g / 2.0; update = x / 4.0", "", 1),
    "constant times quotient": Case("x = g * 0.5; y = x / w; update = y * 2.0", "", 1),
    # Common subexpressions.
    "an expression twice": Case("a = sin(g); b = sin(g); update = a * b", "", 2),
    "an expression twice, commuted": Case("a = g * w; b = w * g; update = a / b", "", 2),
    "nested expressions twice": Case("a = exp(g * w); b = exp(w * g); update = max(a, b)", "", 2),
    "averages that are written in both orders": Case(
        "a = interp(g, w, 0.9); b = interp(w, g, 0.1); update = a / b", "", 2
    ),
    "a square in two ways": Case("a = g * g; b = square(g); update = a / b", "", 2),
    "a cube in two ways": Case("a = g * g; b = a * g; c = cube(g); update = b / c", "", 2),
    # Identities.
    "double negation": Case("x = negative(g); update = negative(x)", "", 0),
    "minus a negative": Case("x = negative(w); update = g - x", "", 1),
    "plus a negative": Case("x = negative(w); update = g + x", "", 1),
    "a negated difference": Case("x = w - g; update = negative(x)", "", 1),
    "zero minus": Case("x = 0.0 - g; update = negative(x)", "", 0),
    "plus zero": Case("update = g + 0.0; update = update * lr", "", 1),
    "times one": Case("lr = lr * 1.0; update = g * lr", "", 1),
    "times zero": Case("x = w * 0.0; update = g + x", "", 0),
    "x - x": Case("x = w - w; update = g + x", "", 0),
    "x + x": Case("x = g + g; update = x + x", "", 1),
    "x + y - x": Case("x = w + g; update = x - w", "", 0),
    "differences that cancel": Case("a = g - w; b = w - g; update = a + b; update = update + g", "", 0),
    "the same factor": Case("a = g * lr; b = w * lr; update = a + b", "", 2),
    "the same factor, subtracted": Case("a = g * lr; b = lr * w; update = a - b", "", 2),
    "the same weight": Case("a = g * 0.5; b = w * 0.5; update = a + b", "", 1),
    "opposite weights": Case("a = g * 0.5; b = w * 0.5; update = a - b", "", 2),
    "three terms of one weight": Case(
        "a = g * 0.5; b = w * 0.5; c = lr * 0.5; update = a + b; update = update + c", "", 3
    ),
    "weights of one value": Case("a = g * 2.0; b = g * 3.0; update = a + b", "", 1),
    "the same divisor": Case("a = g / lr; b = w / lr; update = a + b", "", 2),
    "first power": Case("x = power(g, 1.0); update = x * lr", "", 1),
    "power zero": Case("x = power(w, 0.0); update = g * x", "", 0),
    "power two": Case("x = power(g, 2.0); y = square(g); update = x / y", "", 2),
    "a power of a power": Case("x = power(power(abs(g), 3.0), 0.5); update = x", "", 2),
    "x times x and y times y": Case("a = square(g); b = square(w); update = a * b", "", 2),
    "fourth power": Case("x = g * g; y = g * g; update = x * y", "", 2),
    "a sixth power": Case("a = g * g; b = a * a; update = a * b", "", 2),
    # Signs, sizes and roots.
    "sign of a sign": Case("update = sign(sign(g))", "", 1),
    "sign of a multiple": Case("update = sign(g * 0.3)", "", 1),
    "sign of a negative multiple": Case("update = sign(g * -2.0)", "", 2),
    "sign of a product with an exponential": Case("update = sign(g * exp(w))", "", 1),
    "sign of a quotient by a size": Case("update = sign(g / sqrt(w))", "", 1),
    "sign of an odd function": Case("update = sign(arctan(tanh(g)))", "", 1),
    "sign of a cube": Case("update = sign(cube(g))", "", 1),
    "sign of a clipped gradient": Case("update = sign(clip(g, 1.0))", "", 1),
    "sign of a value times the step": Case("update = sign(g * step)", "", 1),
    "sign times size": Case("a = sign(g); b = abs(g); update = a * b", "", 0),
    "value times sign": Case("update = g * sign(g)", "", 1),
    "value over its size": Case("update = g / abs(g)", "", 1),
    "value over the root of its square": Case("update = g / sqrt(g * g)", "", 1),
    "value over a root with an own epsilon": Case("update = g * reciprocal(sqrt(square(g)) + 1e-10)", "", 1),
    "size of a size": Case("update = abs(abs(g))", "", 1),
    "size of a square": Case("update = abs(square(g))", "", 1),
    "root of a square": Case("update = sqrt(square(g))", "", 1),
    "square of a root": Case("update = square(sqrt(g))", "", 1),
    "square of a size": Case("update = square(abs(g))", "", 1),
    "square of a negative": Case("update = square(negative(g))", "", 1),
    "square of a scaled value": Case("x = g * 2.0; y = square(x); update = y * 0.25", "", 1),
    "product of sizes": Case("update = abs(g) * abs(w)", "", 2),
    "product of roots": Case("update = sqrt(g) * sqrt(w)", "", 2),
    "cosine of a negative": Case("update = cos(negative(g))", "", 1),
    "norm of a negative": Case("update = g * norm(negative(g))", "", 2),
    "norm of a multiple": Case("n = global_norm(g * 4.0); update = g * n; update = update * 0.25", "", 2),
    # Exponentials and other inverses.
    "logarithm of an exponential": Case("update = log(exp(g))", "", 0),
    "exponential of a logarithm": Case("update = exp(log(g))", "", 1),
    "product of exponentials": Case("update = exp(g) * exp(w)", "", 2),
    "two reciprocals": Case("update = reciprocal(reciprocal(g))", "", 0),
    "cube of a cube root": Case("update = cube(cbrt(g))", "", 0),
    "sinh of arcsinh": Case("update = sinh(arcsinh(g))", "", 0),
    "a written-out protected division": Case("x = w + 1e-8; y = reciprocal(x); update = g * y", "", 1),
    # Maxima, minima and choices.
    "maximum of equals": Case("update = max(g, g)", "", 0),
    "nested maxima": Case("x = max(g, w); update = max(x, g)", "", 1),
    "maximum of a minimum": Case("x = min(g, w); update = max(g, x)", "", 0),
    "a chain of bounds": Case("x = max(g, -1.0); y = max(x, -0.5); update = min(y, 2.0)", "", 2),
    "a chain of upper bounds": Case("x = min(g, 1.0); y = min(x, 0.5); update = min(y, 2.0)", "", 1),
    "a bound that never acts": Case("x = abs(g); update = max(x, -1.0)", "", 1),
    "a bound on a bounded function": Case("x = tanh(g); update = min(x, 2.0)", "", 1),
    "bounds that are repeated": Case("x = max(g, 0.2); y = min(x, 5.0); z = max(y, 0.1); update = min(z, 6.0)", "", 2),
    "a choice between equals": Case("update = where(w, g, g)", "", 0),
    "a choice that is decided": Case("c = exp(w); update = where(c, g, w)", "", 0),
    "a choice that is decided by a square": Case("c = negative(square(w)); update = where(c, w, g)", "", 0),
    "a choice by a comparison with zero": Case("c = greater(lr, 0.0); update = where(c, g, w)", "", 1),
    "a choice of the larger": Case("c = greater(g, w); update = where(c, g, w)", "", 1),
    "maximum with its negative": Case("x = negative(g); update = max(g, x)", "", 1),
    "two clips": Case("x = clip(g, 1.0); update = clip(x, 0.5)", "", 1),
    # Averages.
    "average of equals": Case("update = interp(g, g, 0.9)", "", 0),
    "an average that is all of one": Case("update = interp(g, w, 0.0)", "", 0),
    "an average that is all of the other": Case("update = interp(w, g, 1.0)", "", 0),
    "a written-out average": Case("a = g * 0.1; b = m * 0.9; m = a + b; update = sign(m)", "m", 2, 1),
    "an average as a correction": Case("d = g - m; d = d * 0.1; m = m + d; update = sign(m)", "m", 2, 1),
    "an average in an average": Case("x = interp(g, m, 0.5); m = interp(g, x, 0.5); update = sign(m)", "m", 2, 1),
    "three averages in a chain": Case(
        "x = interp(g, m, 0.5); y = interp(g, x, 0.9); m = interp(g, y, 0.8); update = sign(m)", "m", 2, 1
    ),
    "an average with weights that depend on the step": Case(
        "b = reciprocal(step); a = 1.0 - b; m = a * g + b * m; update = sign(m)", "m", 3, 1
    ),
    # States.
    "two equal states": Case("m = interp(g, m, 0.9); v = interp(g, v, 0.9); update = m + v", "m v", 2, 1),
    "three equal states": Case(
        "m = interp(g, m, 0.9); v = interp(g, v, 0.9); u = interp(g, u, 0.9); update = m + v; update = update - u",
        "m v u",
        1,
        1,
    ),
    "two equal states that read each other": Case(
        "a = m * 0.9; m = v * 0.9; m = m + g; v = a + g; update = m - v; update = update + g", "m v", 0
    ),
    "a state that copies another": Case("m = interp(g, m, 0.9); v = m; update = sign(m)", "m v", 2, 1),
    "a state that is a copy and is read": Case("u = sign(v); m = interp(g, m, 0.9); v = m; update = u", "m v", 2, 1),
    "a state that is a root of another": Case(
        "u = g / r; v = interp(square(g), v, 0.9); r = sqrt(v); update = u", "v r", 4, 1
    ),
    "a state that is a multiple of another": Case(
        "m = interp(g, m, 0.9); v = 0.9 * v + g; update = m + v", "m v", 2, 1
    ),
    "a state that is the negative of another": Case(
        "n = negative(g); m = interp(g, m, 0.9); v = interp(n, v, 0.9); update = m - v", "m v", 2, 1
    ),
    "an average of a multiple": Case("x = g * 3.0; m = interp(x, m, 0.9); update = sign(m)", "m", 2, 1),
    "an average of a negative": Case("x = negative(g); m = interp(x, m, 0.9); update = negative(m)", "m", 1, 1),
    "momentum in other units": Case("m = 0.9 * m + g; update = sign(m)", "m", 2, 1),
    "momentum with a rate": Case("m = 0.9 * m; m = m + g; lr = lr * 0.01; update = m * lr", "m", 3, 1),
    "two averages of which only the sum is used": Case(
        "x = w * 0.1; m = interp(g, m, 0.9); v = interp(x, v, 0.9); update = m + v", "m v", 3, 1
    ),
    "two averages of which only a weighted sum is used": Case(
        "m = interp(g, m, 0.9); v = interp(w, v, 0.9); update = m * 0.5 + v * 0.5", "m v", 2, 1
    ),
    # Whole optimizers.
    "the pruned program of Lion's search": Case(
        "m = interp(g, v, 0.899); m2 = m * m; v = interp(g, m, 1.109); abs_m = sqrt(m2); update = m / abs_m; "
        "wd = w * 0.4602; update = update + wd; lr = lr * 0.0002; m = cosh(update); update = update * lr",
        "m v",
        7,
        1,
    ),
    "the pruned program with its clipping": Case(
        "g = clip(g, lr); g = arcsin(g); m = interp(g, v, 0.899); m2 = m * m; v = interp(g, m, 1.109); "
        "abs_m = sqrt(m2); update = m / abs_m; wd = w * 0.4602; update = update + wd; lr = lr * 0.0002; "
        "m = cosh(update); update = update * lr",
        "m v",
        9,
        1,
    ),
    "sign descent from AdamW without memory": Case(
        "v = square(g); update = g / sqrt(v); lr = lr * 0.001; update = update * lr", "v", 3
    ),
    "Lion in two states": Case(
        "c = interp(g, m, 0.9); m = interp(g, v, 0.99); v = m; update = sign(c); lr = lr * 0.0001; "
        "update = update * lr",
        "m v",
        5,
        1,
    ),
    "Lion whose blend is scaled": Case(
        "c = 0.3 * m + 0.0333333333333333 * g; m = interp(g, m, 0.99); update = sign(c) * lr", "m", 4, 1
    ),
}
"""Programs with the size of their smallest forms, by what is to be found out."""

APART = {
    "protected division by one": ("update = g / 1.0", "update = g"),
    "x / x and one": ("update = g / g; update = update + w", "update = w + 1.0"),
    "x / x and one, of a square": ("v = square(g); update = v / v", "update = sign(square(w))"),
    "division and multiplication": ("x = g * w; update = x / w", "update = g"),
    "protected root": ("update = sqrt(g)", "update = power(g, 0.5)"),
    "square of a protected root": ("update = square(sqrt(g))", "update = g"),
    "protected logarithm": ("update = exp(log(g))", "update = g"),
    "size and value": ("update = abs(g)", "update = g"),
    "root of a square and value": ("update = sqrt(square(g))", "update = g"),
    "sign at zero": ("update = sign(g * square(g))", "update = sign(g * square(w))"),
    "sign of a product with a square": ("update = sign(g * square(w))", "update = sign(g)"),
    "sign of a product with the schedule": ("update = sign(g * lr)", "update = sign(g)"),
    "sign of a sum": ("update = sign(g + 1.0)", "update = sign(g)"),
    "sign and a quotient that is no sign": ("update = g / (abs(g) + 0.1)", "update = sign(g)"),
    "value over another's size": ("update = g / abs(w)", "update = sign(g)"),
    "arcsin of a sine": ("update = arcsin(sin(g))", "update = g"),
    "arctan of a tangent": ("update = arctan(tan(g))", "update = g"),
    "sine of an arcsin outside of its domain": ("update = sign(arcsin(g))", "update = sign(g)"),
    "the order of max and min": ("update = max(min(g, 1.0), 0.5)", "update = max(min(g, 0.5), 1.0)"),
    "a bound that acts": ("update = max(tanh(g), 0.5)", "update = tanh(g)"),
    "greater and not less": ("update = where(greater(g, w), w, g)", "update = where(greater(g, w), g, w)"),
    "where and a sum": ("update = where(lr, g, w)", "update = g"),
    "a difference in the other direction": ("update = g - w", "update = w - g"),
    "nested averages of different values": ("update = interp(g, interp(w, g, 0.5), 0.5)", "update = interp(g, w, 0.5)"),
    "clip by different limits": ("update = clip(g, 1.0)", "update = clip(g, 2.0)"),
    "clip and scale": ("update = clip(g * 2.0, 1.0)", "update = clip(g, 1.0)"),
    "norm of a leaf and of the tree": ("update = g * norm(g)", "update = g * global_norm(g)"),
    "dot with another": ("update = g * sqrt(dot(g, w))", "update = g * global_norm(g)"),
    "the mean and the sum": ("update = g * leaf_mean(g)", "update = g * leaf_sum(g)"),
    "near constants": ("update = g * 0.9", "update = g * 0.9000001"),
    "a small term": ("update = g + 1e-6", "update = g"),
    "epsilon inside and outside of a root": ("update = g / sqrt(square(g) + 1e-6)", "update = g / abs(g)"),
}
"""Pairs of bodies without states whose smallest forms must differ up to the tier `almost`."""

APART_STATES = {
    "the order of updates": (
        "m = interp(g, m, 0.9); update = sign(m)",
        "update = sign(m); m = interp(g, m, 0.9)",
        "m",
    ),
    "a value that changed in between": (
        "m = interp(g, m, 0.9); a = sign(m); m = interp(g, m, 0.9); update = a + m",
        "m = interp(g, m, 0.9); m = interp(g, m, 0.9); a = sign(m); update = a + m",
        "m",
    ),
    "averages with different decays": (
        "m = interp(g, m, 0.9); v = interp(g, v, 0.99); update = m + v",
        "m = interp(g, m, 0.9); v = interp(g, v, 0.9); update = m + v",
        "m v",
    ),
    "averages of different values": (
        "m = interp(g, m, 0.9); v = interp(w, v, 0.9); update = m * v",
        "m = interp(g, m, 0.9); v = interp(g, v, 0.9); update = m * v",
        "m v",
    ),
    "an average of an average": (
        "m = interp(g, m, 0.9); v = interp(m, v, 0.9); update = v * lr",
        "m = interp(g, m, 0.81); v = m; update = v * lr",
        "m v",
    ),
    "a delayed copy": (
        "update = v; v = m; m = interp(g, m, 0.9)",
        "update = m; v = m; m = interp(g, m, 0.9)",
        "m v",
    ),
    "a state that starts at zero and grows": (
        "m = m + 1.0; update = g * m",
        "m = m * 1.0; update = g + m",
        "m",
    ),
    "a state that is not zero after its first step": (
        "m = cos(m); update = g * m",
        "m = sin(m); update = g * m",
        "m",
    ),
    "the first step of a constant state": (
        "a = m; m = w * 0.0 + 1.0; update = g + a",
        "update = g + 1.0; m = w",
        "m",
    ),
    "a state that the root does not give back": (
        "u = g * r; v = interp(g, v, 0.9); r = abs(v); update = u + v",
        "u = g * r; v = interp(g, v, 0.9); r = v; update = u + v",
        "v r",
    ),
    "a shifted state": (
        "u = g * r; v = interp(g, v, 0.9); r = v + 1.0; update = u",
        "u = g * v; v = interp(g, v, 0.9); r = v; update = u + g",
        "v r",
    ),
}
"""Pairs of bodies with their states whose smallest forms must differ up to the tier `almost`."""
