"""The whole hop as one torch program: its parts as tensors, the CUDA graph around it, TensorRT in it."""
