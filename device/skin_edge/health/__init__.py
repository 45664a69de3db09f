"""How the machine is: its readings and its clock, `skin-edge doctor`, `skin-edge bench`.

Importing this brings nothing in: the capture loop needs `monitor` alone.
"""
