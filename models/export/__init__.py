"""From a checkpoint to ONNX files and a manifest."""
