"""What the networks are, their weights, and how they were made."""
