"""The spine of every export: origin, class names, loading, comparison with the reference, ONNX graphs, and writing."""
