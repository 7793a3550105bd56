"""What runs a bundle: ONNX Runtime on CPUs, torch as the reference and on GPUs."""
