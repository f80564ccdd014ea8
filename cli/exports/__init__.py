"""How candidates of each kind are written as files that stand alone: a module a kind, a function a target."""
