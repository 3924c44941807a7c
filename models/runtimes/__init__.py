"""One network's hop on a processor: ONNX Runtime, OpenVINO, compiled plans and when a plan is trusted."""
