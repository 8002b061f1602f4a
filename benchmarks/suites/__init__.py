"""What is measured: each module is a suite, its ``GROUPS`` name the functions that yield the rows of the table."""
