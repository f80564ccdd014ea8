"""How a space is searched: strategies, the block loop, presets."""
