"""Pushing model bundles to devices over SSH: `skin-edge deploy TARGET...`.

    targets, limits, errors           what may be asked for, how long it may take, what can go wrong
    ssh/                              one authenticated connection to a host whose key is known
    device, facts                     looking at a host: nothing here changes anything
    package, plan                     what is pushed; what would be done there, or why it cannot be
    upload, install, push             doing it, on one host
    fleet                             many hosts: canaries, concurrency, when to stop
    command, session, live, report    what a person or a script sees of it

All care for the device's own state is in its `skin-edge model install`: a push that is cut anywhere leaves
the old model in use there or the new one, and pushing again finishes.
"""
