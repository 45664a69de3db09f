"""The networks: EfficientNet-Lite's blocks, its published weights, and the student cut from them."""
