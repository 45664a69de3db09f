"""skin-edge on the training host: data, student, quantization, package. TensorFlow lives here only."""
