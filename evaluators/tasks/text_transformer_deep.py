"""The task `text-transformer-deep`: the transformer of `text-transformer` at another size, deeper and narrower."""

from germline.evaluators.tasks.text_transformer import TextTransformer, transformer_parameters

LAYERS, WIDTH, HEADS, INNER = 4, 16, 1, 32


class DeepTextTransformer(TextTransformer):
    """A pre-norm transformer, 4 layers of width 16 with 1 head, that predicts the next character at 32 positions."""

    name = "text-transformer-deep"
    batch_invariant = True
    held_out_task = True
    version = 1
    layers, heads = LAYERS, HEADS
    parameters = transformer_parameters(LAYERS, WIDTH, INNER)
