"""What a model is asked and how an answer is checked: rows in, tasks out, and when two outputs are the same."""
