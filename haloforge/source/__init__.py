"""The program in a model's answer: found, its language told, and put together with its task's tests. Text only."""
