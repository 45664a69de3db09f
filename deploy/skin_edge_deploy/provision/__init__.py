"""An application release to bare devices, and to those that run an older one.

candidates, gathering, shelf      which release a host gets, and where it comes from
rights                            how commands become root's there
settings                          what else root writes there: settings, signers, a line for sudo
plan, install, work               what would be done on one host, and doing it
"""
