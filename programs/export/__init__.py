"""What all exports share: origin, class names, loading, comparison with the reference, ONNX graphs, and writing."""
