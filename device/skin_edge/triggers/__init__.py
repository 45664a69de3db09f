"""What starts a capture: the Enter key, an interval, a button on a GPIO pin, or several of these."""
