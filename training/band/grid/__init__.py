"""Ways to train against each other: which runs there are, and what each of them is given to learn from."""
