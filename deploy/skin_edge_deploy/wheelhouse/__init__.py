"""An application release for devices without internet: every wheel it needs, hashed, and its installer."""
