"""Python tests and answers in boxes. What runs there imports nothing but the standard library (and pytest, for it)."""
