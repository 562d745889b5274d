"""Documents: what they are, how many pages they have, what is made of them; each in a confined process of its own."""
