"""What a bundle is worth on a labelled set, measured through the code that runs on a device."""
