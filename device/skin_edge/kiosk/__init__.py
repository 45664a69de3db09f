"""The page on the device's own screen, and the service behind it.

Importing this brings nothing in; what is below it needs the extra `kiosk`.
"""
