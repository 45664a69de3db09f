"""What `skin-edge doctor` looks at: one file a group, each check a function in the registry of `registry`."""
