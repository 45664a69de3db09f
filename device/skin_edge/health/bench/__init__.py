"""What `skin-edge bench` measures: each stage, the cold start, and how they hold out when it gets warm."""
